// Between the API's messages and the rooms' own types.
#ifndef TALKJSD_API_CONVERT_CONVERT_H_
#define TALKJSD_API_CONVERT_CONVERT_H_

#include <google/protobuf/timestamp.pb.h>

#include <optional>

#include "daemon/journal/journal.h"
#include "daemon/session/info.h"
#include "talkjs/sidecar/v1/event_service.pb.h"
#include "talkjs/sidecar/v1/message_service.pb.h"
#include "talkjs/sidecar/v1/session_service.pb.h"
#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::api {

google::protobuf::Timestamp ToTimestamp(UnixMillis millis);
talkjs::sidecar::v1::SessionState ToProto(session::State state);
talkjs::sidecar::v1::Session ToProto(const session::Info& info);
talkjs::sidecar::v1::SessionStateChange ToStateChange(const session::Info& info);
talkjs::sidecar::v1::Gap ToProto(const journal::GapInfo& gap);

// Of validated requests. UNIMPLEMENTED (NOT_IMPLEMENTED) for options that this version lacks.
absl::StatusOr<session::CreateRequest> ToCreateRequest(
    const talkjs::sidecar::v1::CreateSessionRequest& request);
// Absent, null and a value stay three things.
upstream::UserWrite ToUserWrite(const talkjs::sidecar::v1::UserAttributes& user);
// TalkJS has no place for it.
wire::Patch<std::string> ToAvailability(const talkjs::sidecar::v1::UserAttributes& user);
upstream::PushDevice ToPushDevice(talkjs::sidecar::v1::PushProvider provider,
                                  const std::string& registration_id);
upstream::OutgoingMessage ToOutgoing(const talkjs::sidecar::v1::SendMessageRequest& request);
journal::Selection ToSelection(const talkjs::sidecar::v1::StreamMessagesRequest& request);
// CURSOR_MALFORMED if that is what the request's cursor is.
absl::StatusOr<journal::StartPosition> ToStart(
    const talkjs::sidecar::v1::StreamMessagesRequest& request);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CONVERT_CONVERT_H_
