#include "daemon/api/calls/push.h"

#include <utility>

#include "daemon/api/calls/sessions.h"
#include "daemon/api/calls/steps.h"
#include "daemon/api/convert/convert.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

template <typename Response>
void Write(session::Registry& registry, const std::string& session_id, upstream::Request write,
           const PendingCallRef& call) {
  const auto take = [](const upstream::Reply& reply) {
    return upstream::ParseDone(reply, "writing the push registration");
  };
  MakeSteps(registry, session_id, call, {{std::move(write), take}},
            [call] { call->Answer(absl::StatusOr<Response>(Response())); });
}

// The device that the request names, or else the session's own.
template <typename Request>
absl::StatusOr<upstream::PushDevice> DeviceOf(const session::Registry& registry,
                                              const Request& request) {
  if (request.has_provider()) {
    return ToPushDevice(request.provider(), request.push_registration_id());
  }
  std::optional<upstream::PushDevice> device = registry.Device(request.session_id());
  if (device.has_value()) return *std::move(device);
  return MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_NO_DEVICE_TOKEN,
                   "the session was created without device_token; give provider and "
                   "push_registration_id");
}

template <typename Response, typename Request>
void WriteDevice(session::Registry& registry, const Request& request, bool registered,
                 const PendingCallRef& call) {
  const auto info = GetUsable(registry, request.session_id());
  if (!info.ok()) return call->End(info.status());
  const auto device = DeviceOf(registry, request);
  if (!device.ok()) return call->End(device.status());
  Write<Response>(registry, request.session_id(),
                  upstream::SetPushDevice(*info->user_id, *device, registered), call);
}

}  // namespace

void SetPush(session::Registry& registry, const v1::SetPushRegistrationRequest& request,
             const PendingCallRef& call) {
  WriteDevice<v1::SetPushRegistrationResponse>(registry, request, /*registered=*/true, call);
}

void UnsetPush(session::Registry& registry, const v1::UnsetPushRegistrationRequest& request,
               const PendingCallRef& call) {
  WriteDevice<v1::UnsetPushRegistrationResponse>(registry, request, /*registered=*/false, call);
}

void ClearPush(session::Registry& registry, const v1::ClearPushRegistrationsRequest& request,
               const PendingCallRef& call) {
  const auto info = GetUsable(registry, request.session_id());
  if (!info.ok()) return call->End(info.status());
  Write<v1::ClearPushRegistrationsResponse>(registry, request.session_id(),
                                            upstream::ClearPushDevices(*info->user_id), call);
}

}  // namespace talkjsd::api
