// Events inside a PUBLISH frame (realtime.md section 7), decoded.
#ifndef TALKJSD_WIRE_EVENT_H_
#define TALKJSD_WIRE_EVENT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <boost/json/fwd.hpp>
#include <optional>
#include <string>
#include <variant>

#include "daemon/wire/types.h"

namespace talkjsd::wire {

struct UserCreated {
  User state;
};
struct UserEdited {
  std::string user_id;
  UserDiff diff;
};
struct SideCreated {
  Conversation state;
};
struct SideEdited {  // also conversation.edited and an own participant.edited: the same merge
  std::string conversation_id;
  ConversationDiff diff;
};
struct SideDeleted {
  std::string conversation_id;
};
struct MessageCreated {
  std::string conversation_id;
  Message state;
};
struct MessageEdited {
  std::string conversation_id;
  std::string message_id;
  MessageDiff diff;
};
struct MessageDeleted {
  std::string conversation_id;
  std::string message_id;
  // Absent: it was not the last one. Null: no message is left.
  Patch<Message> new_last_message;
};
struct ConversationCleared {
  std::string conversation_id;
};
struct ParticipantEdited {
  std::string conversation_id;
  std::string user_id;
  std::optional<Access> access;
  std::optional<Notify> notify;
};
struct SessionExpired {};
struct UpstreamRestarting {};
// Types that the daemon has no use for, and types of a newer TalkJS.
struct OtherEvent {
  std::string type;
};

using Event = std::variant<UserCreated, UserEdited, SideCreated, SideEdited, SideDeleted,
                           MessageCreated, MessageEdited, MessageDeleted, ConversationCleared,
                           ParticipantEdited, SessionExpired, UpstreamRestarting, OtherEvent>;

// An error means that a known type has wrong contents; the caller counts it and goes on.
absl::StatusOr<Event> DecodeEvent(const boost::json::object& event);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_EVENT_H_
