// A call that TalkJS answers with an error: an absl::Status that carries the status and `errorCode`
// of the answer.
#ifndef TALKJSD_EMULATOR_REFUSAL_H_
#define TALKJSD_EMULATOR_REFUSAL_H_

#include <absl/status/status.h>

#include <string>
#include <string_view>

namespace talkjsd::emulator {

struct Refusal {
  int status = 500;  // of the answer: 400, 401, 403, 404, 405, 409, 429 or 500
  std::string code;  // errorCode
  std::string reason;
  std::string field;  // which property of the request is wrong, if it is one
};

absl::Status Refuse(int status, std::string_view code, std::string_view reason);

// What to answer for a status that is not OK. Statuses made elsewhere (wire's decoders) become 400
// BAD_REQUEST or 500.
Refusal RefusalOf(const absl::Status& status);

// The errors used in more than one place.
absl::Status BadRequest(std::string_view reason);  // 400 BAD_REQUEST
// 400 BAD_REQUEST: "field: reason".
absl::Status BadField(std::string_view field, std::string_view reason);
absl::Status Unauthorized(std::string_view reason);  // 401 UNAUTHORIZED
absl::Status UserNotFound();                         // 404 USER_NOT_FOUND
absl::Status ConversationNotFound();                 // 404 CONVERSATION_NOT_FOUND
absl::Status MessageNotFound();                      // 404 MESSAGE_NOT_FOUND
absl::Status ParticipantNotFound();                  // 404 PARTICIPANT_NOT_FOUND
absl::Status NotAParticipant();                      // 403 NOT_A_PARTICIPANT

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_REFUSAL_H_
