// TalkJS's data as the public protos say it, encoded once for journal and streams.
#ifndef TALKJSD_SESSION_ENCODER_H_
#define TALKJSD_SESSION_ENCODER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/journal/event.h"
#include "daemon/session/info.h"
#include "daemon/wire/types.h"

namespace talkjs::sidecar::v1 {
class Conversation;
class Message;
class Session;
class User;
}  // namespace talkjs::sidecar::v1

namespace talkjsd::session {

// What a message is seen with: the session's side of the conversation, and its sender if TalkJS
// named one.
struct MessageContext {
  std::string_view session_id;
  std::string_view my_user_id;
  const wire::Conversation* conversation;
  const wire::User* sender;  // null: absent
};

// `kind`: kSent or kEdited. `recovered`: found by reading back.
journal::NewEvent EncodeMessageEvent(journal::EventKind kind, const wire::Message& message,
                                     const MessageContext& context, bool recovered,
                                     UnixMillis event_time);
// What StoredEvent::bytes of kSent says of its message; nothing if they are not understood.
struct SentFacts {
  std::string message_id;
  UnixMillis created_at = 0;
};
std::optional<SentFacts> DecodeSent(const std::string& bytes);
journal::NewEvent EncodeDeletion(std::string_view session_id, std::string_view conversation_id,
                                 std::string_view message_id, bool by_me, bool recovered,
                                 UnixMillis event_time);
// Edits and deletions between the two times may have gone unseen.
journal::NewEvent EncodeUncertainEdits(std::string_view session_id, UnixMillis from, UnixMillis to,
                                       UnixMillis event_time);
// Messages of this conversation up to `to` may be missing: TalkJS does not show them.
journal::NewEvent EncodeIncomplete(std::string_view session_id, std::string_view conversation_id,
                                   UnixMillis from, UnixMillis to, UnixMillis event_time);
// kSessionDestroyed for State::kDestroyed, otherwise kSessionState.
journal::NewEvent EncodeStateChange(const Info& info, UnixMillis event_time);

struct Unread {
  const wire::Conversation* conversation;
  const wire::Message* last_message;
  const wire::User* sender;  // of the last message; null: absent
};
// A serialised StreamUnreadsResponse.
std::string EncodeUnreads(std::string_view session_id, std::string_view my_user_id,
                          const std::vector<Unread>& unreads, UnixMillis as_of, bool stale);

// With the whole side: what ConversationService and the unreads show. A Message carries only the
// first fields.
void FillConversation(const wire::Conversation& from, bool with_side,
                      talkjs::sidecar::v1::Conversation* to);
void FillUser(const wire::User& from, talkjs::sidecar::v1::User* to);
void FillMessage(const wire::Message& from, const MessageContext& context,
                 talkjs::sidecar::v1::Message* to);
void FillSession(const Info& from, talkjs::sidecar::v1::Session* to);

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_ENCODER_H_
