// The part of World that takes and gives its records as a whole.
#include <algorithm>
#include <utility>

#include "daemon/emulator/model/world.h"

namespace talkjsd::emulator {
namespace {

wire::Patch<std::string> ChangeOf(const std::optional<std::string>& before,
                                  const std::optional<std::string>& after) {
  wire::Patch<std::string> change;
  if (before != after) change = {true, after};
  return change;
}

wire::UserDiff DiffOf(const wire::User& before, const wire::User& after) {
  wire::UserDiff diff;
  if (before.name != after.name) diff.name = after.name;
  if (before.role != after.role) diff.role = after.role;
  diff.locale = ChangeOf(before.locale, after.locale);
  diff.photo_url = ChangeOf(before.photo_url, after.photo_url);
  diff.welcome_message = ChangeOf(before.welcome_message, after.welcome_message);
  if (before.custom == after.custom) return diff;
  wire::CustomPatch patch;
  for (const auto& [key, value] : before.custom) patch[key] = std::nullopt;
  for (const auto& [key, value] : after.custom) patch[key] = value;
  diff.custom = wire::Patch<wire::CustomPatch>::Of(std::move(patch));
  return diff;
}

}  // namespace

void World::Uninstall(const ConversationRecord& conversation) {
  for (const auto& [user_id, participant] : conversation.participants) {
    conversations_of_[user_id].erase(conversation.id);
  }
  for (const auto& [key, record] : conversation.messages) messages_.erase(record.message.id);
  for (const auto& [user_id, mark] : conversation.typing) {
    typing_ends_.erase({mark.until, {conversation.id, user_id}});
  }
  conversations_.erase(conversation.id);
}

void World::Replace(WorldRecords records) {
  const Users old_users = std::exchange(users_, {});
  const auto old_conversations = std::exchange(conversations_, {});
  conversations_of_.clear();
  messages_.clear();
  sent_.clear();
  sent_order_.clear();
  typing_ends_.clear();
  next_message_number_ = 1;
  last_message_at_ = 0;
  last_joined_at_ = 0;
  Tell(WorldReplaced{});
  for (const auto& [id, conversation] : old_conversations) Tell(ConversationRemoved{*conversation});
  for (const auto& [id, user] : old_users) {
    if (!records.users.contains(id)) Tell(UserRemoved{id});
  }
  Install(std::move(records), old_users);
}

void World::Merge(WorldRecords records) {
  Users old_users;
  for (const auto& [id, user] : records.users) {
    if (const UserRecord* old = FindUser(id)) old_users.emplace(id, *old);
  }
  for (const auto& [id, conversation] : records.conversations) {
    const auto found = conversations_.find(id);
    if (found == conversations_.end()) continue;
    const std::unique_ptr<ConversationRecord> old = std::move(found->second);
    Uninstall(*old);
    Tell(ConversationRemoved{*old});
  }
  Install(std::move(records), old_users);
}

void World::Install(WorldRecords records, const Users& before) {
  for (auto& [id, record] : records.users) {
    const UserRecord& user = users_[id] = std::move(record);
    const auto old = before.find(id);
    if (old == before.end()) {
      Tell(UserAdded{user});
    } else {
      Tell(UserChanged{user, DiffOf(old->second.shown, user.shown)});
    }
  }
  for (auto& [id, record] : records.conversations) InstallConversation(std::move(record));
  InstallSent(std::move(records.sent));
}

void World::InstallConversation(ConversationRecord record) {
  std::unique_ptr<ConversationRecord>& place = conversations_[record.id];
  place = std::make_unique<ConversationRecord>(std::move(record));
  ConversationRecord& conversation = *place;
  conversation.typing.clear();
  for (const auto& [key, message] : conversation.messages) {
    messages_[message.message.id] = {conversation.id, key};
    next_message_number_ = std::max(next_message_number_, key.number + 1);
  }
  const UnixMillis everyone = EveryoneReadUntil(conversation);
  for (auto& [user_id, participant] : conversation.participants) {
    conversations_of_[user_id].insert(conversation.id);
    conversation.last_joined_at = std::max(conversation.last_joined_at, participant.joined_at);
    participant.told = CountersOf(conversation, participant, everyone);
  }
  last_joined_at_ = std::max(last_joined_at_, conversation.last_joined_at);
  Tell(ConversationLoaded{conversation});
}

}  // namespace talkjsd::emulator
