// What the emulated app consists of. Plain values; only World writes them.
#ifndef TALKJSD_EMULATOR_MODEL_RECORDS_H_
#define TALKJSD_EMULATOR_MODEL_RECORDS_H_

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/wire/types.h"

namespace talkjsd::emulator {

struct UserRecord {
  wire::User shown;  // what anybody may see
  // Private: never in an answer or event of the realtime protocol.
  std::optional<std::vector<std::string>> email;
  std::optional<std::vector<std::string>> phone;
  std::set<std::string> push_tokens;  // "fcm:..." or "apns:..."
  // Only servers get to see these.
  std::optional<std::string> availability_text;
  UnixMillis created_at = 0;
};

// A message's place in its conversation: by time, then by order of arrival in the app.
struct MessageKey {
  UnixMillis created_at = 0;
  uint64_t number = 0;
  auto operator<=>(const MessageKey&) const = default;
};

struct ReactionRecord {
  std::string user_id;
  UnixMillis created_at = 0;
};

// One emoji on one message.
struct EmojiRecord {
  UnixMillis created_at = 0;          // its first use; stays when that user takes it back
  std::vector<ReactionRecord> users;  // oldest first, never empty
};

struct MessageRecord {
  MessageKey key;
  std::string conversation_id;
  // As sent: `reactions` stays empty, and `referenced_message_id` may name a message deleted since.
  wire::Message message;
  std::map<std::string, EmojiRecord> reactions;  // by emoji
  // The markup that `message.content` was made from; empty if it came as nodes.
  std::string markup;
  std::set<std::string> read_by;  // of an imported message: who counts as having read it
};

// The properties of a side that change with messages and reading.
struct SideCounters {
  UnixMillis last_message_at = 0;
  int64_t unread_message_count = 0;
  bool is_unread = false;
  UnixMillis read_until = 0;
  UnixMillis everyone_read_until = 0;
  bool operator==(const SideCounters&) const = default;
};

struct ParticipantRecord {
  std::string user_id;
  wire::Access access = wire::Access::kReadWrite;
  wire::Notify notify = wire::Notify::kOn;
  UnixMillis joined_at = 0;
  UnixMillis read_until = 0;
  MessageKey read_position;  // every message up to here counts as read
  int64_t unread = 0;        // messages of others behind it
  bool marked_unread = false;
  SideCounters told;  // what the last event about this side said
};

struct TypingRecord {
  UnixMillis since = 0;
  MonoTime until{};
};

struct ConversationRecord {
  std::string id;
  UnixMillis created_at = 0;
  std::optional<std::string> subject;
  std::optional<std::string> photo_url;
  std::vector<std::string> welcome_messages;
  wire::CustomMap custom;
  std::map<std::string, ParticipantRecord> participants;  // by user id
  // Who was given the access "None": as if he had left, but what he had read is remembered.
  std::map<std::string, ParticipantRecord> shut_out;  // by user id
  std::map<MessageKey, MessageRecord> messages;
  std::map<std::string, TypingRecord> typing;  // by user id
  UnixMillis last_joined_at = 0;               // the newest joinedAt there ever was
};

// A message that was sent under an idempotency key.
struct SentRecord {
  std::string user_id;
  std::string idempotency_key;
  std::string message_id;
  UnixMillis sent_at = 0;
};

// A world as values, or the part of one that is to be put into another. Typing marks and what was
// told to whom are not part of it.
struct WorldRecords {
  std::map<std::string, UserRecord> users;                  // by id
  std::map<std::string, ConversationRecord> conversations;  // by id
  std::vector<SentRecord> sent;                             // oldest first
};

// --- writes; what is absent stays ---

struct UserWrite {
  std::optional<std::string> name;
  wire::Patch<wire::CustomPatch> custom;
  wire::Patch<std::string> locale;
  wire::Patch<std::string> photo_url;
  wire::Patch<std::string> role;  // null: "default"
  wire::Patch<std::string> welcome_message;
  wire::Patch<std::vector<std::string>> email;
  wire::Patch<std::vector<std::string>> phone;
  wire::Patch<std::map<std::string, bool>> push_tokens;  // false unregisters; null unregisters all
  wire::Patch<std::string> availability_text;
};

struct ConversationWrite {
  wire::Patch<std::string> subject;
  wire::Patch<std::string> photo_url;
  wire::Patch<std::vector<std::string>> welcome_messages;
  wire::Patch<wire::CustomPatch> custom;
};

struct ParticipantWrite {
  wire::Patch<wire::Access> access;  // null: ReadWrite
  wire::Patch<wire::Notify> notify;  // null: on
};

struct NewMessage {
  std::vector<wire::ContentBlock> content;
  std::optional<std::string> referenced_message_id;
  wire::CustomMap custom;
  std::string idempotency_key;  // empty: none
  std::string markup;           // what `content` was made from, if it was
};

// A message that the app's own server puts into a conversation.
struct ServerMessage {
  NewMessage message;
  std::optional<std::string> sender_id;  // nullopt: a system message
  // Of a message that is imported.
  UnixMillis created_at = 0;
  std::set<std::string> read_by;
};

struct MessageWrite {
  std::optional<std::vector<wire::ContentBlock>> content;
  std::string markup;  // what `content` was made from, if it was
  wire::Patch<wire::CustomPatch> custom;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_RECORDS_H_
