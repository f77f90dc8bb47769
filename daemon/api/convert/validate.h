// Checks of whole requests against the limits that the protos state: OK, or one INVALID_FIELD that
// names every field that is wrong.
#ifndef TALKJSD_API_CONVERT_VALIDATE_H_
#define TALKJSD_API_CONVERT_VALIDATE_H_

#include <absl/status/status.h>

#include "talkjs/sidecar/v1/conversation_service.pb.h"
#include "talkjs/sidecar/v1/daemon_service.pb.h"
#include "talkjs/sidecar/v1/event_service.pb.h"
#include "talkjs/sidecar/v1/message_service.pb.h"
#include "talkjs/sidecar/v1/session_service.pb.h"
#include "talkjs/sidecar/v1/user_service.pb.h"

namespace talkjsd::api {

absl::Status Validate(const talkjs::sidecar::v1::CreateSessionRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::GetSessionRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::ListSessionsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::WatchSessionsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::DestroySessionRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::SetMeRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::SetTokenRequest& request);
// One message of the stream.
absl::Status Validate(const talkjs::sidecar::v1::ProvideTokensRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::HasValidCredentialsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::SetPushRegistrationRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::UnsetPushRegistrationRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::ClearPushRegistrationsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::GetUserRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::GetUserByIdRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::GetConversationRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::ListConversationsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::MarkConversationReadRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::MarkConversationUnreadRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::SendMessageRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::ListMessagesRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::StreamMessagesRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::StreamUnreadsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::AcknowledgeRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::ListSubscriptionsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::DeleteSubscriptionRequest& request);
inline absl::Status Validate(const talkjs::sidecar::v1::GetInfoRequest&) {
  return absl::OkStatus();
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CONVERT_VALIDATE_H_
