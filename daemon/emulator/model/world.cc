#include "daemon/emulator/model/world.h"

#include <algorithm>

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace {

// Sets `value` to what the write says; true if that changed it.
bool Set(const wire::Patch<std::string>& write, std::optional<std::string>& value) {
  if (!write.present || write.value == value) return false;
  value = write.value;
  return true;
}

// Applies the patch and returns the part of it that changed something; nullopt if nothing did.
std::optional<wire::Patch<wire::CustomPatch>> SetCustom(const wire::Patch<wire::CustomPatch>& write,
                                                        wire::CustomMap& custom) {
  if (!write.present) return std::nullopt;
  const wire::CustomMap before = custom;
  wire::ApplyCustom(write, custom);
  if (custom == before) return std::nullopt;
  if (!write.value) return write;
  wire::CustomPatch changed;
  for (const auto& [key, value] : before) {
    if (!custom.contains(key)) changed[key] = std::nullopt;
  }
  for (const auto& [key, value] : custom) {
    const auto old = before.find(key);
    if (old == before.end() || old->second != value) changed[key] = value;
  }
  return wire::Patch<wire::CustomPatch>::Of(std::move(changed));
}

bool IsEmpty(const wire::ConversationDiff& diff) {
  return !diff.subject.present && !diff.photo_url.present && !diff.welcome_messages.present &&
         !diff.custom.present;
}

wire::ConversationDiff ApplyConversation(ConversationRecord& conversation,
                                         const ConversationWrite& write) {
  wire::ConversationDiff diff;
  if (Set(write.subject, conversation.subject)) diff.subject = write.subject;
  if (Set(write.photo_url, conversation.photo_url)) diff.photo_url = write.photo_url;
  if (write.welcome_messages.present) {
    auto messages = write.welcome_messages.value.value_or(std::vector<std::string>());
    if (messages != conversation.welcome_messages) {
      conversation.welcome_messages = std::move(messages);
      diff.welcome_messages =
          wire::Patch<std::vector<std::string>>::Of(conversation.welcome_messages);
    }
  }
  if (auto changed = SetCustom(write.custom, conversation.custom)) {
    diff.custom = *std::move(changed);
  }
  return diff;
}

}  // namespace

// --- users ---

const UserRecord* World::FindUser(std::string_view id) const {
  const auto found = users_.find(std::string(id));
  return found == users_.end() ? nullptr : &found->second;
}

wire::UserDiff World::ApplyUser(UserRecord& user, const UserWrite& write) {
  wire::UserDiff diff;
  if (write.name && *write.name != user.shown.name) diff.name = user.shown.name = *write.name;
  if (Set(write.locale, user.shown.locale)) diff.locale = write.locale;
  if (Set(write.photo_url, user.shown.photo_url)) diff.photo_url = write.photo_url;
  if (Set(write.welcome_message, user.shown.welcome_message)) {
    diff.welcome_message = write.welcome_message;
  }
  if (write.role.present) {
    const std::string role = write.role.value.value_or("default");
    if (role != user.shown.role) diff.role = user.shown.role = role;
  }
  if (auto changed = SetCustom(write.custom, user.shown.custom)) diff.custom = *std::move(changed);
  if (write.email.present) user.email = write.email.value;
  if (write.phone.present) user.phone = write.phone.value;
  if (write.availability_text.present) user.availability_text = write.availability_text.value;
  if (write.push_tokens.present) {
    if (!write.push_tokens.value) user.push_tokens.clear();
    for (const auto& [token, registered] :
         write.push_tokens.value.value_or(std::map<std::string, bool>())) {
      if (registered) {
        user.push_tokens.insert(token);
      } else {
        user.push_tokens.erase(token);
      }
    }
  }
  return diff;
}

absl::Status World::CreateUser(std::string_view id, const UserWrite& write) {
  if (FindUser(id) != nullptr) {
    return Refuse(409, "USER_ALREADY_EXISTS", "User already exists");
  }
  return PutUser(id, write);
}

absl::Status World::PutUser(std::string_view id, const UserWrite& write) {
  const auto found = users_.find(std::string(id));
  if (found != users_.end()) {
    wire::UserDiff diff = ApplyUser(found->second, write);
    Tell(UserChanged{found->second, std::move(diff)});
    return absl::OkStatus();
  }
  if (!write.name) return BadRequest("`name` is required when creating a user");
  UserRecord& user = users_[std::string(id)];
  user.shown.id = id;
  user.shown.role = "default";
  user.created_at = clock_.WallMillis();
  ApplyUser(user, write);
  Tell(UserAdded{user});
  return absl::OkStatus();
}

absl::StatusOr<bool> World::IsConnected(std::string_view id) const {
  if (FindUser(id) == nullptr) return UserNotFound();
  return connected_.contains(id);
}

void World::SetConnected(std::string_view id, bool connected) {
  const auto found = connected_.find(id);
  if ((found != connected_.end()) == connected) return;
  if (connected) {
    connected_.emplace(id);
  } else {
    connected_.erase(found);
  }
  Tell(OnlineChanged{std::string(id), connected});
}

// --- conversations ---

ConversationRecord* World::FindConversation(std::string_view id) const {
  const auto found = conversations_.find(std::string(id));
  return found == conversations_.end() ? nullptr : found->second.get();
}

absl::StatusOr<World::Side> World::Enter(std::string_view caller, std::string_view id) const {
  ConversationRecord* conversation = FindConversation(id);
  if (conversation == nullptr) return ConversationNotFound();
  const auto found = conversation->participants.find(std::string(caller));
  if (found == conversation->participants.end()) return NotAParticipant();
  return Side{conversation, &found->second};
}

absl::Status World::CreateConversation(std::string_view id, const ConversationWrite& write) {
  if (FindConversation(id) != nullptr) {
    return Refuse(409, "CONVERSATION_ALREADY_EXISTS", "Conversation already exists");
  }
  return PutConversation(id, write);
}

absl::Status World::PutConversation(std::string_view id, const ConversationWrite& write) {
  if (ConversationRecord* existing = FindConversation(id)) {
    wire::ConversationDiff diff = ApplyConversation(*existing, write);
    if (!IsEmpty(diff)) Tell(ConversationChanged{*existing, std::move(diff)});
    return absl::OkStatus();
  }
  auto& conversation = conversations_[std::string(id)];
  conversation = std::make_unique<ConversationRecord>();
  conversation->id = id;
  conversation->created_at = clock_.WallMillis();
  ApplyConversation(*conversation, write);
  Tell(ConversationAdded{*conversation});
  return absl::OkStatus();
}

UnixMillis World::EveryoneReadUntil(const ConversationRecord& conversation) {
  UnixMillis everyone = INT64_MAX;
  for (const auto& [id, participant] : conversation.participants) {
    everyone = std::min(everyone, participant.read_until);
  }
  return everyone;
}

SideCounters World::CountersOf(const ConversationRecord& conversation,
                               const ParticipantRecord& participant, UnixMillis everyone) {
  SideCounters counters;
  counters.last_message_at = participant.joined_at;
  if (!conversation.messages.empty()) {
    counters.last_message_at =
        std::max(counters.last_message_at, conversation.messages.rbegin()->first.created_at);
  }
  counters.unread_message_count = participant.unread;
  counters.is_unread = participant.unread > 0 || participant.marked_unread;
  counters.read_until = participant.read_until;
  counters.everyone_read_until = everyone;
  return counters;
}

wire::Conversation World::SideOf(const ConversationRecord& conversation,
                                 const ParticipantRecord& participant) {
  const SideCounters counters =
      CountersOf(conversation, participant, EveryoneReadUntil(conversation));
  wire::Conversation side;
  side.id = conversation.id;
  side.created_at = conversation.created_at;
  side.subject = conversation.subject;
  side.photo_url = conversation.photo_url;
  side.welcome_messages = conversation.welcome_messages;
  side.custom = conversation.custom;
  side.last_message_at = counters.last_message_at;
  side.unread_message_count = counters.unread_message_count;
  side.is_unread = counters.is_unread;
  side.access = participant.access;
  side.notify = participant.notify;
  side.read_until = counters.read_until;
  side.everyone_read_until = counters.everyone_read_until;
  side.joined_at = participant.joined_at;
  return side;
}

void World::TellSides(ConversationRecord& conversation) {
  const UnixMillis everyone = EveryoneReadUntil(conversation);
  for (auto& [id, participant] : conversation.participants) {
    const SideCounters now = CountersOf(conversation, participant, everyone);
    const SideCounters told = std::exchange(participant.told, now);
    if (now == told) continue;
    wire::ConversationDiff diff;
    if (now.last_message_at != told.last_message_at) diff.last_message_at = now.last_message_at;
    if (now.unread_message_count != told.unread_message_count) {
      diff.unread_message_count = now.unread_message_count;
    }
    if (now.is_unread != told.is_unread) diff.is_unread = now.is_unread;
    if (now.read_until != told.read_until) diff.read_until = now.read_until;
    if (now.everyone_read_until != told.everyone_read_until) {
      diff.everyone_read_until = now.everyone_read_until;
    }
    Tell(SideChanged{conversation, participant, std::move(diff)});
  }
}

absl::StatusOr<wire::Conversation> World::GetConversation(std::string_view caller,
                                                          std::string_view id) const {
  const auto side = Enter(caller, id);
  if (!side.ok()) return side.status();
  return SideOf(*side->conversation, *side->participant);
}

absl::StatusOr<Page<wire::Conversation>> World::ListConversations(
    std::string_view caller, const ConversationFilter& filter, size_t limit,
    const std::optional<ConversationPosition>& after) const {
  if (FindUser(caller) == nullptr) return UserNotFound();
  return PageOfConversations(
      caller, [&](const wire::Conversation& side) { return filter.Matches(side); }, limit, after);
}

Page<wire::Conversation> World::PageOfConversations(
    std::string_view caller, const AcceptSide& accept, size_t limit,
    const std::optional<ConversationPosition>& after) const {
  Page<wire::Conversation> page;
  const auto mine = conversations_of_.find(std::string(caller));
  if (mine == conversations_of_.end()) return page;
  // A list of positions first: sides are built for this page only, and for what the filter needs to
  // look at.
  std::vector<ConversationPosition> order;
  for (const std::string& id : mine->second) {
    const ConversationRecord& conversation = *FindConversation(id);
    const auto& participant = conversation.participants.find(std::string(caller))->second;
    ConversationPosition position(CountersOf(conversation, participant, 0).last_message_at, id);
    if (!after || position < *after) order.push_back(std::move(position));
  }
  std::make_heap(order.begin(), order.end());
  while (!order.empty()) {
    std::pop_heap(order.begin(), order.end());
    const ConversationRecord& conversation = *FindConversation(order.back().second);
    order.pop_back();
    wire::Conversation side =
        SideOf(conversation, conversation.participants.find(std::string(caller))->second);
    if (!accept(side)) continue;
    if (page.items.size() == limit) {
      page.more = true;
      break;
    }
    page.items.push_back(std::move(side));
  }
  return page;
}

absl::Status World::MarkRead(std::string_view caller, std::string_view id) {
  const auto side = Enter(caller, id);
  if (!side.ok()) return side.status();
  ParticipantRecord& me = *side->participant;
  me.read_until = std::max(me.read_until, clock_.WallMillis());
  if (!side->conversation->messages.empty()) {
    me.read_position = side->conversation->messages.rbegin()->first;
    me.read_until = std::max(me.read_until, me.read_position.created_at);
  }
  me.unread = 0;
  me.marked_unread = false;
  Tell(SideTouched{*side->conversation, me});
  TellSides(*side->conversation);
  return absl::OkStatus();
}

absl::Status World::MarkUnread(std::string_view caller, std::string_view id) {
  const auto side = Enter(caller, id);
  if (!side.ok()) return side.status();
  // What is unread anyway shows no difference, until it is read.
  if (!std::exchange(side->participant->marked_unread, true)) {
    Tell(SideTouched{*side->conversation, *side->participant});
  }
  TellSides(*side->conversation);
  return absl::OkStatus();
}

// --- participants ---

UnixMillis World::TimeAfter(UnixMillis newest) const {
  const UnixMillis now = clock_.WallMillis();
  return std::max(now, newest < now + kMaxTimeAhead.count() ? newest + 1 : newest);
}

void World::Join(ConversationRecord& conversation, std::string_view user_id,
                 const ParticipantWrite& write) {
  ParticipantRecord& me = conversation.participants[std::string(user_id)];
  me.user_id = user_id;
  const auto before = conversation.shut_out.extract(me.user_id);
  if (!before.empty()) me = before.mapped();
  me.access = write.access.value.value_or(wire::Access::kReadWrite);
  me.notify = write.notify.value.value_or(wire::Notify::kOn);
  if (before.empty()) {
    me.joined_at = last_joined_at_ = TimeAfter(last_joined_at_);
    me.read_until = me.joined_at;
    if (!conversation.messages.empty()) {
      me.read_position = conversation.messages.rbegin()->first;
    }
  }
  CountUnread(conversation, me);
  me.told = CountersOf(conversation, me, EveryoneReadUntil(conversation));
  conversation.last_joined_at = std::max(conversation.last_joined_at, me.joined_at);
  conversations_of_[me.user_id].insert(conversation.id);
  Tell(Joined{conversation, me});
  TellSides(conversation);
}

void World::EditParticipant(ConversationRecord& conversation, ParticipantRecord& participant,
                            const ParticipantWrite& write) {
  std::optional<wire::Access> access;
  std::optional<wire::Notify> notify;
  if (write.access.present) access = write.access.value.value_or(wire::Access::kReadWrite);
  if (write.notify.present) notify = write.notify.value.value_or(wire::Notify::kOn);
  if (access == participant.access) access.reset();
  if (notify == participant.notify) notify.reset();
  if (!access && !notify) return;
  if (access) participant.access = *access;
  if (notify) participant.notify = *notify;
  Tell(ParticipantChanged{conversation, participant, access, notify});
}

absl::Status World::WriteParticipant(std::string_view caller, std::string_view conversation_id,
                                     std::string_view user_id, JoinMode mode,
                                     const ParticipantWrite& write) {
  ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  if (FindUser(user_id) == nullptr) return UserNotFound();
  if (caller != user_id && !conversation->participants.contains(std::string(caller))) {
    return NotAParticipant();
  }
  return WriteMember(*conversation, user_id, mode, write);
}

absl::Status World::WriteMember(ConversationRecord& conversation, std::string_view user_id,
                                JoinMode mode, const ParticipantWrite& write) {
  const auto found = conversation.participants.find(std::string(user_id));
  if (found == conversation.participants.end()) {
    if (mode == JoinMode::kUpdate) return ParticipantNotFound();
    Join(conversation, user_id, write);
    return absl::OkStatus();
  }
  if (mode == JoinMode::kCreate) {
    return Refuse(409, "PARTICIPANT_ALREADY_EXISTS", "Already a participant");
  }
  EditParticipant(conversation, found->second, write);
  return absl::OkStatus();
}

absl::Status World::RemoveParticipant(std::string_view caller, std::string_view conversation_id,
                                      std::string_view user_id) {
  ConversationRecord* conversation = FindConversation(conversation_id);
  if (conversation == nullptr) return ConversationNotFound();
  const std::string leaver(user_id);
  const bool present = conversation->participants.contains(leaver);
  if (caller == user_id && !present) return ParticipantNotFound();
  if (!conversation->participants.contains(std::string(caller))) return NotAParticipant();
  if (!present) return ParticipantNotFound();
  RemoveMember(*conversation, leaver);
  return absl::OkStatus();
}

void World::RemoveMember(ConversationRecord& conversation, const std::string& user_id) {
  StopTyping(conversation, user_id);
  conversation.participants.erase(user_id);
  conversations_of_[user_id].erase(conversation.id);
  Tell(Left{conversation, user_id});
  TellSides(conversation);
}

wire::Participant World::ParticipantOf(const ParticipantRecord& record) {
  wire::Participant participant;
  participant.id = record.user_id;
  participant.access = record.access;
  participant.notify = record.notify;
  participant.joined_at = record.joined_at;
  return participant;
}

absl::StatusOr<wire::Participant> World::GetParticipant(std::string_view caller,
                                                        std::string_view conversation_id,
                                                        std::string_view user_id) const {
  const auto side = Enter(caller, conversation_id);
  if (!side.ok()) return side.status();
  const auto& participants = side->conversation->participants;
  const auto found = participants.find(std::string(user_id));
  if (found == participants.end()) return ParticipantNotFound();
  return ParticipantOf(found->second);
}

absl::StatusOr<Page<wire::Participant>> World::ListParticipants(
    std::string_view caller, std::string_view conversation_id, size_t limit,
    const std::optional<ParticipantPosition>& after) const {
  const auto side = Enter(caller, conversation_id);
  if (!side.ok()) return side.status();
  std::vector<ParticipantPosition> order;
  for (const auto& [id, participant] : side->conversation->participants) {
    ParticipantPosition position(participant.joined_at, id);
    if (!after || position < *after) order.push_back(std::move(position));
  }
  std::sort(order.rbegin(), order.rend());
  Page<wire::Participant> page;
  page.more = order.size() > limit;
  if (page.more) order.resize(limit);
  for (const ParticipantPosition& position : order) {
    page.items.push_back(ParticipantOf(side->conversation->participants.at(position.second)));
  }
  return page;
}

}  // namespace talkjsd::emulator
