// What events say about a change (realtime.md section 7): absent properties are unchanged.
#include "daemon/wire/json_reader.h"

namespace talkjsd::wire {
namespace {

using ReactionDiffs = std::map<std::string, std::optional<ReactionDiff>>;

json::value EncodePlain(const ReactionDiffs& reactions);
json::value EncodePlain(const std::string& value) { return json::value(value); }
json::value EncodePlain(int64_t value) { return value; }
json::value EncodePlain(bool value) { return value; }
json::value EncodePlain(Access value) { return EncodeAccess(value); }
json::value EncodePlain(Notify value) { return EncodeNotify(value); }
json::value EncodePlain(const std::vector<std::string>& value) { return json::value_from(value); }
json::value EncodePlain(const std::vector<ContentBlock>& value) { return EncodeContent(value); }

json::value EncodePlain(const CustomPatch& patch) {
  json::object out;
  for (const auto& [key, value] : patch) {
    out[key] = value ? json::value(*value) : json::value(nullptr);
  }
  return out;
}

template <typename T>
void Put(json::object& out, std::string_view name, const std::optional<T>& value) {
  if (value) out[name] = EncodePlain(*value);
}

template <typename T>
void Put(json::object& out, std::string_view name, const Patch<T>& patch) {
  if (patch.present) out[name] = patch.value ? EncodePlain(*patch.value) : json::value(nullptr);
}

json::value EncodePlain(const ReactionDiff& diff) {
  json::object out;
  Put(out, "count", diff.count);
  Put(out, "createdAt", diff.created_at);
  Put(out, "currentUserReacted", diff.current_user_reacted);
  return out;
}

json::value EncodePlain(const ReactionDiffs& reactions) {
  json::object out;
  for (const auto& [emoji, diff] : reactions) {
    out[emoji] = diff ? EncodePlain(*diff) : json::value(nullptr);
  }
  return out;
}

}  // namespace

absl::Status ReadValue(const json::value& value, UserDiff& out) {
  ObjectReader reader(value);
  reader.IfPresent("name", out.name);
  reader.ReadPatch("locale", out.locale);
  reader.ReadPatch("photoUrl", out.photo_url);
  reader.IfPresent("role", out.role);
  reader.ReadPatch("welcomeMessage", out.welcome_message);
  reader.ReadPatch("custom", out.custom);
  return reader.status();
}

absl::Status ReadValue(const json::value& value, ConversationDiff& out) {
  ObjectReader reader(value);
  reader.ReadPatch("subject", out.subject);
  reader.ReadPatch("photoUrl", out.photo_url);
  reader.ReadPatch("welcomeMessages", out.welcome_messages);
  reader.ReadPatch("custom", out.custom);
  reader.IfPresent("lastMessageAt", out.last_message_at);
  reader.IfPresent("unreadMessageCount", out.unread_message_count);
  reader.IfPresent("isUnread", out.is_unread);
  reader.IfPresent("access", out.access);
  reader.IfPresent("notify", out.notify);
  reader.IfPresent("readUntil", out.read_until);
  reader.IfPresent("everyoneReadUntil", out.everyone_read_until);
  return reader.status();
}

absl::Status ReadValue(const json::value& value, ReactionDiff& out) {
  ObjectReader reader(value);
  reader.IfPresent("count", out.count);
  reader.IfPresent("createdAt", out.created_at);
  reader.IfPresent("currentUserReacted", out.current_user_reacted);
  return reader.status();
}

absl::Status ReadValue(const json::value& value, MessageDiff& out) {
  ObjectReader reader(value);
  reader.IfPresent("content", out.content);
  reader.ReadPatch("editedAt", out.edited_at);
  reader.ReadPatch("custom", out.custom);
  reader.ReadPatch("reactions", out.reactions);
  return reader.status();
}

absl::StatusOr<UserDiff> DecodeUserDiff(const json::value& value) {
  return Decode<UserDiff>(value);
}

absl::StatusOr<ConversationDiff> DecodeConversationDiff(const json::value& value) {
  return Decode<ConversationDiff>(value);
}

absl::StatusOr<MessageDiff> DecodeMessageDiff(const json::value& value) {
  return Decode<MessageDiff>(value);
}

absl::StatusOr<Patch<CustomPatch>> DecodeCustomPatch(const json::value& value) {
  Patch<CustomPatch> out;
  out.present = true;
  if (absl::Status status = ReadValue(value, out.value); !status.ok()) return status;
  return out;
}

json::object EncodeUserDiff(const UserDiff& diff) {
  json::object out;
  Put(out, "name", diff.name);
  Put(out, "custom", diff.custom);
  Put(out, "locale", diff.locale);
  Put(out, "photoUrl", diff.photo_url);
  Put(out, "role", diff.role);
  Put(out, "welcomeMessage", diff.welcome_message);
  return out;
}

json::object EncodeConversationDiff(const ConversationDiff& diff) {
  json::object out;
  Put(out, "subject", diff.subject);
  Put(out, "photoUrl", diff.photo_url);
  Put(out, "welcomeMessages", diff.welcome_messages);
  Put(out, "custom", diff.custom);
  Put(out, "lastMessageAt", diff.last_message_at);
  Put(out, "unreadMessageCount", diff.unread_message_count);
  Put(out, "isUnread", diff.is_unread);
  Put(out, "access", diff.access);
  Put(out, "notify", diff.notify);
  Put(out, "readUntil", diff.read_until);
  Put(out, "everyoneReadUntil", diff.everyone_read_until);
  return out;
}

json::object EncodeMessageDiff(const MessageDiff& diff) {
  json::object out;
  Put(out, "custom", diff.custom);
  Put(out, "editedAt", diff.edited_at);
  Put(out, "content", diff.content);
  Put(out, "reactions", diff.reactions);
  return out;
}

}  // namespace talkjsd::wire
