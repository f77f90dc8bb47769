// JSON of what only a server says; the rest is in wire/json.h. For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_MODEL_ENCODE_H_
#define TALKJSD_EMULATOR_MODEL_ENCODE_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/emulator/model/records.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

// {"errorCode", "reasons"}
wire::json::object EncodeRefusal(const Refusal& refusal);

wire::json::object EncodeTyping(const std::map<std::string, UnixMillis>& others);
// The diff for a viewer after `user_id` started or stopped; `others` is what he should see now.
// nullopt: nothing to tell.
std::optional<wire::json::object> EncodeTypingDiff(const std::map<std::string, UnixMillis>& others,
                                                   const std::string& user_id,
                                                   std::optional<UnixMillis> since);

// One emoji's entry of the `reactions` in message.edited: null if it is gone.
wire::json::value EncodeReaction(const MessageRecord& record, const std::string& emoji,
                                 std::string_view viewer);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_ENCODE_H_
