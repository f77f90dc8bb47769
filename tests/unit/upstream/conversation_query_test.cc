#include "daemon/upstream/conversation_query.h"

#include <gtest/gtest.h>

namespace talkjsd::upstream {
namespace {

ConversationMatch Subject(bool negated, std::vector<std::optional<std::string>> values) {
  ConversationMatch match;
  match.subject = TextMatch{negated, std::move(values)};
  return match;
}

ConversationMatch Created(std::optional<UnixMillis> start, std::optional<UnixMillis> end,
                          bool negated = false) {
  ConversationMatch match;
  match.created_at = TimeMatch{start, end, negated};
  return match;
}

TEST(ConversationQuery, AlternativesAreOfTheirOwnOrOneOfAny) {
  EXPECT_EQ(EncodeFilter({}), R"(["any",[]])");
  EXPECT_EQ(EncodeFilter({Subject(false, {"a"})}), R"({"subject":["==","a"]})");
  EXPECT_EQ(EncodeFilter({Subject(false, {"a"}), Subject(true, {"b"})}),
            R"(["any",[{"subject":["==","a"]},{"subject":["!=","b"]}]])");
  EXPECT_EQ(EncodeFilter({Subject(false, {"a"}), ConversationMatch()}), "{}");
}

TEST(ConversationQuery, TextsAreOneOfSeveralAndMayBeNull) {
  EXPECT_EQ(EncodeFilter({Subject(false, {"a", std::nullopt})}),
            R"({"subject":["oneOf",["a",null]]})");
  EXPECT_EQ(EncodeFilter({Subject(true, {"a", "b"})}), R"({"subject":["!oneOf",["a","b"]]})");
  EXPECT_EQ(EncodeFilter({Subject(true, {std::nullopt})}), R"({"subject":["!=",null]})");
}

TEST(ConversationQuery, WhatNeverHoldsLeavesAndWhatAlwaysHoldsIsNotSaid) {
  EXPECT_EQ(EncodeFilter({Subject(false, {})}), R"(["any",[]])");
  EXPECT_EQ(EncodeFilter({Subject(true, {})}), "{}");
  EXPECT_EQ(EncodeFilter({Subject(false, {}), Subject(false, {"a"})}), R"({"subject":["==","a"]})");
  EXPECT_EQ(EncodeFilter({Created(5, 5)}), R"(["any",[]])");
  EXPECT_EQ(EncodeFilter({Created(5, 5, true)}), "{}");
  ConversationMatch custom;
  custom.custom["k"].value = TextMatch{false, {}};
  EXPECT_EQ(EncodeFilter({custom}), R"(["any",[]])");
}

TEST(ConversationQuery, TimesIncludeTheirStartAndNotTheirEnd) {
  EXPECT_EQ(EncodeFilter({Created(1, std::nullopt)}), R"({"createdAt":[">=",1]})");
  EXPECT_EQ(EncodeFilter({Created(std::nullopt, 2)}), R"({"createdAt":["<",2]})");
  EXPECT_EQ(EncodeFilter({Created(1, 2)}), R"({"createdAt":["between",[1,2]]})");
  EXPECT_EQ(EncodeFilter({Created(1, 2, true)}), R"({"createdAt":["!between",[1,2]]})");
}

TEST(ConversationQuery, EverythingTogetherIsOneObject) {
  ConversationMatch match;
  match.access = TextMatch{false, {"Read"}};
  match.custom["kind"].value = TextMatch{true, {"x"}};
  match.custom["a"].exists = true;
  match.custom["b"].exists = false;
  match.is_unread = false;
  match.has_messages = true;
  match.last_message_at = TimeMatch{7, std::nullopt, false};
  match.joined_at = TimeMatch{std::nullopt, 9, false};
  EXPECT_EQ(EncodeFilter({match}),
            R"({"access":["==","Read"],"custom":{"a":"exists","b":"!exists","kind":["!=","x"]},)"
            R"("isUnread":false,"hasMessages":true,"lastActivityAt":[">=",7],"joinedAt":["<",9]})");
  EXPECT_EQ(ListConversations(30, {match}).path, "/me/conversations");
  EXPECT_EQ(ListConversations(5, std::vector<ConversationMatch>{}).data,
            R"({"limit":5,"filter":["any",[]]})");
}

}  // namespace
}  // namespace talkjsd::upstream
