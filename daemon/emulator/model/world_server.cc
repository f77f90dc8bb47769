// The part of World that the app's own servers use: on nobody's behalf.
#include <algorithm>

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/world.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace {

// Keys of servers count within a conversation, those of users within the user. The zero byte in
// front keeps the two apart.
std::string ServerKeyOf(const ConversationRecord& conversation, const std::string& key) {
  std::string sent_key;
  sent_key.push_back('\0');
  sent_key.append(conversation.id).push_back('\0');
  return sent_key + key;
}

}  // namespace

// --- looking ---

const ConversationRecord* World::LookUpConversation(std::string_view id) const {
  return FindConversation(id);
}

std::vector<const ConversationRecord*> World::ConversationsOf(std::string_view user_id) const {
  std::vector<const ConversationRecord*> conversations;
  const auto found = conversations_of_.find(std::string(user_id));
  if (found == conversations_of_.end()) return conversations;
  for (const std::string& id : found->second) conversations.push_back(FindConversation(id));
  return conversations;
}

absl::StatusOr<World::EnteredMessage> World::FindAnyMessage(std::string_view conversation_id,
                                                            std::string_view message_id) const {
  ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  const auto found = messages_.find(std::string(message_id));
  if (found == messages_.end() || found->second.conversation_id != conversation_id) {
    return MessageNotFound();
  }
  return EnteredMessage{conversation, &conversation->messages.at(found->second.key)};
}

const MessageRecord* World::LookUpMessage(std::string_view conversation_id,
                                          std::string_view id) const {
  const auto found = FindAnyMessage(conversation_id, id);
  return found.ok() ? found->record : nullptr;
}

bool World::IsTyping(std::string_view user_id) const {
  return std::any_of(typing_ends_.begin(), typing_ends_.end(),
                     [&](const auto& mark) { return mark.second.second == user_id; });
}

std::vector<std::string> World::ReadersOf(const ConversationRecord& conversation,
                                          const MessageRecord& record) {
  std::set<std::string> readers = record.read_by;
  for (const auto& [id, participant] : conversation.participants) {
    if (record.key <= participant.read_position ||
        record.key.created_at <= participant.read_until) {
      readers.insert(id);
    }
  }
  if (record.message.sender_id) readers.erase(*record.message.sender_id);
  return {readers.begin(), readers.end()};
}

// --- conversations and participants ---

absl::Status World::DeleteConversation(std::string_view id) {
  const auto found = conversations_.find(std::string(id));
  if (found == conversations_.end()) return ConversationNotFound();
  const std::unique_ptr<ConversationRecord> conversation = std::move(found->second);
  // A key that led to a message of this conversation may be used again with it.
  const auto is_here = [&](const std::string& message_id) {
    const auto place = messages_.find(message_id);
    return place != messages_.end() && place->second.conversation_id == conversation->id;
  };
  std::erase_if(sent_order_, [&](const std::string& key) {
    const auto sent = sent_.find(key);
    if (!is_here(sent->second.message_id)) return false;
    sent_.erase(sent);
    return true;
  });
  Uninstall(*conversation);
  Tell(ConversationRemoved{*conversation});
  return absl::OkStatus();
}

absl::Status World::ClearConversation(std::string_view id) {
  ConversationRecord* conversation = FindConversation(id);
  if (conversation == nullptr) return ConversationNotFound();
  if (conversation->messages.empty()) return absl::OkStatus();
  std::vector<std::string> message_ids;
  for (const auto& [key, record] : conversation->messages) {
    message_ids.push_back(record.message.id);
    messages_.erase(record.message.id);
  }
  conversation->messages.clear();
  for (auto& [user_id, participant] : conversation->participants) participant.unread = 0;
  Tell(ConversationCleared{*conversation, std::move(message_ids)});
  TellSides(*conversation);
  return absl::OkStatus();
}

absl::Status World::Admit(std::string_view conversation_id, std::string_view user_id, JoinMode mode,
                          const ParticipantWrite& write) {
  ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  if (FindUser(user_id) == nullptr) return UserNotFound();
  // Who is shut out is known here: an update of his access lets him in.
  const bool lets_in =
      write.access.present && conversation->shut_out.contains(std::string(user_id));
  if (mode == JoinMode::kUpdate && lets_in) mode = JoinMode::kCreateOrUpdate;
  return WriteMember(*conversation, user_id, mode, write);
}

absl::Status World::Dismiss(std::string_view conversation_id, std::string_view user_id) {
  ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  const std::string leaver(user_id);
  if (conversation->shut_out.erase(leaver) > 0) Tell(ConversationTouched{*conversation});
  if (conversation->participants.contains(leaver)) RemoveMember(*conversation, leaver);
  return absl::OkStatus();
}

absl::Status World::ShutOut(std::string_view conversation_id, std::string_view user_id) {
  ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  const std::string leaver(user_id);
  const auto found = conversation->participants.find(leaver);
  if (found == conversation->participants.end()) {
    return conversation->shut_out.contains(leaver) ? absl::OkStatus() : ParticipantNotFound();
  }
  conversation->shut_out[leaver] = found->second;
  RemoveMember(*conversation, leaver);
  return absl::OkStatus();
}

// --- reading ---

bool World::IsUnread(const MessageRecord& record, const ParticipantRecord& participant) {
  if (record.message.sender_id == participant.user_id) return false;
  if (record.key <= participant.read_position) return false;
  // What was imported comes with times of its own, on either side of what was read.
  if (record.message.origin != "import") return true;
  return record.key.created_at > participant.read_until &&
         !record.read_by.contains(participant.user_id);
}

void World::CountUnread(const ConversationRecord& conversation, ParticipantRecord& participant) {
  participant.unread = 0;
  const auto& messages = conversation.messages;
  for (auto at = messages.upper_bound(participant.read_position); at != messages.end(); ++at) {
    if (IsUnread(at->second, participant)) ++participant.unread;
  }
}

absl::Status World::SetReadUntil(std::string_view conversation_id, std::string_view user_id,
                                 UnixMillis until) {
  const auto side = Enter(user_id, conversation_id);
  if (!side.ok()) return side.status();
  ParticipantRecord& participant = *side->participant;
  participant.read_until = until;
  participant.read_position = {until, INT64_MAX};
  participant.marked_unread = false;
  CountUnread(*side->conversation, participant);
  Tell(SideTouched{*side->conversation, participant});
  TellSides(*side->conversation);
  return absl::OkStatus();
}

// --- messages ---

absl::Status World::CheckMessage(std::string_view conversation_id,
                                 const ServerMessage& message) const {
  const ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  if (message.sender_id && !conversation->participants.contains(*message.sender_id)) {
    return BadField("sender", "is not a participant of the conversation");
  }
  const auto& target = message.message.referenced_message_id;
  if (!target) return absl::OkStatus();
  const MessageRecord* referenced = LookUpMessage(conversation_id, *target);
  if (referenced == nullptr || referenced->message.is_system) {
    return BadField("referencedMessageId", "is not a user's message in the conversation");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> World::PostMessage(std::string_view conversation_id,
                                               ServerMessage message) {
  ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  const std::string key = message.message.idempotency_key;
  const std::string sent_key = ServerKeyOf(*conversation, key);
  if (!key.empty()) {
    if (const std::string* id = FindSent(sent_key)) return *id;
  }
  if (auto status = CheckMessage(conversation_id, message); !status.ok()) return status;
  const MessageKey place{TimeForMessage(*conversation), next_message_number_++};
  MessageRecord& record = AddMessage(*conversation, place, std::move(message.message));
  record.message.is_system = !message.sender_id;
  record.message.sender_id = std::move(message.sender_id);
  record.message.origin = "rest";
  if (!key.empty()) RememberSent(sent_key, record.message.id);
  AfterSending(*conversation, record);
  return record.message.id;
}

absl::StatusOr<std::string> World::ImportMessage(std::string_view conversation_id,
                                                 ServerMessage message) {
  if (auto status = CheckMessage(conversation_id, message); !status.ok()) return status;
  ConversationRecord& conversation = *FindConversation(conversation_id);
  const MessageKey place{message.created_at, next_message_number_++};
  MessageRecord& record = AddMessage(conversation, place, std::move(message.message));
  record.message.is_system = !message.sender_id;
  record.message.sender_id = std::move(message.sender_id);
  record.message.origin = "import";
  record.read_by = std::move(message.read_by);
  for (auto& [id, participant] : conversation.participants) {
    if (IsUnread(record, participant)) ++participant.unread;
  }
  Tell(MessageImported{conversation, record});
  return record.message.id;
}

absl::Status World::EditAnyMessage(std::string_view conversation_id, std::string_view message_id,
                                   const MessageWrite& write) {
  const auto found = FindAnyMessage(conversation_id, message_id);
  if (found.ok()) Edit(*found, write);
  return found.status();
}

absl::Status World::DeleteAnyMessage(std::string_view conversation_id,
                                     std::string_view message_id) {
  const auto found = FindAnyMessage(conversation_id, message_id);
  if (found.ok()) Delete(*found);
  return found.status();
}

absl::Status World::SetReaction(std::string_view conversation_id, std::string_view message_id,
                                std::string_view emoji, std::string_view user_id, bool present) {
  const auto found = FindAnyMessage(conversation_id, message_id);
  if (!found.ok()) return found.status();
  if (FindUser(user_id) == nullptr) return UserNotFound();
  if (present) return React(*found, user_id, emoji);
  Unreact(*found, user_id, emoji);
  return absl::OkStatus();
}

}  // namespace talkjsd::emulator
