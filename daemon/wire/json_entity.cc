// Users, conversations, participants and messages (realtime.md 8.1-8.4).
//
// What names an entity or orders it must be there; a nullable property or a collection that is
// absent counts as empty.
#include "daemon/wire/json_reader.h"

namespace talkjsd::wire {
namespace {

template <typename T>
json::value OrNull(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

json::object EncodeReactions(const std::map<std::string, Reaction>& reactions) {
  json::object out;
  for (const auto& [emoji, reaction] : reactions) {
    out[emoji] = json::object{{"count", reaction.count},
                              {"createdAt", reaction.created_at},
                              {"currentUserReacted", reaction.current_user_reacted}};
  }
  return out;
}

absl::Status ReadParticipant(const json::value& value, Participant& out) {
  ObjectReader reader(value);
  reader.Required("id", out.id);
  reader.Required("access", out.access);
  reader.Required("notify", out.notify);
  reader.Required("joinedAt", out.joined_at);
  return reader.status();
}

}  // namespace

absl::Status ReadValue(const json::value& value, User& out) {
  ObjectReader reader(value);
  reader.Required("id", out.id);
  reader.Required("name", out.name);
  reader.OrDefault("custom", out.custom);
  reader.OrDefault("locale", out.locale);
  reader.OrDefault("photoUrl", out.photo_url);
  reader.OrDefault("role", out.role);
  reader.OrDefault("welcomeMessage", out.welcome_message);
  return reader.status();
}

absl::Status ReadValue(const json::value& value, Conversation& out) {
  ObjectReader reader(value);
  reader.Required("id", out.id);
  reader.Required("createdAt", out.created_at);
  reader.OrDefault("subject", out.subject);
  reader.OrDefault("photoUrl", out.photo_url);
  reader.OrDefault("welcomeMessages", out.welcome_messages);
  reader.OrDefault("custom", out.custom);
  reader.Required("lastMessageAt", out.last_message_at);
  reader.Required("unreadMessageCount", out.unread_message_count);
  reader.Required("isUnread", out.is_unread);
  reader.Required("access", out.access);
  reader.Required("notify", out.notify);
  reader.Required("readUntil", out.read_until);
  reader.Required("everyoneReadUntil", out.everyone_read_until);
  reader.Required("joinedAt", out.joined_at);
  return reader.status();
}

absl::Status ReadValue(const json::value& value, Reaction& out) {
  ObjectReader reader(value);
  reader.Required("count", out.count);
  reader.Required("createdAt", out.created_at);
  reader.Required("currentUserReacted", out.current_user_reacted);
  return reader.status();
}

absl::Status ReadValue(const json::value& value, Message& out) {
  ObjectReader reader(value);
  std::string type;
  reader.Required("id", out.id);
  reader.Required("type", type);
  reader.OrDefault("senderId", out.sender_id);
  reader.OrDefault("custom", out.custom);
  reader.Required("createdAt", out.created_at);
  reader.OrDefault("editedAt", out.edited_at);
  reader.OrDefault("referencedMessageId", out.referenced_message_id);
  reader.OrDefault("origin", out.origin);
  reader.Required("content", out.content);
  reader.OrDefault("reactions", out.reactions);
  if (!reader.status().ok()) return reader.status();
  out.is_system = type == "SystemMessage";
  if (!out.is_system && type != "UserMessage") {
    return InProperty("type", TypeError("neither \"UserMessage\" nor \"SystemMessage\""));
  }
  return absl::OkStatus();
}

absl::StatusOr<User> DecodeUser(const json::value& value) { return Decode<User>(value); }

absl::StatusOr<Conversation> DecodeConversation(const json::value& value) {
  return Decode<Conversation>(value);
}

absl::StatusOr<Participant> DecodeParticipant(const json::value& value) {
  Participant out;
  if (absl::Status status = ReadParticipant(value, out); !status.ok()) return status;
  return out;
}

absl::StatusOr<Message> DecodeMessage(const json::value& value) { return Decode<Message>(value); }

absl::StatusOr<Access> DecodeAccess(const json::value& value) { return Decode<Access>(value); }

absl::StatusOr<Notify> DecodeNotify(const json::value& value) { return Decode<Notify>(value); }

json::object EncodeUser(const User& user) {
  json::object out;
  out["id"] = user.id;
  out["name"] = user.name;
  out["custom"] = EncodeCustom(user.custom);
  out["locale"] = OrNull(user.locale);
  out["photoUrl"] = OrNull(user.photo_url);
  out["role"] = user.role;
  out["welcomeMessage"] = OrNull(user.welcome_message);
  return out;
}

json::object EncodeConversation(const Conversation& conversation) {
  json::object out;
  out["id"] = conversation.id;
  out["createdAt"] = conversation.created_at;
  out["subject"] = OrNull(conversation.subject);
  out["photoUrl"] = OrNull(conversation.photo_url);
  out["welcomeMessages"] = json::value_from(conversation.welcome_messages);
  out["custom"] = EncodeCustom(conversation.custom);
  out["lastMessageAt"] = conversation.last_message_at;
  out["unreadMessageCount"] = conversation.unread_message_count;
  out["isUnread"] = conversation.is_unread;
  out["access"] = EncodeAccess(conversation.access);
  out["notify"] = EncodeNotify(conversation.notify);
  out["readUntil"] = conversation.read_until;
  out["everyoneReadUntil"] = conversation.everyone_read_until;
  out["joinedAt"] = conversation.joined_at;
  return out;
}

json::object EncodeParticipant(const Participant& participant) {
  json::object out;
  out["id"] = participant.id;
  out["access"] = EncodeAccess(participant.access);
  out["notify"] = EncodeNotify(participant.notify);
  out["joinedAt"] = participant.joined_at;
  return out;
}

json::object EncodeMessage(const Message& message) {
  json::object out;
  out["id"] = message.id;
  out["type"] = message.is_system ? "SystemMessage" : "UserMessage";
  out["senderId"] = OrNull(message.sender_id);
  out["custom"] = EncodeCustom(message.custom);
  out["createdAt"] = message.created_at;
  out["editedAt"] = OrNull(message.edited_at);
  out["referencedMessageId"] = OrNull(message.referenced_message_id);
  out["origin"] = message.origin;
  out["content"] = EncodeContent(message.content);
  out["reactions"] = EncodeReactions(message.reactions);
  return out;
}

json::object EncodeCustom(const CustomMap& custom) {
  json::object out;
  for (const auto& [key, value] : custom) out[key] = value;
  return out;
}

json::value EncodeAccess(Access access) {
  return access == Access::kReadWrite ? json::value("ReadWrite") : json::value("Read");
}

json::value EncodeNotify(Notify notify) {
  if (notify == Notify::kMentionsOnly) return "MentionsOnly";
  return notify == Notify::kOn;
}

}  // namespace talkjsd::wire
