#include "daemon/wire/types.h"

#include <utility>

namespace talkjsd::wire {
namespace {

// Null in a diff resets the property, which for a nullable one is nullopt.
template <typename T>
void ApplyNullable(const Patch<T>& patch, std::optional<T>& target) {
  if (patch.present) target = patch.value;
}

template <typename T>
void ApplyOptional(const std::optional<T>& value, T& target) {
  if (value) target = *value;
}

void ApplyReaction(const std::string& emoji, const ReactionDiff& diff,
                   std::map<std::string, Reaction>& reactions) {
  auto it = reactions.find(emoji);
  if (it == reactions.end()) {
    // A new emoji must come complete; part of one describes a state that this side never saw.
    if (!diff.count || !diff.created_at || !diff.current_user_reacted) return;
    it = reactions.emplace(emoji, Reaction{}).first;
  }
  ApplyOptional(diff.count, it->second.count);
  ApplyOptional(diff.created_at, it->second.created_at);
  ApplyOptional(diff.current_user_reacted, it->second.current_user_reacted);
  if (it->second.count <= 0) reactions.erase(it);
}

}  // namespace

void ApplyCustom(const Patch<CustomPatch>& patch, CustomMap& custom) {
  if (!patch.present) return;
  if (!patch.value) {
    custom.clear();
    return;
  }
  for (const auto& [key, value] : *patch.value) {
    if (value) {
      custom[key] = *value;
    } else {
      custom.erase(key);
    }
  }
}

void ConversationDiff::ApplyTo(Conversation& conversation) const {
  ApplyNullable(subject, conversation.subject);
  ApplyNullable(photo_url, conversation.photo_url);
  if (welcome_messages.present) {
    conversation.welcome_messages = welcome_messages.value.value_or(std::vector<std::string>{});
  }
  ApplyCustom(custom, conversation.custom);
  ApplyOptional(last_message_at, conversation.last_message_at);
  ApplyOptional(unread_message_count, conversation.unread_message_count);
  ApplyOptional(is_unread, conversation.is_unread);
  ApplyOptional(access, conversation.access);
  ApplyOptional(notify, conversation.notify);
  ApplyOptional(read_until, conversation.read_until);
  ApplyOptional(everyone_read_until, conversation.everyone_read_until);
}

void UserDiff::ApplyTo(User& user) const {
  ApplyOptional(name, user.name);
  ApplyNullable(locale, user.locale);
  ApplyNullable(photo_url, user.photo_url);
  ApplyOptional(role, user.role);
  ApplyNullable(welcome_message, user.welcome_message);
  ApplyCustom(custom, user.custom);
}

void MessageDiff::ApplyTo(Message& message) const {
  if (content) message.content = *content;
  ApplyNullable(edited_at, message.edited_at);
  ApplyCustom(custom, message.custom);
  if (!reactions.present) return;
  if (!reactions.value) {
    message.reactions.clear();
    return;
  }
  for (const auto& [emoji, diff] : *reactions.value) {
    if (diff) {
      ApplyReaction(emoji, *diff, message.reactions);
    } else {
      message.reactions.erase(emoji);
    }
  }
}

}  // namespace talkjsd::wire
