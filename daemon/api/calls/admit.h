// The one step at the start of every call: who calls, may he, is the request sound, is it within
// the limits.
#ifndef TALKJSD_API_CALLS_ADMIT_H_
#define TALKJSD_API_CALLS_ADMIT_H_

#include <absl/status/statusor.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <utility>

#include "daemon/api/access/permit.h"
#include "daemon/api/codec.h"
#include "daemon/api/context.h"
#include "daemon/api/convert/validate.h"

namespace talkjsd::api {

// What a request is about, by the fields that all requests name alike.
template <typename Request>
Subject SubjectOf(const Request& request) {
  Subject subject;
  if constexpr (requires { request.session_id(); }) {
    subject.session_ids.push_back(request.session_id());
  }
  if constexpr (requires { request.session_ids(); }) {
    subject.session_ids.assign(request.session_ids().begin(), request.session_ids().end());
  }
  return subject;
}
Subject SubjectOf(const talkjs::sidecar::v1::CreateSessionRequest& request);
Subject SubjectOf(const talkjs::sidecar::v1::SetMeRequest& request);
// A named subscription over all sessions is everybody's.
Subject SubjectOf(const talkjs::sidecar::v1::StreamMessagesRequest& request);

// What a request needs, which may be more than its method does.
template <typename Request>
Right RightFor(const Request&) {
  return MethodOf<Request>().right;
}
Right RightFor(const talkjs::sidecar::v1::GetConversationRequest& request);
Right RightFor(const talkjs::sidecar::v1::StreamMessagesRequest& request);

// LIMIT_EXCEEDED (request_bytes).
absl::Status CheckSize(Context& context, const grpc::ByteBuffer& bytes);
// What a method may not do at present: new streams, new sessions.
absl::Status CheckQuota(Context& context, Permit& permit);

template <typename Request>
struct Admitted {
  Request request;
  PermitRef permit;
};

// In this order, so that strangers learn nothing of requests, and the refused nothing of others'
// sessions.
template <typename Request>
absl::StatusOr<Admitted<Request>> Admit(Context& context, const grpc::CallbackServerContext& call,
                                        const grpc::ByteBuffer& bytes) {
  absl::StatusOr<PermitRef> permit = context.access->Begin(call, MethodOf<Request>());
  if (!permit.ok()) return permit.status();
  if (const absl::Status size = CheckSize(context, bytes); !size.ok()) return size;
  absl::StatusOr<Request> request = Decode<Request>(bytes);
  if (!request.ok()) return request.status();
  if (const absl::Status valid = Validate(*request); !valid.ok()) return valid;
  const absl::Status granted =
      context.access->Grant(**permit, RightFor(*request), SubjectOf(*request));
  if (!granted.ok()) return granted;
  if (const absl::Status quota = CheckQuota(context, **permit); !quota.ok()) return quota;
  return Admitted<Request>{*std::move(request), *std::move(permit)};
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_ADMIT_H_
