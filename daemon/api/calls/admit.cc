#include "daemon/api/calls/admit.h"

#include "daemon/api/errors.h"

namespace talkjsd::api {

namespace v1 = talkjs::sidecar::v1;

Subject SubjectOf(const v1::CreateSessionRequest& request) {
  Subject subject;
  subject.app_id = request.app_id();
  if (request.has_user()) subject.user_id = request.user().id();
  if (request.me_case() == v1::CreateSessionRequest::kUserId) subject.user_id = request.user_id();
  return subject;
}

Subject SubjectOf(const v1::SetMeRequest& request) {
  Subject subject;
  subject.session_ids.push_back(request.session_id());
  subject.user_id =
      request.me_case() == v1::SetMeRequest::kUser ? request.user().id() : request.user_id();
  return subject;
}

Subject SubjectOf(const v1::StreamMessagesRequest& request) {
  Subject subject;
  subject.session_ids.assign(request.session_ids().begin(), request.session_ids().end());
  subject.needs_all = request.has_subscription() && request.session_ids().empty();
  return subject;
}

Right RightFor(const v1::GetConversationRequest& request) {
  const bool writes = request.has_attributes() || !request.participants().empty() || request.join();
  return writes ? Right::kWrite : Right::kRead;
}

Right RightFor(const v1::StreamMessagesRequest& request) {
  return request.has_subscription() ? Right::kWrite : Right::kRead;
}

absl::Status CheckSize(Context& context, const grpc::ByteBuffer& bytes) {
  const int64_t most = context.access->quotas().limits().request_bytes;
  if (bytes.Length() <= static_cast<size_t>(most)) return absl::OkStatus();
  return LimitExceeded("request_bytes", "the request has " + std::to_string(bytes.Length()) +
                                            " bytes, the daemon takes " + std::to_string(most) +
                                            "; split it, or raise the limit");
}

absl::Status CheckQuota(Context& context, Permit& permit) {
  if (permit.method().is_stream) return context.access->OpenStream(permit);
  if (permit.method().makes_session) return context.access->quotas().CheckMemoryForSession();
  return absl::OkStatus();
}

}  // namespace talkjsd::api
