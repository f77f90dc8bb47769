// Checks of requests against the limits that the protos state. Each adds what it finds to `errors`.
#ifndef TALKJSD_API_VALIDATE_H_
#define TALKJSD_API_VALIDATE_H_

#include <string>
#include <string_view>

#include "daemon/api/errors.h"
#include "talkjs/sidecar/v1/conversation_service.pb.h"
#include "talkjs/sidecar/v1/daemon_service.pb.h"
#include "talkjs/sidecar/v1/event_service.pb.h"
#include "talkjs/sidecar/v1/message_service.pb.h"
#include "talkjs/sidecar/v1/session_service.pb.h"
#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::api {

// Fields of one kind, wherever they are; `field` is the path that the client sees: "user.name".
void CheckSize(std::string_view field, std::string_view value, size_t min, size_t max,
               FieldErrors& errors);
// Of a user, conversation or message.
void CheckId(std::string_view field, std::string_view value, FieldErrors& errors);
void CheckAppId(std::string_view field, std::string_view value, FieldErrors& errors);
void CheckSessionId(std::string_view field, std::string_view value, FieldErrors& errors);
void CheckUserAttributes(std::string_view field, const talkjs::sidecar::v1::UserAttributes& user,
                         FieldErrors& errors);
// Code points of a valid UTF-8 text.
size_t CountCharacters(std::string_view utf8);

// Whole requests.
absl::Status Validate(const talkjs::sidecar::v1::CreateSessionRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::GetSessionRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::ListSessionsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::WatchSessionsRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::DestroySessionRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::SendMessageRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::MarkConversationReadRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::StreamMessagesRequest& request);
absl::Status Validate(const talkjs::sidecar::v1::StreamUnreadsRequest& request);
inline absl::Status Validate(const talkjs::sidecar::v1::GetInfoRequest&) {
  return absl::OkStatus();
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_VALIDATE_H_
