// Records <-> JSON, in the one shape that snapshots, seeds and the store have: TalkJS's own
// property names, plus what TalkJS keeps to itself. docs/emulator.md describes it for people.
//
// Reading treats the record given as what is there already: an absent property leaves it, null
// resets it. Errors are 400 BAD_REQUEST and name the place. For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_STORE_RECORD_JSON_H_
#define TALKJSD_EMULATOR_STORE_RECORD_JSON_H_

#include <absl/status/status.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/emulator/model/records.h"
#include "daemon/emulator/store/document.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

wire::json::object EncodeRecord(const UserRecord& user);  // without the id
// Without id, participants, messages.
wire::json::object EncodeAttributes(const ConversationRecord& conversation);
wire::json::object EncodeSide(const ConversationRecord& conversation,
                              const ParticipantRecord& participant);       // without the user's id
wire::json::object EncodeShutOut(const ConversationRecord& conversation);  // sides by user id
wire::json::object EncodeRecord(const MessageRecord& record);
// With participants, by user id, and messages, oldest first; without the id.
wire::json::object EncodeRecord(const ConversationRecord& conversation);
wire::json::object EncodeRecord(const SentRecord& record);

absl::Status ReadRecord(const wire::json::value& value, const Place& place, UserRecord& user);
// Leaves the rest of the object to the caller, who finishes the reader. `created_at` stays as it is
// if absent.
void ReadAttributes(ObjectReader& reader, ConversationRecord& conversation);
// Leaves `key.created_at` if the time is absent; the number is the caller's.
absl::Status ReadRecord(const wire::json::value& value, const Place& place, MessageRecord& record);
absl::Status ReadRecord(const wire::json::value& value, const Place& place, SentRecord& record);

// How far a participant has read, as far as the document says it.
struct ReadMarks {
  bool has_read_to = false;
  std::optional<std::string> read_to;  // a message id; nullopt: nothing
  std::optional<UnixMillis> read_until;
  std::optional<int64_t> unread;
};
// Everything but what the marks say.
absl::Status ReadSide(const wire::json::value& value, const Place& place,
                      ParticipantRecord& participant, ReadMarks& marks);

// Of a conversation, by message id.
using MessageKeys = std::unordered_map<std::string_view, MessageKey>;
MessageKeys KeysOf(const ConversationRecord& conversation);
// Sets the side's position, readUntil and unread count, once all messages are in place: what the
// marks leave open follows from what they say; without any, everything up to `participant`'s
// position so far, or to his own newest message, is read.
absl::Status ApplyMarks(const ConversationRecord& conversation, const MessageKeys& keys,
                        const ReadMarks& marks, const Place& place, ParticipantRecord& participant);

// The sides of those who are shut out, marks applied.
absl::Status ReadShutOut(const wire::json::value& value, const Place& place,
                         ConversationRecord& conversation);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_STORE_RECORD_JSON_H_
