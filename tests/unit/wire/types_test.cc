#include "daemon/wire/types.h"

#include <gtest/gtest.h>

#include "daemon/wire/json.h"

namespace talkjsd::wire {
namespace {

json::value Parsed(std::string_view text) { return ParseJson(text).value(); }

Message WithReactions(std::string_view diff, std::map<std::string, Reaction> reactions) {
  Message message;
  message.reactions = std::move(reactions);
  DecodeMessageDiff(Parsed(diff))->ApplyTo(message);
  return message;
}

TEST(ApplyTest, CustomIsPatchedKeyByKey) {
  CustomMap custom{{"a", "1"}, {"b", "2"}};
  ApplyCustom({}, custom);
  EXPECT_EQ(custom, (CustomMap{{"a", "1"}, {"b", "2"}}));
  ApplyCustom(
      Patch<CustomPatch>::Of({{"a", std::nullopt}, {"b", "3"}, {"c", "4"}, {"d", std::nullopt}}),
      custom);
  EXPECT_EQ(custom, (CustomMap{{"b", "3"}, {"c", "4"}}));
  ApplyCustom(Patch<CustomPatch>::Null(), custom);
  EXPECT_EQ(custom, CustomMap{});
}

TEST(ApplyTest, ConversationTakesWhatTheDiffNames) {
  Conversation conversation;
  conversation.id = "c";
  conversation.subject = "old";
  conversation.photo_url = "p";
  conversation.welcome_messages = {"w"};
  const Conversation before = conversation;
  ConversationDiff{}.ApplyTo(conversation);
  EXPECT_EQ(conversation, before);

  DecodeConversationDiff(
      Parsed(
          R"({"subject":null,"welcomeMessages":null,"lastMessageAt":9,"unreadMessageCount":2,"isUnread":true,
      "access":"Read","notify":false,"readUntil":3,"everyoneReadUntil":4,"custom":{"k":"v"}})"))
      ->ApplyTo(conversation);
  Conversation expected = before;
  expected.subject = std::nullopt;
  expected.welcome_messages = {};
  expected.last_message_at = 9;
  expected.unread_message_count = 2;
  expected.is_unread = true;
  expected.access = Access::kRead;
  expected.notify = Notify::kOff;
  expected.read_until = 3;
  expected.everyone_read_until = 4;
  expected.custom = {{"k", "v"}};
  EXPECT_EQ(conversation, expected);
}

TEST(ApplyTest, UserTakesWhatTheDiffNames) {
  User user{"u", "Old", {}, "en", "p", "default", "hello"};
  DecodeUserDiff(Parsed(R"({"name":"New","locale":null,"role":"vip","welcomeMessage":"hi"})"))
      ->ApplyTo(user);
  EXPECT_EQ(user, (User{"u", "New", {}, std::nullopt, "p", "vip", "hi"}));
}

TEST(ApplyTest, MessageTakesWhatTheDiffNames) {
  Message message;
  message.edited_at = 1;
  message.content.resize(1);
  DecodeMessageDiff(Parsed(R"({"content":[],"editedAt":5,"custom":{"k":"v"}})"))->ApplyTo(message);
  EXPECT_TRUE(message.content.empty());
  EXPECT_EQ(message.edited_at, 5);
  EXPECT_EQ(message.custom, (CustomMap{{"k", "v"}}));
}

TEST(ApplyTest, ReactionsAreMergedByEmoji) {
  const Reaction two{2, 10, false};
  using Reactions = std::map<std::string, Reaction>;
  EXPECT_EQ(WithReactions(R"({"reactions":null})", {{"a", two}}).reactions, Reactions{});
  EXPECT_EQ(WithReactions(R"({})", {{"a", two}}).reactions, (Reactions{{"a", two}}));
  EXPECT_EQ(WithReactions(R"({"reactions":{"a":null}})", {{"a", two}, {"b", two}}).reactions,
            (Reactions{{"b", two}}));
  EXPECT_EQ(
      WithReactions(R"({"reactions":{"a":{"count":3,"currentUserReacted":true}}})", {{"a", two}})
          .reactions,
      (Reactions{{"a", Reaction{3, 10, true}}}));
  EXPECT_EQ(WithReactions(R"({"reactions":{"a":{"count":0}}})", {{"a", two}}).reactions,
            Reactions{});
  EXPECT_EQ(WithReactions(
                R"({"reactions":{"b":{"count":1,"createdAt":5,"currentUserReacted":true}}})", {})
                .reactions,
            (Reactions{{"b", Reaction{1, 5, true}}}));
  // Part of an emoji that was never seen says nothing.
  EXPECT_EQ(WithReactions(R"({"reactions":{"b":{"count":1}}})", {}).reactions, Reactions{});
}

}  // namespace
}  // namespace talkjsd::wire
