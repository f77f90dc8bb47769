#include "daemon/api/calls/unary.h"

#include <algorithm>
#include <chrono>

#include "daemon/api/limits.h"

namespace talkjsd::api {

Duration TimeLeft(const grpc::CallbackServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max()) return kDefaultCallTimeout;
  const Duration left =
      std::min<Duration>(deadline - std::chrono::system_clock::now(), std::chrono::hours(24));
  return std::max<Duration>(left - std::min<Duration>(kMaxAnswerMargin, left / 10),
                            Duration::zero());
}

std::shared_ptr<PendingCall> PendingCall::Make(Context& context,
                                               const grpc::CallbackServerContext& call,
                                               grpc::ServerUnaryReactor* reactor,
                                               grpc::ByteBuffer* response) {
  auto pending = std::make_shared<PendingCall>(context, reactor, response,
                                               SystemClock().Now() + api::TimeLeft(call));
  if (const absl::Status added = context.calls.Add(pending); !added.ok()) pending->End(added);
  return pending;
}

PendingCall::PendingCall(Context& context, grpc::ServerUnaryReactor* reactor,
                         grpc::ByteBuffer* response, MonoTime deadline)
    : context_(context), deadline_(deadline), reactor_(reactor), response_(response) {}

Duration PendingCall::TimeLeft() const {
  return std::max<Duration>(deadline_ - SystemClock().Now(), Duration::zero());
}

void PendingCall::Finish(const absl::Status& status, grpc::ByteBuffer response) {
  grpc::ServerUnaryReactor* reactor = nullptr;
  {
    MutexLock lock(mutex_);
    std::swap(reactor, reactor_);
  }
  if (reactor == nullptr) return;
  if (status.ok()) *response_ = std::move(response);
  // Out of the set first: a drain that finds it empty may take the server down, and gRPC waits for
  // its own calls.
  const PendingCallRef self = shared_from_this();
  context_.calls.Remove(this);
  reactor->Finish(ToGrpcStatus(status));
}

}  // namespace talkjsd::api
