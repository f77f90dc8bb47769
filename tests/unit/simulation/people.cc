#include "tests/unit/simulation/people.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::simulation {
namespace {

using emulator::ConversationRecord;
using emulator::MessageRecord;
using emulator::World;
using std::chrono::milliseconds;

constexpr int kFriends = 40;
constexpr int kGroupSize = 5;

std::string TextOf(const wire::Message& message) {
  return message.content.empty() || message.content[0].children.empty()
             ? ""
             : message.content[0].children[0].text;
}

}  // namespace

People::People(Schedule& schedule, SimUpstream& upstream, uint64_t seed, int users)
    : schedule_(schedule), upstream_(upstream), random_(seed) {
  for (int i = 0; i < kFriends; ++i) AddUser(friends_.emplace_back("friend-" + std::to_string(i)));
  for (int i = 0; i < users; ++i) AddUser(users_.emplace_back("user-" + std::to_string(i)));
  for (int i = 0; i < users; ++i) AddConversation(Own(i), {users_[i], friends_[i % kFriends]});
  for (int i = 0; i < users; ++i) {
    AddConversation("other-" + std::to_string(i), {users_[i], friends_[(i + 7) % kFriends]});
  }
  for (int i = 0; i + kGroupSize <= users; i += kGroupSize) {
    std::vector<std::string> members(users_.begin() + i, users_.begin() + i + kGroupSize);
    members.push_back(friends_[Pick(kFriends)]);
    AddConversation("group-" + std::to_string(i), members);
  }
  for (int i = 0; i < kManyConversations; ++i) {
    AddConversation(Many(i), {users_[0], friends_[i % kFriends]});
  }
  for (const std::string& conversation : conversations_) {
    for (size_t i = Pick(4); i > 0; --i) SaySomething(conversation);
  }
}

void People::AddUser(const std::string& id) {
  ASSERT_TRUE(upstream_.world().PutUser(id, emulator::Named(id)).ok());
}

void People::AddConversation(const std::string& id, const std::vector<std::string>& members) {
  ASSERT_TRUE(upstream_.world().CreateConversation(id, {}).ok());
  for (const std::string& member : members) Join(id, member);
  conversations_.push_back(id);
}

void People::Join(const std::string& conversation, const std::string& user) {
  const absl::Status joined = upstream_.world().WriteParticipant(
      user, conversation, user, World::JoinMode::kCreateOrUpdate, {});
  EXPECT_TRUE(joined.ok()) << joined;
  upstream_.app().Settle();
}

void People::SaySomething(const std::string& conversation) {
  const ConversationRecord* record = upstream_.world().LookUpConversation(conversation);
  if (record->participants.empty()) return;
  auto sender = record->participants.begin();
  // Friends speak more often than those with a session: their names come first.
  if (Pick(10) == 0) std::advance(sender, Pick(record->participants.size()));
  const std::string text = "text " + std::to_string(++last_text_);
  const auto id =
      upstream_.world().SendMessage(sender->first, conversation, emulator::TextMessage(text));
  upstream_.app().Settle();
  ASSERT_TRUE(id.ok()) << id.status();
  created_at_[*id] = upstream_.world().FindMessage(*id)->message.created_at;
}

void People::Chat(Duration time, int messages) {
  for (int i = 0; i < messages; ++i) {
    schedule_.After(Until(time), [this] { SaySomething(SomeConversation()); });
  }
}

void People::Flood(Duration from_now, const std::string& conversation, int messages, Duration gap) {
  for (int i = 0; i < messages; ++i) {
    schedule_.After(from_now + i * gap, [this, conversation] { SaySomething(conversation); });
  }
}

void People::Meddle(Duration time, int deeds, UnixMillis since) {
  for (int i = 0; i < deeds; ++i) {
    schedule_.After(Until(time), [this, since] { DoSomething(since); });
  }
}

void People::DoSomething(UnixMillis since) {
  World& world = upstream_.world();
  const std::string conversation = SomeConversation();
  const ConversationRecord* record = world.LookUpConversation(conversation);
  if (record->participants.empty()) return;
  auto member = record->participants.begin();
  std::advance(member, Pick(record->participants.size()));
  const std::string user = member->first;
  const auto first = record->messages.lower_bound({since + 1, 0});
  const auto count = static_cast<size_t>(std::distance(first, record->messages.end()));
  const std::string message = count == 0 ? "" : std::next(first, Pick(count))->second.message.id;
  switch (Pick(6)) {
    case 0:
    case 1: {
      if (message.empty()) return;
      emulator::MessageWrite write;
      write.content = emulator::TextMessage("edited " + std::to_string(++last_text_)).content;
      ASSERT_TRUE(world.EditAnyMessage(conversation, message, write).ok());
      break;
    }
    case 2:
      if (message.empty()) return;
      ASSERT_TRUE(world.DeleteAnyMessage(conversation, message).ok());
      break;
    case 3:
      ASSERT_TRUE(world.MarkRead(user, conversation).ok());
      break;
    case 4:
      if (conversation.starts_with("own-")) return;
      ASSERT_TRUE(world.RemoveParticipant(user, conversation, user).ok());
      // Half of them come back, some hours later.
      if (Pick(2) == 0) {
        schedule_.After(Until(std::chrono::hours(3)),
                        [this, conversation, user] { Join(conversation, user); });
      }
      break;
    case 5:
      Join(conversation, users_[Pick(users_.size())]);
      break;
  }
  upstream_.app().Settle();
}

std::map<std::string, std::vector<Said>> People::HeldFor(const std::string& user,
                                                         UnixMillis since) const {
  std::map<std::string, std::vector<Said>> held;
  for (const ConversationRecord* record : upstream_.world().ConversationsOf(user)) {
    const UnixMillis joined_at = record->participants.at(user).joined_at;
    std::vector<Said>& messages = held[record->id];
    const auto begin = record->messages.lower_bound({std::max(since, joined_at) + 1, 0});
    for (auto it = begin; it != record->messages.end(); ++it) {
      const wire::Message& message = it->second.message;
      messages.push_back({message.id, message.created_at, TextOf(message)});
    }
  }
  return held;
}

std::map<std::string, std::pair<int64_t, std::string>> People::UnreadsOf(
    const std::string& user) const {
  std::map<std::string, std::pair<int64_t, std::string>> unreads;
  for (const ConversationRecord* record : upstream_.world().ConversationsOf(user)) {
    const wire::Conversation side = World::SideOf(*record, record->participants.at(user));
    if (!side.is_unread || record->messages.empty()) continue;
    unreads[record->id] = {side.unread_message_count, record->messages.rbegin()->second.message.id};
  }
  return unreads;
}

}  // namespace talkjsd::simulation
