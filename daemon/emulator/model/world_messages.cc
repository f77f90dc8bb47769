// The part of World that deals with messages, reactions and typing.
#include <algorithm>
#include <tuple>

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/world.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/ids.h"

namespace talkjsd::emulator {
namespace {

std::string SentKeyOf(std::string_view user_id, std::string_view idempotency_key) {
  std::string key(user_id);
  key.push_back('\0');
  key.append(idempotency_key);
  return key;
}

SentRecord RecordOf(const std::string& key, const std::string& message_id, UnixMillis sent_at) {
  const size_t separator = key.find('\0');
  return {key.substr(0, separator), key.substr(separator + 1), message_id, sent_at};
}

bool Reacted(const EmojiRecord& uses, std::string_view user_id) {
  return std::any_of(uses.users.begin(), uses.users.end(),
                     [&](const ReactionRecord& one) { return one.user_id == user_id; });
}

}  // namespace

// --- messages ---

std::vector<SentRecord> World::SentKeys() const {
  std::vector<SentRecord> records;
  for (const std::string& key : sent_order_) {
    const SentKey& sent = sent_.at(key);
    records.push_back(RecordOf(key, sent.message_id, sent.sent_at));
  }
  return records;
}

void World::InstallSent(std::vector<SentRecord> records) {
  for (SentRecord& record : records) {
    const std::string key = SentKeyOf(record.user_id, record.idempotency_key);
    if (sent_.contains(key)) continue;
    sent_[key] = {record.message_id, record.sent_at};
    sent_order_.push_back(key);
    Tell(KeyRemembered{std::move(record)});
  }
}

const MessageRecord* World::FindMessage(std::string_view id) const {
  const auto found = messages_.find(std::string(id));
  if (found == messages_.end()) return nullptr;
  const MessagePlace& place = found->second;
  return &conversations_.at(place.conversation_id)->messages.at(place.key);
}

const std::string* World::FindSent(const std::string& key) {
  while (!sent_order_.empty()) {
    const auto oldest = sent_.find(sent_order_.front());
    if (oldest->second.sent_at + kIdempotencyWindow.count() > clock_.WallMillis()) break;
    sent_.erase(oldest);
    sent_order_.pop_front();
  }
  const auto found = sent_.find(key);
  return found == sent_.end() ? nullptr : &found->second.message_id;
}

void World::RememberSent(const std::string& key, const std::string& message_id) {
  const UnixMillis now = clock_.WallMillis();
  sent_[key] = {message_id, now};
  sent_order_.push_back(key);
  Tell(KeyRemembered{RecordOf(key, message_id, now)});
}

UnixMillis World::TimeForMessage(const ConversationRecord& conversation) {
  const UnixMillis now = clock_.WallMillis();
  // A burst of messages or joinings in other conversations may be ahead of the clock: what is sent
  // later is not older, or a list by last activity would leave it where it was.
  const UnixMillis elsewhere = std::min<UnixMillis>(std::max(last_message_at_, last_joined_at_ + 1),
                                                    now + kMaxTimeAhead.count());
  UnixMillis time = std::max({now, elsewhere, conversation.last_joined_at + 1});
  if (!conversation.messages.empty()) {
    time = std::max(time, TimeAfter(conversation.messages.rbegin()->first.created_at));
  }
  last_message_at_ = time;
  return time;
}

absl::StatusOr<std::string> World::SendMessage(std::string_view caller,
                                               std::string_view conversation_id,
                                               NewMessage message) {
  const auto side = Enter(caller, conversation_id);
  if (!side.ok()) return side.status();
  ConversationRecord& conversation = *side->conversation;
  const std::string idempotency_key = message.idempotency_key;
  const std::string sent_key = SentKeyOf(caller, idempotency_key);
  if (!idempotency_key.empty()) {
    if (const std::string* id = FindSent(sent_key)) return *id;
  }
  if (side->participant->access == wire::Access::kRead) {
    return Refuse(403, "UNAUTHORIZED_TO_SEND", "read-only access");
  }
  if (message.referenced_message_id) {
    const auto target = messages_.find(*message.referenced_message_id);
    if (target == messages_.end() || target->second.conversation_id != conversation.id) {
      return MessageNotFound();
    }
    if (conversation.messages.at(target->second.key).message.is_system) {
      return BadField("referencedMessageId", "nobody can reply to a system message");
    }
  }
  const MessageKey key{TimeForMessage(conversation), next_message_number_++};
  MessageRecord& record = AddMessage(conversation, key, std::move(message));
  record.message.sender_id = std::string(caller);
  record.message.origin = "rest";
  if (!idempotency_key.empty()) RememberSent(sent_key, record.message.id);
  AfterSending(conversation, record);
  return record.message.id;
}

MessageRecord& World::AddMessage(ConversationRecord& conversation, MessageKey key,
                                 NewMessage message) {
  MessageRecord& record = conversation.messages[key];
  record.key = key;
  record.conversation_id = conversation.id;
  record.message.id = wire::MessageId(random_);
  record.message.custom = std::move(message.custom);
  record.message.created_at = key.created_at;
  record.message.referenced_message_id = std::move(message.referenced_message_id);
  record.message.content = std::move(message.content);
  record.markup = std::move(message.markup);
  messages_[record.message.id] = {conversation.id, key};
  return record;
}

void World::AfterSending(ConversationRecord& conversation, const MessageRecord& record) {
  const std::string sender = record.message.sender_id.value_or("");
  for (auto& [id, participant] : conversation.participants) {
    if (record.message.is_system || id != sender) {
      if (IsUnread(record, participant)) ++participant.unread;
      continue;
    }
    participant.read_until = std::max(participant.read_until, record.key.created_at);
    participant.read_position = record.key;
    participant.unread = 0;
    participant.marked_unread = false;
  }
  Tell(MessageAdded{conversation, record});
  TellSides(conversation);
  StopTyping(conversation, sender);
}

absl::StatusOr<World::EnteredMessage> World::EnterMessage(std::string_view caller,
                                                          std::string_view conversation_id,
                                                          std::string_view message_id) const {
  const auto side = Enter(caller, conversation_id);
  if (!side.ok()) return side.status();
  const auto found = messages_.find(std::string(message_id));
  if (found == messages_.end() || found->second.conversation_id != conversation_id) {
    return MessageNotFound();
  }
  return EnteredMessage{side->conversation, &side->conversation->messages.at(found->second.key)};
}

absl::Status World::EditMessage(std::string_view caller, std::string_view conversation_id,
                                std::string_view message_id, const MessageWrite& write) {
  const auto entered = EnterMessage(caller, conversation_id, message_id);
  if (!entered.ok()) return entered.status();
  Edit(*entered, write);
  return absl::OkStatus();
}

void World::Edit(EnteredMessage entered, const MessageWrite& write) {
  MessageRecord& record = *entered.record;
  wire::MessageDiff diff;
  record.message.edited_at = std::max(clock_.WallMillis(), record.message.created_at);
  diff.edited_at = wire::Patch<UnixMillis>::Of(*record.message.edited_at);
  if (write.content) {
    record.message.content = *write.content;
    record.markup = write.markup;
    diff.content = write.content;
  }
  if (write.custom.present) {
    wire::ApplyCustom(write.custom, record.message.custom);
    diff.custom = write.custom;
  }
  Tell(MessageChanged{*entered.conversation, record, std::move(diff)});
}

absl::Status World::DeleteMessage(std::string_view caller, std::string_view conversation_id,
                                  std::string_view message_id) {
  const auto entered = EnterMessage(caller, conversation_id, message_id);
  if (!entered.ok()) return entered.status();
  Delete(*entered);
  return absl::OkStatus();
}

void World::Delete(EnteredMessage entered) {
  ConversationRecord& conversation = *entered.conversation;
  const MessageKey key = entered.record->key;
  const std::string message_id = entered.record->message.id;
  const bool was_last = conversation.messages.rbegin()->first == key;
  for (auto& [id, participant] : conversation.participants) {
    if (IsUnread(*entered.record, participant)) --participant.unread;
  }
  conversation.messages.erase(key);
  messages_.erase(message_id);
  Tell(MessageRemoved{conversation, message_id, was_last});
  TellSides(conversation);
}

absl::StatusOr<const MessageRecord*> World::GetMessage(std::string_view caller,
                                                       std::string_view conversation_id,
                                                       std::string_view message_id) const {
  const auto entered = EnterMessage(caller, conversation_id, message_id);
  if (!entered.ok()) return entered.status();
  return static_cast<const MessageRecord*>(entered->record);
}

absl::StatusOr<Page<const MessageRecord*>> World::ListMessages(
    std::string_view caller, std::string_view conversation_id, size_t limit,
    const std::optional<MessageKey>& before) const {
  const auto side = Enter(caller, conversation_id);
  if (!side.ok()) return side.status();
  const auto& messages = side->conversation->messages;
  auto position = before ? messages.lower_bound(*before) : messages.end();
  Page<const MessageRecord*> page;
  while (position != messages.begin() && page.items.size() < limit) {
    --position;
    page.items.push_back(&position->second);
  }
  page.more = position != messages.begin();
  return page;
}

wire::Message World::MessageFor(std::string_view viewer, const MessageRecord& record) const {
  wire::Message message = record.message;
  if (message.referenced_message_id && !messages_.contains(*message.referenced_message_id)) {
    message.referenced_message_id.reset();
  }
  for (const auto& [emoji, uses] : record.reactions) {
    wire::Reaction& reaction = message.reactions[emoji];
    reaction.count = static_cast<int64_t>(uses.users.size());
    reaction.created_at = uses.created_at;
    reaction.current_user_reacted = Reacted(uses, viewer);
  }
  return message;
}

// --- reactions ---

absl::Status World::AddReaction(std::string_view caller, std::string_view conversation_id,
                                std::string_view message_id, std::string_view emoji) {
  const auto entered = EnterMessage(caller, conversation_id, message_id);
  if (!entered.ok()) return entered.status();
  return React(*entered, caller, emoji);
}

absl::Status World::React(EnteredMessage entered, std::string_view user_id,
                          std::string_view emoji) {
  MessageRecord& record = *entered.record;
  const std::string name(emoji);
  if (!record.reactions.contains(name) && record.reactions.size() >= kMaxReactionKinds) {
    return BadRequest("a message takes at most 50 different emoji");
  }
  EmojiRecord& uses = record.reactions[name];
  if (Reacted(uses, user_id)) return absl::OkStatus();
  UnixMillis now = clock_.WallMillis();
  if (uses.users.empty()) {
    uses.created_at = now;
  } else {
    now = std::max(now, uses.users.back().created_at);
  }
  uses.users.push_back({std::string(user_id), now});
  Tell(ReactionChanged{*entered.conversation, record, name, std::string(user_id), now});
  return absl::OkStatus();
}

absl::Status World::RemoveReaction(std::string_view caller, std::string_view conversation_id,
                                   std::string_view message_id, std::string_view emoji) {
  const auto entered = EnterMessage(caller, conversation_id, message_id);
  if (!entered.ok()) return entered.status();
  if (Unreact(*entered, caller, emoji)) return absl::OkStatus();
  return Refuse(404, "REACTION_NOT_FOUND", "No such reaction");
}

bool World::Unreact(EnteredMessage entered, std::string_view user_id, std::string_view emoji) {
  MessageRecord& record = *entered.record;
  const std::string name(emoji);
  const auto reaction = record.reactions.find(name);
  if (reaction == record.reactions.end()) return false;
  const auto removed = std::erase_if(reaction->second.users,
                                     [&](const auto& one) { return one.user_id == user_id; });
  if (removed == 0) return false;
  if (reaction->second.users.empty()) record.reactions.erase(reaction);
  Tell(ReactionChanged{*entered.conversation, record, name, std::string(user_id), std::nullopt});
  return true;
}

absl::StatusOr<Page<ReactionRecord>> World::ListReactions(
    std::string_view caller, std::string_view conversation_id, std::string_view message_id,
    std::string_view emoji, size_t limit, const std::optional<ReactionPosition>& after) const {
  const auto entered = EnterMessage(caller, conversation_id, message_id);
  if (!entered.ok()) return entered.status();
  Page<ReactionRecord> page;
  const auto found = entered->record->reactions.find(std::string(emoji));
  if (found == entered->record->reactions.end()) return page;
  std::vector<ReactionRecord> users = found->second.users;
  std::sort(users.begin(), users.end(), [](const auto& a, const auto& b) {
    return std::tie(a.created_at, a.user_id) < std::tie(b.created_at, b.user_id);
  });
  for (ReactionRecord& user : users) {
    if (after && ReactionPosition(user.created_at, user.user_id) <= *after) continue;
    if (page.items.size() == limit) {
      page.more = true;
      break;
    }
    page.items.push_back(std::move(user));
  }
  return page;
}

// --- typing ---

absl::Status World::MarkTyping(std::string_view caller, std::string_view conversation_id) {
  const auto side = Enter(caller, conversation_id);
  if (!side.ok()) return side.status();
  ConversationRecord& conversation = *side->conversation;
  const auto [mark, started] = conversation.typing.try_emplace(std::string(caller));
  if (!started) typing_ends_.erase({mark->second.until, {conversation.id, mark->first}});
  mark->second.until = clock_.Now() + kTypingLasts;
  typing_ends_.insert({mark->second.until, {conversation.id, mark->first}});
  if (started) {
    mark->second.since = clock_.WallMillis();
    Tell(TypingChanged{conversation, mark->first, mark->second.since});
  }
  return absl::OkStatus();
}

void World::StopTyping(ConversationRecord& conversation, const std::string& user_id) {
  const auto mark = conversation.typing.find(user_id);
  if (mark == conversation.typing.end()) return;
  typing_ends_.erase({mark->second.until, {conversation.id, user_id}});
  conversation.typing.erase(mark);
  Tell(TypingChanged{conversation, user_id, std::nullopt});
}

absl::StatusOr<std::map<std::string, UnixMillis>> World::GetTyping(
    std::string_view caller, std::string_view conversation_id) const {
  const auto side = Enter(caller, conversation_id);
  if (!side.ok()) return side.status();
  return OthersTyping(*side->conversation, caller);
}

std::map<std::string, UnixMillis> World::OthersTyping(const ConversationRecord& conversation,
                                                      std::string_view viewer) {
  std::map<std::string, UnixMillis> others;
  for (const auto& [user_id, mark] : conversation.typing) {
    if (user_id != viewer) others[user_id] = mark.since;
  }
  return others;
}

void World::ExpireTyping() {
  while (!typing_ends_.empty() && typing_ends_.begin()->first <= clock_.Now()) {
    const auto [conversation_id, user_id] = typing_ends_.begin()->second;
    StopTyping(*FindConversation(conversation_id), user_id);
  }
}

MonoTime World::NextTypingEnd() const {
  return typing_ends_.empty() ? kNever : typing_ends_.begin()->first;
}

}  // namespace talkjsd::emulator
