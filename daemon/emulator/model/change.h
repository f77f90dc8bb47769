// What happened in the world, as it happened: the publisher turns it into events, and a store could
// write down the records that it names.
#ifndef TALKJSD_EMULATOR_MODEL_CHANGE_H_
#define TALKJSD_EMULATOR_MODEL_CHANGE_H_

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/emulator/model/records.h"

namespace talkjsd::emulator {

// Records are those of the world after the change; references hold during the call that reports it.

struct UserAdded {
  const UserRecord& user;
};
struct UserChanged {
  const UserRecord& user;
  wire::UserDiff diff;  // empty if only private properties changed
};
struct UserRemoved {
  std::string user_id;
};
struct OnlineChanged {
  std::string user_id;
  bool connected;
};
struct ConversationAdded {
  const ConversationRecord& conversation;
};
struct ConversationChanged {
  const ConversationRecord& conversation;
  wire::ConversationDiff diff;
};
// The conversation is gone, with all that is in it; the record is as it was.
struct ConversationRemoved {
  const ConversationRecord& conversation;
};
// The conversation is there, with all that is in it: it was not built up by calls, but put in
// place.
struct ConversationLoaded {
  const ConversationRecord& conversation;
};
struct Joined {
  const ConversationRecord& conversation;
  const ParticipantRecord& participant;
};
struct ParticipantChanged {
  const ConversationRecord& conversation;
  const ParticipantRecord& participant;
  std::optional<wire::Access> access;
  std::optional<wire::Notify> notify;
};
struct Left {
  const ConversationRecord& conversation;
  std::string user_id;
};
struct SideChanged {
  const ConversationRecord& conversation;
  const ParticipantRecord& participant;
  wire::ConversationDiff diff;
};
// Something changed in the record that no client gets to see.
struct ConversationTouched {
  const ConversationRecord& conversation;
};
struct SideTouched {
  const ConversationRecord& conversation;
  const ParticipantRecord& participant;
};
struct MessageAdded {
  const ConversationRecord& conversation;
  const MessageRecord& message;
};
// A message of the past was put in its place; clients are not told.
struct MessageImported {
  const ConversationRecord& conversation;
  const MessageRecord& message;
};
struct MessageChanged {
  const ConversationRecord& conversation;
  const MessageRecord& message;
  wire::MessageDiff diff;
};
struct MessageRemoved {
  const ConversationRecord& conversation;
  std::string message_id;
  bool was_last;
};
// All messages of a conversation are gone.
struct ConversationCleared {
  const ConversationRecord& conversation;
  std::vector<std::string> message_ids;
};
struct ReactionChanged {
  const ConversationRecord& conversation;
  const MessageRecord& message;
  std::string emoji;
  std::string user_id;
  std::optional<UnixMillis> added_at;  // nullopt: removed
};
struct TypingChanged {
  const ConversationRecord& conversation;
  std::string user_id;
  std::optional<UnixMillis> since;  // nullopt: stopped
};

// An idempotency key is remembered.
struct KeyRemembered {
  SentRecord sent;
};
// Nothing of the world before is left; what follows reports in detail what went and what came.
struct WorldReplaced {};

using Change =
    std::variant<UserAdded, UserChanged, UserRemoved, OnlineChanged, ConversationAdded,
                 ConversationChanged, ConversationTouched, ConversationRemoved, ConversationLoaded,
                 Joined, ParticipantChanged, Left, SideChanged, SideTouched, MessageAdded,
                 MessageImported, MessageChanged, MessageRemoved, ConversationCleared,
                 ReactionChanged, TypingChanged, KeyRemembered, WorldReplaced>;

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_CHANGE_H_
