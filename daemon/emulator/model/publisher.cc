#include "daemon/emulator/model/publisher.h"

#include <algorithm>
#include <boost/json.hpp>
#include <type_traits>
#include <variant>

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/encode.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

json::object Event(std::string_view type) { return json::object{{"type", type}}; }

json::object InConversation(std::string_view type, const ConversationRecord& conversation) {
  return json::object{{"type", type}, {"conversationId", conversation.id}};
}

EventText Encode(const json::object& event) {
  return std::make_shared<const std::string>(json::serialize(event));
}

bool IsEmpty(const wire::UserDiff& diff) {
  return !diff.name && !diff.role && !diff.locale.present && !diff.photo_url.present &&
         !diff.welcome_message.present && !diff.custom.present;
}

// --- who wants it: predicates over a socket's subscriptions and its part in the conversation ---

using Part = const Subscriptions::InConversation*;  // nullptr: no subscription in the conversation

bool WantsMembership(const Subscriptions& subscriptions, Part part) {
  return subscriptions.all_conversations() || part != nullptr;
}

bool WantsSide(const Subscriptions& subscriptions, Part part) {
  return subscriptions.all_conversations() || (part != nullptr && part->side);
}

bool WantsMessages(const Subscriptions&, Part part) { return part != nullptr && part->messages; }

bool WantsTyping(const Subscriptions&, Part part) { return part != nullptr && part->typing; }

bool WantsParticipant(Part part, const std::string& user_id) {
  return part != nullptr && (part->participants || part->participant.contains(user_id));
}

}  // namespace

// --- subscriptions ---

size_t Subscriptions::InConversation::size() const {
  return static_cast<size_t>(side) + static_cast<size_t>(messages) +
         static_cast<size_t>(participants) + static_cast<size_t>(typing) + participant.size() +
         reactions.size();
}

size_t Subscriptions::size() const {
  size_t count = static_cast<size_t>(all_conversations_) + users_.size() + online_.size();
  for (const auto& [conversation, part] : in_) count += part.size();
  return count;
}

const Subscriptions::InConversation* Subscriptions::In(const std::string& conversation_id) const {
  const auto found = in_.find(conversation_id);
  return found == in_.end() ? nullptr : &found->second;
}

void Publisher::Add(Subscriber& subscriber) {
  std::vector<Subscriber*>& sockets = sockets_[subscriber.user_id()];
  if (std::find(sockets.begin(), sockets.end(), &subscriber) != sockets.end()) return;
  sockets.push_back(&subscriber);
  world_.SetConnected(subscriber.user_id(), true);
}

void Publisher::Remove(Subscriber& subscriber) {
  const auto found = sockets_.find(subscriber.user_id());
  if (found == sockets_.end() || std::erase(found->second, &subscriber) == 0) return;
  for (const std::string& user : subscriber.subscriptions_.users_) {
    Unwatch(user_watchers_, user, subscriber);
  }
  for (const std::string& user : subscriber.subscriptions_.online_) {
    Unwatch(online_watchers_, user, subscriber);
  }
  subscriber.subscriptions_ = Subscriptions();
  subscriber.pending_.clear();
  subscriber.fresh_ = subscriber.pending_fresh_ = {};
  subscriber.builds_on_fresh_ = false;
  std::erase(dirty_, &subscriber);
  if (found->second.empty()) {
    sockets_.erase(found);
    world_.SetConnected(subscriber.user_id(), false);
  }
}

const std::vector<Subscriber*>& Publisher::SocketsOf(const std::string& user_id) const {
  static const std::vector<Subscriber*> kNone;
  const auto found = sockets_.find(user_id);
  return found == sockets_.end() ? kNone : found->second;
}

std::vector<std::string> Publisher::ConnectedUsers() const {
  std::vector<std::string> users;
  for (const auto& [user_id, sockets] : sockets_) users.push_back(user_id);
  return users;
}

void Publisher::Subscribe(Subscriber& subscriber, const Topic& topic) {
  Subscriptions& all = subscriber.subscriptions_;
  switch (topic.kind) {
    case Topic::Kind::kUser:
      if (all.users_.insert(topic.user).second) user_watchers_[topic.user].insert(&subscriber);
      break;
    case Topic::Kind::kOnline:
      if (all.online_.insert(topic.user).second) online_watchers_[topic.user].insert(&subscriber);
      break;
    case Topic::Kind::kConversations:
      all.all_conversations_ = true;
      break;
    case Topic::Kind::kConversation:
      all.in_[topic.conversation].side = true;
      break;
    case Topic::Kind::kMessages:
      all.in_[topic.conversation].messages = true;
      all.latest_messages_ = topic.conversation;
      break;
    case Topic::Kind::kParticipants:
      all.in_[topic.conversation].participants = true;
      break;
    case Topic::Kind::kParticipant:
      all.in_[topic.conversation].participant.insert(topic.user);
      break;
    case Topic::Kind::kTyping:
      all.in_[topic.conversation].typing = true;
      break;
    case Topic::Kind::kReactions:
      all.in_[topic.conversation].reactions.emplace(topic.message, topic.emoji);
      break;
  }
}

void Publisher::Unsubscribe(Subscriber& subscriber, const Topic& topic) {
  Subscriptions& all = subscriber.subscriptions_;
  if (topic.kind == Topic::Kind::kConversations) {
    all.all_conversations_ = false;
    return;
  }
  if (topic.kind == Topic::Kind::kUser) {
    if (all.users_.erase(topic.user) > 0) Unwatch(user_watchers_, topic.user, subscriber);
    return;
  }
  if (topic.kind == Topic::Kind::kOnline) {
    if (all.online_.erase(topic.user) > 0) Unwatch(online_watchers_, topic.user, subscriber);
    return;
  }
  const auto found = all.in_.find(topic.conversation);
  if (found == all.in_.end()) return;
  Subscriptions::InConversation& part = found->second;
  if (topic.kind == Topic::Kind::kConversation) part.side = false;
  if (topic.kind == Topic::Kind::kMessages) {
    part.messages = false;
    if (all.latest_messages_ == topic.conversation) all.latest_messages_.clear();
  }
  if (topic.kind == Topic::Kind::kParticipants) part.participants = false;
  if (topic.kind == Topic::Kind::kTyping) part.typing = false;
  if (topic.kind == Topic::Kind::kParticipant) part.participant.erase(topic.user);
  if (topic.kind == Topic::Kind::kReactions) part.reactions.erase({topic.message, topic.emoji});
  if (part.empty()) all.in_.erase(found);
}

void Publisher::Unwatch(Watchers& watchers, const std::string& user_id, Subscriber& subscriber) {
  const auto found = watchers.find(user_id);
  found->second.erase(&subscriber);
  if (found->second.empty()) watchers.erase(found);
}

// --- delivery ---

void Publisher::Queue(Subscriber& subscriber, const EventText& text) {
  if (subscriber.pending_.empty()) {
    dirty_.push_back(&subscriber);
    subscriber.builds_on_fresh_ = false;
  }
  subscriber.pending_.push_back(text);
  if (about_.conversation != nullptr) NoteFresh(subscriber);
}

void Publisher::NoteFresh(Subscriber& subscriber) const {
  const Subscriber::Fresh& fresh = subscriber.fresh_;
  const bool builds = fresh.side_of == about_.conversation ||
                      (about_.changes_message && fresh.message_in == about_.conversation);
  subscriber.builds_on_fresh_ = subscriber.builds_on_fresh_ || builds;
  if (about_.makes_side) subscriber.pending_fresh_.side_of = about_.conversation;
  if (about_.makes_message) subscriber.pending_fresh_.message_in = about_.conversation;
}

void Publisher::Flush() {
  std::vector<Subscriber*> dirty = std::exchange(dirty_, {});
  for (Subscriber* subscriber : dirty) {
    const std::vector<EventText> events = std::exchange(subscriber->pending_, {});
    if (subscriber->builds_on_fresh_) subscriber->fresh_ = {};
    const Subscriber::Fresh made = std::exchange(subscriber->pending_fresh_, {});
    if (made.side_of != nullptr) subscriber->fresh_.side_of = made.side_of;
    if (made.message_in != nullptr) subscriber->fresh_.message_in = made.message_in;
    subscriber->Deliver(events);
  }
}

template <typename Wanted, typename Make>
void Publisher::ToUser(const std::string& user_id, Wanted wanted, Make make) {
  const auto found = sockets_.find(user_id);
  if (found == sockets_.end()) return;
  EventText text;
  for (Subscriber* subscriber : found->second) {
    if (!wanted(subscriber->subscriptions_)) continue;
    if (text == nullptr) text = make();
    Queue(*subscriber, text);
  }
}

template <typename Wanted, typename Make>
void Publisher::ToParticipants(const ConversationRecord& conversation, std::string_view except,
                               Wanted wanted, Make make) {
  EventText text;
  for (const auto& [user_id, participant] : conversation.participants) {
    if (user_id == except) continue;
    ToUser(
        user_id, [&](const Subscriptions& all) { return wanted(all, all.In(conversation.id)); },
        [&] { return text == nullptr ? text = make() : text; });
  }
}

void Publisher::ToWatchers(const Watchers& watchers, const std::string& user_id,
                           const EventText& text) {
  const auto found = watchers.find(user_id);
  if (found == watchers.end()) return;
  for (Subscriber* subscriber : found->second) Queue(*subscriber, text);
}

template <typename Happened>
Publisher::About Publisher::AboutOf(const Happened& happened) {
  About about;
  if constexpr (requires { happened.conversation; }) about.conversation = &happened.conversation;
  about.makes_message = std::is_same_v<Happened, MessageAdded>;
  about.changes_message =
      std::is_same_v<Happened, MessageChanged> || std::is_same_v<Happened, MessageRemoved> ||
      std::is_same_v<Happened, ReactionChanged> || std::is_same_v<Happened, ConversationCleared>;
  return about;
}

void Publisher::Publish(const Change& change) {
  std::visit(
      [this](const auto& happened) {
        about_ = AboutOf(happened);
        On(happened);
      },
      change);
}

// --- users ---

void Publisher::On(const UserAdded& change) {
  const std::string& id = change.user.shown.id;
  std::set<Subscriber*> receivers;
  for (const Watchers* watchers : {&user_watchers_, &online_watchers_}) {
    const auto found = watchers->find(id);
    if (found != watchers->end()) receivers.insert(found->second.begin(), found->second.end());
  }
  if (const auto own = sockets_.find(id); own != sockets_.end()) {
    for (Subscriber* socket : own->second) {
      if (socket->subscriptions_.all_conversations()) receivers.insert(socket);
    }
  }
  if (receivers.empty()) return;
  json::object event = Event("user.created");
  event["userId"] = id;
  event["state"] = wire::EncodeUser(change.user.shown);
  const EventText text = Encode(event);
  for (Subscriber* subscriber : receivers) Queue(*subscriber, text);
}

void Publisher::On(const UserChanged& change) {
  const std::string& id = change.user.shown.id;
  if (IsEmpty(change.diff) || !user_watchers_.contains(id)) return;
  json::object event = Event("user.edited");
  event["userId"] = id;
  event["diff"] = wire::EncodeUserDiff(change.diff);
  ToWatchers(user_watchers_, id, Encode(event));
}

void Publisher::On(const OnlineChanged& change) {
  if (!online_watchers_.contains(change.user_id)) return;
  json::object event = Event("user.online.changed");
  event["userId"] = change.user_id;
  event["diff"] = json::object{{"isConnected", change.connected}};
  ToWatchers(online_watchers_, change.user_id, Encode(event));
}

// --- conversations and participants ---

void Publisher::On(const ConversationChanged& change) {
  ToParticipants(change.conversation, "", WantsSide, [&] {
    json::object event = InConversation("conversation.edited", change.conversation);
    event["diff"] = wire::EncodeConversationDiff(change.diff);
    return Encode(event);
  });
}

void Publisher::On(const SideChanged& change) {
  const ConversationRecord& conversation = change.conversation;
  ToUser(
      change.participant.user_id,
      [&](const Subscriptions& all) { return WantsSide(all, all.In(conversation.id)); },
      [&] {
        json::object event = InConversation("side.edited", conversation);
        event["diff"] = wire::EncodeConversationDiff(change.diff);
        return Encode(event);
      });
}

void Publisher::TellThere(const ConversationRecord& conversation,
                          const ParticipantRecord& participant) {
  const std::string& user_id = participant.user_id;
  about_.makes_side = true;
  ToUser(
      user_id,
      [&](const Subscriptions& all) { return WantsMembership(all, all.In(conversation.id)); },
      [&] {
        json::object event = InConversation("side.created", conversation);
        event["state"] = wire::EncodeConversation(World::SideOf(conversation, participant));
        return Encode(event);
      });
  ToUser(
      user_id, [&](const Subscriptions& all) { return WantsTyping(all, all.In(conversation.id)); },
      [&] {
        json::object event = InConversation("typing.available", conversation);
        event["state"] = EncodeTyping(World::OthersTyping(conversation, user_id));
        return Encode(event);
      });
  about_.makes_side = false;
}

void Publisher::TellGone(const std::string& user_id, const ConversationRecord& conversation) {
  ToUser(
      user_id,
      [&](const Subscriptions& all) { return WantsMembership(all, all.In(conversation.id)); },
      [&] { return Encode(InConversation("side.deleted", conversation)); });
}

void Publisher::On(const ConversationRemoved& change) {
  for (const auto& [user_id, participant] : change.conversation.participants) {
    TellGone(user_id, change.conversation);
  }
}

void Publisher::On(const ConversationLoaded& change) {
  for (const auto& [user_id, participant] : change.conversation.participants) {
    TellThere(change.conversation, participant);
  }
}

void Publisher::On(const Joined& change) {
  const ConversationRecord& conversation = change.conversation;
  const std::string& joiner = change.participant.user_id;
  TellThere(conversation, change.participant);
  ToParticipants(
      conversation, joiner,
      [&](const Subscriptions&, Part part) { return WantsParticipant(part, joiner); },
      [&] {
        json::object event = InConversation("participant.created", conversation);
        event["userId"] = joiner;
        event["state"] = wire::EncodeParticipant(World::ParticipantOf(change.participant));
        return Encode(event);
      });
}

void Publisher::On(const ParticipantChanged& change) {
  const ConversationRecord& conversation = change.conversation;
  const std::string& edited = change.participant.user_id;
  EventText text;
  const auto make = [&] {
    if (text != nullptr) return text;
    json::object event = InConversation("participant.edited", conversation);
    event["userId"] = edited;
    json::object diff;
    if (change.access) diff["access"] = wire::EncodeAccess(*change.access);
    if (change.notify) diff["notify"] = wire::EncodeNotify(*change.notify);
    event["diff"] = std::move(diff);
    return text = Encode(event);
  };
  ToUser(
      edited,
      [&](const Subscriptions& all) {
        const Part part = all.In(conversation.id);
        return WantsSide(all, part) || WantsParticipant(part, edited);
      },
      make);
  ToParticipants(
      conversation, edited,
      [&](const Subscriptions&, Part part) { return WantsParticipant(part, edited); }, make);
}

void Publisher::On(const Left& change) {
  const ConversationRecord& conversation = change.conversation;
  TellGone(change.user_id, conversation);
  ToParticipants(
      conversation, "",
      [&](const Subscriptions&, Part part) { return WantsParticipant(part, change.user_id); },
      [&] {
        json::object event = InConversation("participant.deleted", conversation);
        event["userId"] = change.user_id;
        return Encode(event);
      });
}

// --- messages ---

void Publisher::On(const MessageAdded& change) {
  ToParticipants(
      change.conversation, "",
      // Whoever looks at a list of reactions reads it again at every new message.
      [](const Subscriptions& all, Part part) {
        return WantsMessages(all, part) || (part != nullptr && !part->reactions.empty());
      },
      [&] {
        json::object event = InConversation("message.created", change.conversation);
        event["messageId"] = change.message.message.id;
        event["state"] = wire::EncodeMessage(world_.MessageFor("", change.message));
        return Encode(event);
      });
}

void Publisher::On(const MessageChanged& change) {
  ToParticipants(change.conversation, "", WantsMessages, [&] {
    json::object event = InConversation("message.edited", change.conversation);
    event["messageId"] = change.message.message.id;
    event["diff"] = wire::EncodeMessageDiff(change.diff);
    return Encode(event);
  });
}

void Publisher::On(const MessageRemoved& change) {
  const ConversationRecord& conversation = change.conversation;
  const MessageRecord* last = nullptr;
  if (change.was_last && !conversation.messages.empty()) {
    last = &conversation.messages.rbegin()->second;
  }
  const auto wanted = [&](const Subscriptions& all) {
    const Part part = all.In(conversation.id);
    if (WantsMessages(all, part)) return true;
    if (part == nullptr) return false;
    const auto first = part->reactions.lower_bound({change.message_id, ""});
    return first != part->reactions.end() && first->first == change.message_id;
  };
  for (const auto& [user_id, participant] : conversation.participants) {
    ToUser(user_id, wanted, [&, viewer = std::string_view(user_id)] {
      json::object event = InConversation("message.deleted", conversation);
      event["messageId"] = change.message_id;
      if (last != nullptr) {
        event["newLastMessage"] = wire::EncodeMessage(world_.MessageFor(viewer, *last));
      } else if (change.was_last) {
        event["newLastMessage"] = nullptr;
      }
      return Encode(event);
    });
  }
}

void Publisher::On(const ConversationCleared& change) {
  ToParticipants(change.conversation, "", WantsMessages, [&] {
    return Encode(InConversation("conversation.cleared", change.conversation));
  });
}

void Publisher::On(const ReactionChanged& change) {
  const ConversationRecord& conversation = change.conversation;
  const std::string& message_id = change.message.message.id;
  for (const auto& [user_id, participant] : conversation.participants) {
    ToUser(
        user_id,
        [&](const Subscriptions& all) { return WantsMessages(all, all.In(conversation.id)); },
        [&, viewer = std::string_view(user_id)] {
          json::object event = InConversation("message.edited", conversation);
          event["messageId"] = message_id;
          json::object reactions;
          reactions[change.emoji] = EncodeReaction(change.message, change.emoji, viewer);
          event["diff"] = json::object{{"reactions", std::move(reactions)}};
          return Encode(event);
        });
  }
  ToParticipants(
      conversation, "",
      [&](const Subscriptions&, Part part) {
        return part != nullptr && part->reactions.contains({message_id, change.emoji});
      },
      [&] {
        json::object event =
            InConversation(change.added_at ? "reaction.added" : "reaction.removed", conversation);
        event["messageId"] = message_id;
        event["emoji"] = change.emoji;
        event["userId"] = change.user_id;
        if (change.added_at) event["createdAt"] = *change.added_at;
        return Encode(event);
      });
}

// --- typing ---

void Publisher::On(const TypingChanged& change) {
  const ConversationRecord& conversation = change.conversation;
  for (const auto& [user_id, participant] : conversation.participants) {
    if (user_id == change.user_id) continue;
    const auto diff =
        EncodeTypingDiff(World::OthersTyping(conversation, user_id), change.user_id, change.since);
    if (!diff) continue;
    ToUser(
        user_id,
        [&](const Subscriptions& all) { return WantsTyping(all, all.In(conversation.id)); },
        [&] {
          json::object event = InConversation("typing.changed", conversation);
          event["diff"] = *diff;
          return Encode(event);
        });
  }
}

}  // namespace talkjsd::emulator
