#include "daemon/emulator/refusal.h"

#include <absl/strings/cord.h>

#include "daemon/base/error.h"

namespace talkjsd::emulator {
namespace {

constexpr char kCodePayload[] = "talkjs/error-code";
constexpr char kFieldPayload[] = "talkjs/field";

absl::StatusCode CodeFor(int status) {
  switch (status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 405:
      return absl::StatusCode::kUnimplemented;
    case 409:
      return absl::StatusCode::kAlreadyExists;
    case 429:
      return absl::StatusCode::kResourceExhausted;
    default:
      return absl::StatusCode::kInternal;
  }
}

int StatusFor(absl::StatusCode code) {
  for (int status : {400, 401, 403, 404, 405, 409, 429}) {
    if (CodeFor(status) == code) return status;
  }
  return 500;
}

}  // namespace

absl::Status Refuse(int status, std::string_view code, std::string_view reason) {
  absl::Status result(CodeFor(status), std::string(reason));
  result.SetPayload(kCodePayload, absl::Cord(std::string(code)));
  return result;
}

Refusal RefusalOf(const absl::Status& status) {
  Refusal refusal;
  refusal.status = StatusFor(status.code());
  refusal.reason = std::string(MessageOf(status));
  const auto code = status.GetPayload(kCodePayload);
  if (code.has_value()) {
    refusal.code = std::string(*code);
  } else {
    refusal.code = refusal.status == 400 ? "BAD_REQUEST" : "INTERNAL_ERROR";
  }
  if (const auto field = status.GetPayload(kFieldPayload)) refusal.field = std::string(*field);
  return refusal;
}

absl::Status BadRequest(std::string_view reason) { return Refuse(400, "BAD_REQUEST", reason); }

absl::Status BadField(std::string_view field, std::string_view reason) {
  absl::Status status = BadRequest(std::string(field) + ": " + std::string(reason));
  status.SetPayload(kFieldPayload, absl::Cord(std::string(field)));
  return status;
}

absl::Status Unauthorized(std::string_view reason) { return Refuse(401, "UNAUTHORIZED", reason); }

absl::Status UserNotFound() { return Refuse(404, "USER_NOT_FOUND", "No user with that ID exists"); }

absl::Status ConversationNotFound() {
  return Refuse(404, "CONVERSATION_NOT_FOUND", "No conversation with that ID exists");
}

absl::Status MessageNotFound() {
  return Refuse(404, "MESSAGE_NOT_FOUND", "No message with that ID exists");
}

absl::Status ParticipantNotFound() {
  return Refuse(404, "PARTICIPANT_NOT_FOUND", "No participant with that ID exists");
}

absl::Status NotAParticipant() {
  return Refuse(403, "NOT_A_PARTICIPANT", "You are not a participant in that conversation");
}

}  // namespace talkjsd::emulator
