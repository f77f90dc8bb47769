#include "daemon/emulator/store/record_json.h"

#include <algorithm>
#include <iterator>

#include "daemon/emulator/model/content.h"
#include "daemon/emulator/model/emoji.h"
#include "daemon/emulator/model/world.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/markup.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

template <typename Texts>
json::array EncodeTexts(const Texts& texts) {
  return json::array(texts.begin(), texts.end());
}

json::object EncodeReactions(const std::map<std::string, EmojiRecord>& reactions) {
  json::object all;
  for (const auto& [emoji, uses] : reactions) {
    json::array users;
    for (const ReactionRecord& one : uses.users) {
      users.push_back(json::object{{"userId", one.user_id}, {"createdAt", one.created_at}});
    }
    all[emoji] = json::object{{"createdAt", uses.created_at}, {"users", std::move(users)}};
  }
  return all;
}

void ReadPushTokens(ObjectReader& reader, std::set<std::string>& tokens) {
  const json::value* value = reader.Take("pushTokens");
  if (value == nullptr) return;
  tokens.clear();
  if (value->is_null()) return;
  constexpr std::string_view kExpected = "an object of \"fcm:...\" or \"apns:...\" with true";
  if (!value->is_object()) return reader.Fail("pushTokens", kExpected);
  for (const auto& entry : value->get_object()) {
    const std::string token(entry.key());
    const bool known = token.starts_with("fcm:") || token.starts_with("apns:");
    if (!known || entry.value() != json::value(true)) return reader.Fail("pushTokens", kExpected);
    tokens.insert(token);
  }
}

absl::StatusOr<wire::Access> DecodeAccess(const json::value& value) {
  return value.is_null() ? wire::Access::kReadWrite : wire::DecodeAccess(value);
}

absl::StatusOr<wire::Notify> DecodeNotify(const json::value& value) {
  return value.is_null() ? wire::Notify::kOn : wire::DecodeNotify(value);
}

// --- messages ---

void ReadContent(ObjectReader& reader, std::vector<wire::ContentBlock>& content,
                 std::string& markup) {
  std::string text;
  const bool has_text = reader.Take("text") != nullptr;
  reader.Text("text", text);
  const json::value* value = reader.Take("content");
  if (!reader.ok()) return;
  if (has_text && value != nullptr) return reader.Fail("content", "either text or content");
  if (has_text && text.empty()) return reader.Fail("text", "text that is not empty");
  if (has_text) {
    content.assign(1, wire::ContentBlock());
    content.front().children = wire::ParseMarkup(text, wire::MarkupMode::kFull);
    markup = std::move(text);
  }
  if (value == nullptr) {
    if (content.empty()) reader.Fail("text", "text, or a list of blocks as content");
    return;
  }
  auto blocks = wire::DecodeContent(*value);
  const Place place(reader.place(), "content");
  if (!blocks.ok()) return reader.Fail(place.Wrong(std::string(blocks.status().message())));
  if (HasUnknownKind(*blocks)) return reader.Fail(place.Wrong("unknown type of block or node"));
  if (blocks->empty()) return reader.Fail("content", "at least one block");
  content = *std::move(blocks);
  markup.clear();
  reader.Text("markup", markup);
}

absl::Status ReadReactionUser(const json::value& value, const Place& place,
                              ReactionRecord& reaction) {
  if (value.is_string()) {
    reaction.user_id = std::string(value.get_string());
    return absl::OkStatus();
  }
  ObjectReader reader(value, place);
  reader.Text("userId", reaction.user_id);
  reader.Number("createdAt", reaction.created_at);
  return reader.Finish();
}

// A list of users, or {"createdAt", "users": list}; a user is his id, or {"userId", "createdAt"}.
absl::Status ReadUses(const json::value& value, const Place& place, UnixMillis sent,
                      EmojiRecord& uses) {
  const json::value* list = &value;
  std::optional<UnixMillis> created_at;
  if (value.is_object()) {
    ObjectReader reader(value, place);
    reader.Number("createdAt", created_at);
    list = reader.Take("users");
    if (absl::Status status = reader.Finish(); !status.ok()) return status;
  }
  if (list == nullptr || !list->is_array() || list->get_array().empty()) {
    return place.Wrong("expected a list of users");
  }
  for (const json::value& item : list->get_array()) {
    ReactionRecord reaction;
    reaction.created_at = uses.users.empty() ? sent : uses.users.back().created_at;
    const Place item_place(place, uses.users.size());
    absl::Status status = ReadReactionUser(item, item_place, reaction);
    if (!status.ok()) return status;
    const bool twice =
        std::any_of(uses.users.begin(), uses.users.end(),
                    [&](const ReactionRecord& one) { return one.user_id == reaction.user_id; });
    if (twice) return item_place.Wrong("the same user again");
    uses.users.push_back(std::move(reaction));
  }
  uses.created_at = created_at.value_or(uses.users.front().created_at);
  return absl::OkStatus();
}

void ReadReactions(ObjectReader& reader, MessageRecord& record) {
  const json::value* value = reader.Take("reactions");
  if (value == nullptr) return;
  record.reactions.clear();
  if (value->is_null()) return;
  if (!value->is_object()) return reader.Fail("reactions", "an object of emoji");
  const Place place(reader.place(), "reactions");
  for (const json::key_value_pair& entry : value->get_object()) {
    const std::string emoji(entry.key());
    const Place emoji_place(place, emoji);
    if (!IsReactionName(emoji)) return reader.Fail(emoji_place.Wrong("not an emoji"));
    EmojiRecord uses;
    absl::Status status = ReadUses(entry.value(), emoji_place, record.key.created_at, uses);
    if (!status.ok()) return reader.Fail(std::move(status));
    record.reactions[NormalizeEmoji(emoji)] = std::move(uses);
  }
}

// --- read marks ---

MessageKey NewestUntil(const ConversationRecord& conversation, UnixMillis time) {
  const auto behind = conversation.messages.upper_bound({time, UINT64_MAX});
  return behind == conversation.messages.begin() ? MessageKey() : std::prev(behind)->first;
}

bool IsBy(const MessageRecord& record, const std::string& user_id) {
  return record.message.sender_id == user_id;
}

// Everything read but the newest `unread` messages of others.
MessageKey AllBut(const ConversationRecord& conversation, const std::string& user_id,
                  int64_t unread) {
  auto position = conversation.messages.end();
  while (position != conversation.messages.begin()) {
    --position;
    if (!IsBy(position->second, user_id) && unread-- == 0) return position->first;
  }
  return MessageKey();
}

MessageKey DefaultPosition(const ConversationRecord& conversation,
                           const ParticipantRecord& participant) {
  const MessageKey floor =
      std::max(participant.read_position, NewestUntil(conversation, participant.joined_at));
  auto position = conversation.messages.end();
  while (position != conversation.messages.begin()) {
    --position;
    if (position->first <= floor) break;
    if (IsBy(position->second, participant.user_id)) return position->first;
  }
  return floor;
}

int64_t UnreadBehind(const ConversationRecord& conversation, const ParticipantRecord& participant) {
  const auto first = conversation.messages.upper_bound(participant.read_position);
  return std::count_if(first, conversation.messages.end(), [&](const auto& entry) {
    return World::IsUnread(entry.second, participant);
  });
}

}  // namespace

// --- encoding ---

json::object EncodeRecord(const UserRecord& user) {
  json::object out = wire::EncodeUser(user.shown);
  out.erase("id");
  if (user.email) out["email"] = EncodeTexts(*user.email);
  if (user.phone) out["phone"] = EncodeTexts(*user.phone);
  json::object tokens;
  for (const std::string& token : user.push_tokens) tokens[token] = true;
  if (!tokens.empty()) out["pushTokens"] = std::move(tokens);
  if (user.availability_text) out["availabilityText"] = *user.availability_text;
  out["createdAt"] = user.created_at;
  return out;
}

json::object EncodeAttributes(const ConversationRecord& conversation) {
  json::object out;
  out["createdAt"] = conversation.created_at;
  if (conversation.subject) out["subject"] = *conversation.subject;
  if (conversation.photo_url) out["photoUrl"] = *conversation.photo_url;
  if (!conversation.welcome_messages.empty()) {
    out["welcomeMessages"] = EncodeTexts(conversation.welcome_messages);
  }
  if (!conversation.custom.empty()) out["custom"] = wire::EncodeCustom(conversation.custom);
  out["lastJoinedAt"] = conversation.last_joined_at;
  return out;
}

json::object EncodeSide(const ConversationRecord& conversation,
                        const ParticipantRecord& participant) {
  json::object out{{"access", wire::EncodeAccess(participant.access)},
                   {"notify", wire::EncodeNotify(participant.notify)},
                   {"joinedAt", participant.joined_at},
                   {"readUntil", participant.read_until},
                   {"readTo", nullptr},
                   {"unreadMessageCount", participant.unread},
                   {"markedUnread", participant.marked_unread}};
  const auto behind = conversation.messages.upper_bound(participant.read_position);
  if (behind != conversation.messages.begin()) {
    out["readTo"] = std::prev(behind)->second.message.id;
  }
  return out;
}

json::object EncodeRecord(const MessageRecord& record) {
  json::object out = wire::EncodeMessage(record.message);
  out["reactions"] = EncodeReactions(record.reactions);
  if (!record.markup.empty()) out["markup"] = record.markup;
  if (!record.read_by.empty()) out["readBy"] = EncodeTexts(record.read_by);
  return out;
}

json::object EncodeShutOut(const ConversationRecord& conversation) {
  json::object sides;
  for (const auto& [user_id, side] : conversation.shut_out) {
    sides[user_id] = EncodeSide(conversation, side);
  }
  return sides;
}

json::object EncodeRecord(const ConversationRecord& conversation) {
  json::object out = EncodeAttributes(conversation);
  json::object participants;
  for (const auto& [user_id, participant] : conversation.participants) {
    participants[user_id] = EncodeSide(conversation, participant);
  }
  json::array messages;
  for (const auto& [key, record] : conversation.messages) messages.push_back(EncodeRecord(record));
  out["participants"] = std::move(participants);
  if (!conversation.shut_out.empty()) out["shutOut"] = EncodeShutOut(conversation);
  out["messages"] = std::move(messages);
  return out;
}

json::object EncodeRecord(const SentRecord& record) {
  return json::object{{"userId", record.user_id},
                      {"idempotencyKey", record.idempotency_key},
                      {"messageId", record.message_id},
                      {"sentAt", record.sent_at}};
}

// --- decoding ---

absl::Status ReadRecord(const json::value& value, const Place& place, UserRecord& user) {
  ObjectReader reader(value, place);
  reader.Text("name", user.shown.name);
  reader.Custom(user.shown.custom);
  reader.Text("locale", user.shown.locale);
  reader.Text("photoUrl", user.shown.photo_url);
  std::optional<std::string> role = user.shown.role;
  reader.Text("role", role);
  user.shown.role = std::move(role).value_or("default");
  reader.Text("welcomeMessage", user.shown.welcome_message);
  reader.Texts("email", user.email);
  reader.Texts("phone", user.phone);
  ReadPushTokens(reader, user.push_tokens);
  reader.Text("availabilityText", user.availability_text);
  reader.Number("createdAt", user.created_at);
  return reader.Finish();
}

void ReadAttributes(ObjectReader& reader, ConversationRecord& conversation) {
  reader.Number("createdAt", conversation.created_at);
  reader.Text("subject", conversation.subject);
  reader.Text("photoUrl", conversation.photo_url);
  reader.Texts("welcomeMessages", conversation.welcome_messages);
  reader.Custom(conversation.custom);
  reader.Number("lastJoinedAt", conversation.last_joined_at);
}

absl::Status ReadRecord(const json::value& value, const Place& place, MessageRecord& record) {
  ObjectReader reader(value, place);
  wire::Message& message = record.message;
  std::string type = message.is_system ? "SystemMessage" : "UserMessage";
  reader.Text("id", message.id);
  reader.Text("type", type);
  reader.Text("senderId", message.sender_id);
  reader.Custom(message.custom);
  reader.Number("createdAt", record.key.created_at);
  reader.Number("editedAt", message.edited_at);
  reader.Text("referencedMessageId", message.referenced_message_id);
  reader.Text("origin", message.origin);
  ReadContent(reader, message.content, record.markup);
  ReadReactions(reader, record);
  std::vector<std::string> readers(record.read_by.begin(), record.read_by.end());
  reader.Texts("readBy", readers);
  record.read_by = {readers.begin(), readers.end()};
  message.created_at = record.key.created_at;
  message.is_system = type == "SystemMessage";
  if (reader.ok() && !message.is_system && type != "UserMessage") {
    reader.Fail("type", "\"UserMessage\" or \"SystemMessage\"");
  }
  if (reader.ok() && message.is_system == message.sender_id.has_value()) {
    reader.Fail("senderId", message.is_system ? "none for a system message" : "a user's id");
  }
  return reader.Finish();
}

absl::Status ReadRecord(const json::value& value, const Place& place, SentRecord& record) {
  ObjectReader reader(value, place);
  reader.Text("userId", record.user_id);
  reader.Text("idempotencyKey", record.idempotency_key);
  reader.Text("messageId", record.message_id);
  reader.Number("sentAt", record.sent_at);
  return reader.Finish();
}

absl::Status ReadSide(const json::value& value, const Place& place, ParticipantRecord& participant,
                      ReadMarks& marks) {
  ObjectReader reader(value, place);
  reader.Decoded("access", participant.access, DecodeAccess, "\"ReadWrite\" or \"Read\"");
  reader.Decoded("notify", participant.notify, DecodeNotify, "true, false or \"MentionsOnly\"");
  reader.Number("joinedAt", participant.joined_at);
  marks.has_read_to = reader.Take("readTo") != nullptr;
  reader.Text("readTo", marks.read_to);
  reader.Number("readUntil", marks.read_until);
  reader.Number("unreadMessageCount", marks.unread);
  reader.Flag("markedUnread", participant.marked_unread);
  return reader.Finish();
}

MessageKeys KeysOf(const ConversationRecord& conversation) {
  MessageKeys keys;
  for (const auto& [key, record] : conversation.messages) keys[record.message.id] = key;
  return keys;
}

absl::Status ApplyMarks(const ConversationRecord& conversation, const MessageKeys& keys,
                        const ReadMarks& marks, const Place& place,
                        ParticipantRecord& participant) {
  MessageKey position;
  if (marks.has_read_to) {
    if (marks.read_to) {
      const auto found = keys.find(*marks.read_to);
      if (found == keys.end()) {
        return Place(place, "readTo").Wrong("this conversation has no such message");
      }
      position = found->second;
    }
  } else if (marks.read_until) {
    position = NewestUntil(conversation, *marks.read_until);
  } else if (marks.unread) {
    position = AllBut(conversation, participant.user_id, *marks.unread);
  } else {
    position = DefaultPosition(conversation, participant);
  }
  participant.read_position = position;
  participant.read_until = marks.read_until.value_or(
      std::max({participant.read_until, participant.joined_at, position.created_at}));
  participant.unread = marks.unread ? *marks.unread : UnreadBehind(conversation, participant);
  if (participant.unread > static_cast<int64_t>(conversation.messages.size())) {
    return Place(place, "unreadMessageCount").Wrong("there are not so many messages");
  }
  return absl::OkStatus();
}

absl::Status ReadShutOut(const json::value& value, const Place& place,
                         ConversationRecord& conversation) {
  if (!value.is_object()) return place.Wrong("expected an object, by user id");
  const MessageKeys keys = KeysOf(conversation);
  for (const json::key_value_pair& entry : value.get_object()) {
    const std::string user_id(entry.key());
    const Place here(place, user_id);
    ParticipantRecord& side = conversation.shut_out[user_id];
    side.user_id = user_id;
    if (side.joined_at == 0) side.joined_at = conversation.created_at;
    ReadMarks marks;
    absl::Status status = ReadSide(entry.value(), here, side, marks);
    if (status.ok()) status = ApplyMarks(conversation, keys, marks, here, side);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace talkjsd::emulator
