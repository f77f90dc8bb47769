// TalkJS's calls over the realtime connection, each written once (realtime.md section 6).
//
// A builder returns the Request; the matching Parse function turns the Reply into a value or into
// the canonical error with its reason.
#ifndef TALKJSD_UPSTREAM_CALL_H_
#define TALKJSD_UPSTREAM_CALL_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/secret.h"
#include "daemon/wire/types.h"

namespace boost::json {
class value;
}

namespace talkjsd::upstream {

struct Request {
  std::string method;
  std::string path;         // encoded
  std::string data = "{}";  // JSON object as text
};

// An answer of TalkJS, of any status that is final (realtime.md 3.5).
struct Reply {
  int status = 0;
  std::shared_ptr<const boost::json::value> data;
};

// UNAVAILABLE (UPSTREAM_UNAVAILABLE): it may work later.
absl::Status UpstreamUnavailable(std::string_view message);

template <typename T>
struct Page {
  std::vector<T> items;
  std::optional<std::string> cursor;  // nullopt: the list ends here
};

// --- conversations ---

enum class ConversationFilter { kAll, kUnreadOnly };
// First page, newest activity first. `limit` 1 to 30.
Request ListConversations(int limit, ConversationFilter filter);
Request ListConversationsAfter(int limit, std::string_view cursor);
// A user that does not exist has no conversations.
absl::StatusOr<Page<wire::Conversation>> ParseConversations(const Reply& reply);

Request GetConversation(std::string_view conversation_id);
// nullopt: it does not exist, or the session's user is not in it.
absl::StatusOr<std::optional<wire::Conversation>> ParseConversation(const Reply& reply);

Request MarkRead(std::string_view conversation_id);
Request MarkUnread(std::string_view conversation_id);
Request CreateConversation(std::string_view conversation_id);
Request JoinConversation(std::string_view conversation_id, std::string_view user_id);

// Fields of a conversation to write; absent leaves TalkJS's value alone.
struct ConversationWrite {
  wire::Patch<std::string> subject;
  wire::Patch<std::string> photo_url;
  wire::Patch<std::vector<std::string>> welcome_messages;
  wire::Patch<wire::CustomPatch> custom;
  friend bool operator==(const ConversationWrite&, const ConversationWrite&) = default;
};
// Creates or updates.
Request SetConversation(std::string_view conversation_id, const ConversationWrite& write);
// That one may not edit an existing conversation is no error where nothing was to be edited.
absl::Status ParseConversationSet(const Reply& reply, const ConversationWrite& write);

struct ParticipantWrite {
  std::string user_id;
  std::optional<wire::Access> access;  // nullopt: unchanged
  std::optional<wire::Notify> notify;
};
// Adds or updates 1 to 100 participants, in their order.
Request SetParticipants(std::string_view conversation_id,
                        const std::vector<ParticipantWrite>& participants);
// The first refusal names its user. That one may not edit participants is no error for one of whom
// nothing was to be edited.
absl::Status ParseParticipantsSet(const Reply& reply,
                                  const std::vector<ParticipantWrite>& participants);

// --- messages ---

// Newest first. `limit` 1 to 100; `cursor` empty for the first page.
Request ListMessages(std::string_view conversation_id, int limit, std::string_view cursor);
// nullopt: the conversation does not exist, or the session's user is not in it.
absl::StatusOr<std::optional<Page<wire::Message>>> ParseMessages(const Reply& reply);

Request GetMessage(std::string_view conversation_id, std::string_view message_id);
// nullopt: it does not exist any more, or the session's user is not in the conversation.
absl::StatusOr<std::optional<wire::Message>> ParseMessage(const Reply& reply);

struct OutgoingMessage {
  std::vector<wire::ContentBlock> content;
  wire::CustomMap custom;
  std::optional<std::string> referenced_message_id;
  std::string idempotency_key;
};
Request SendMessage(std::string_view conversation_id, const OutgoingMessage& message);
// The message's id.
absl::StatusOr<std::string> ParseSentMessage(const Reply& reply);

// --- users ---

// At most 1,000 ids.
Request GetUsers(const std::vector<std::string>& ids);
// Users that exist.
absl::StatusOr<std::map<std::string, wire::User>> ParseUsers(const Reply& reply);

// Fields of a user to write; absent leaves TalkJS's value alone.
struct UserWrite {
  std::optional<std::string> name;
  wire::Patch<wire::CustomPatch> custom;
  wire::Patch<std::string> locale;
  wire::Patch<std::string> photo_url;
  wire::Patch<std::string> role;
  wire::Patch<std::string> welcome_message;
  wire::Patch<std::vector<std::string>> email;
  wire::Patch<std::vector<std::string>> phone;
  friend bool operator==(const UserWrite&, const UserWrite&) = default;
};
// Creates or updates.
Request SetUser(std::string_view user_id, const UserWrite& user);

// A device that TalkJS notifies.
enum class PushProvider { kFcm, kApns };
struct PushDevice {
  PushProvider provider = PushProvider::kFcm;
  Secret registration_id;
  friend bool operator==(const PushDevice&, const PushDevice&) = default;
};
// Has TalkJS notify the device, or no longer.
Request SetPushDevice(std::string_view user_id, const PushDevice& device, bool registered);
// No device of the user any more.
Request ClearPushDevices(std::string_view user_id);

// --- answers without a value ---

// OK for 200; otherwise the canonical error with a reason, naming TalkJS's own words. `what` is the
// operation in words
// ("sending the message"). A status in `also_ok` counts as success.
absl::Status ParseDone(const Reply& reply, std::string_view what, int also_ok = 200);
// The outcome of the one action of JoinConversation; "already in" is success.
absl::Status ParseJoined(const Reply& reply);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_CALL_H_
