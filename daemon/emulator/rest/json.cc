#include "daemon/emulator/rest/json.h"

#include <algorithm>

#include "daemon/emulator/decisions.h"
#include "daemon/wire/markup.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

template <typename T>
json::value OrNull(const std::optional<T>& value) {
  return value ? json::value_from(*value) : json::value(nullptr);
}

json::value EncodeText(const MessageRecord& record) {
  if (!record.markup.empty()) return json::string(record.markup);
  for (const wire::ContentBlock& block : record.message.content) {
    if (block.kind == wire::ContentBlock::Kind::kText) {
      return json::string(wire::MarkupOf(block.children));
    }
  }
  return nullptr;
}

json::value EncodeAttachment(const wire::Message& message) {
  for (const wire::ContentBlock& block : message.content) {
    if (block.kind != wire::ContentBlock::Kind::kFile) continue;
    const wire::FileBlock& file = block.file;
    json::object attachment{{"url", file.url}, {"size", file.size}};
    if (!file.filename.empty()) attachment["filename"] = file.filename;
    if (!file.subtype.empty()) attachment["subtype"] = file.subtype;
    if (file.width) attachment["width"] = *file.width;
    if (file.height) attachment["height"] = *file.height;
    if (file.duration) attachment["duration"] = *file.duration;
    return attachment;
  }
  return nullptr;
}

json::value EncodeLocation(const wire::Message& message) {
  for (const wire::ContentBlock& block : message.content) {
    if (block.kind == wire::ContentBlock::Kind::kLocation) {
      return json::array{block.latitude, block.longitude};
    }
  }
  return nullptr;
}

json::object EncodeReactions(const MessageRecord& record) {
  json::object reactions;
  for (const auto& [emoji, uses] : record.reactions) {
    reactions[emoji] = json::object{{"count", uses.users.size()}, {"createdAt", uses.created_at}};
  }
  return reactions;
}

json::object EncodeParticipants(const ConversationRecord& conversation) {
  json::object participants;
  for (const auto& [id, participant] : conversation.participants) {
    const bool unread = participant.unread > 0 || participant.marked_unread;
    participants[id] = json::object{{"access", wire::EncodeAccess(participant.access)},
                                    {"notify", wire::EncodeNotify(participant.notify)},
                                    {"isUnread", unread},
                                    {"joinedAt", participant.joined_at},
                                    {"readUntil", participant.read_until}};
  }
  return participants;
}

json::value EveryoneReadUntil(const ConversationRecord& conversation) {
  if (conversation.participants.empty()) return nullptr;
  return World::SideOf(conversation, conversation.participants.begin()->second).everyone_read_until;
}

}  // namespace

json::object EncodeRestUser(const UserRecord& user) {
  json::object tokens;
  for (const std::string& token : user.push_tokens) tokens[token] = true;
  json::object out = wire::EncodeUser(user.shown);
  out["email"] = OrNull(user.email);
  out["phone"] = OrNull(user.phone);
  out["availabilityText"] = OrNull(user.availability_text);
  out["pushTokens"] = tokens.empty() ? json::value(nullptr) : json::value(std::move(tokens));
  out["createdAt"] = user.created_at;
  return out;
}

json::object EncodeRestMessage(const World& world, const ConversationRecord& conversation,
                               const MessageRecord& record) {
  const wire::Message message = world.MessageFor("", record);
  json::array readers;
  if (conversation.participants.size() <= kMaxParticipantsWithReadBy) {
    for (const std::string& reader : World::ReadersOf(conversation, record)) {
      readers.emplace_back(reader);
    }
  }
  return json::object{{"id", message.id},
                      {"conversationId", conversation.id},
                      {"type", message.is_system ? "SystemMessage" : "UserMessage"},
                      {"senderId", OrNull(message.sender_id)},
                      {"text", EncodeText(record)},
                      {"attachment", EncodeAttachment(message)},
                      {"location", EncodeLocation(message)},
                      {"origin", message.origin},
                      {"readBy", std::move(readers)},
                      {"custom", wire::EncodeCustom(message.custom)},
                      {"referencedMessageId", OrNull(message.referenced_message_id)},
                      {"createdAt", message.created_at},
                      {"editedAt", OrNull(message.edited_at)},
                      {"reactions", EncodeReactions(record)}};
}

json::object EncodeRestConversation(const World& world, const ConversationRecord& conversation) {
  json::object out{{"id", conversation.id},
                   {"subject", OrNull(conversation.subject)},
                   {"photoUrl", OrNull(conversation.photo_url)},
                   {"welcomeMessages", nullptr},
                   {"custom", wire::EncodeCustom(conversation.custom)},
                   {"topicId", nullptr},
                   {"createdAt", conversation.created_at},
                   {"lastMessage", nullptr},
                   {"participants", EncodeParticipants(conversation)},
                   {"everyoneReadUntil", EveryoneReadUntil(conversation)}};
  if (!conversation.welcome_messages.empty()) {
    out["welcomeMessages"] = json::value_from(conversation.welcome_messages);
  }
  if (!conversation.messages.empty()) {
    out["lastMessage"] =
        EncodeRestMessage(world, conversation, conversation.messages.rbegin()->second);
  }
  return out;
}

json::object EncodeRestSide(const World& world, const ConversationRecord& conversation,
                            const ParticipantRecord& participant) {
  const wire::Conversation side = World::SideOf(conversation, participant);
  json::object out = EncodeRestConversation(world, conversation);
  out["unreadMessageCount"] = side.unread_message_count;
  out["isUnread"] = side.is_unread;
  out["access"] = wire::EncodeAccess(side.access);
  out["notify"] = wire::EncodeNotify(side.notify);
  out["joinedAt"] = side.joined_at;
  out["readUntil"] = side.read_until;
  out["lastMessageAt"] = side.last_message_at;
  return out;
}

}  // namespace talkjsd::emulator
