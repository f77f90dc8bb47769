// Users, conversations and messages as the REST API shows them: nobody's view in particular. For
// .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_REST_JSON_H_
#define TALKJSD_EMULATOR_REST_JSON_H_

#include "daemon/emulator/model/records.h"
#include "daemon/emulator/model/world.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

wire::json::object EncodeRestUser(const UserRecord& user);
wire::json::object EncodeRestMessage(const World& world, const ConversationRecord& conversation,
                                     const MessageRecord& record);
wire::json::object EncodeRestConversation(const World& world,
                                          const ConversationRecord& conversation);
// With what is different for that participant on the top level.
wire::json::object EncodeRestSide(const World& world, const ConversationRecord& conversation,
                                  const ParticipantRecord& participant);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_REST_JSON_H_
