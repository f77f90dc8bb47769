// Filters, emoji, content and topics: what is decided without looking at the world.
#include "daemon/emulator/model/content.h"
#include "daemon/emulator/model/emoji.h"
#include "daemon/emulator/model/filter.h"
#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::emulator {
namespace {

wire::Conversation Sample() {
  wire::Conversation c;
  c.id = "c";
  c.created_at = 10;
  c.joined_at = 20;
  c.last_message_at = 30;
  c.subject = "one";
  c.custom = {{"tag", "x"}};
  c.is_unread = true;
  return c;
}

bool Matches(std::string_view filter, const wire::Conversation& conversation = Sample()) {
  const auto parsed = ConversationFilter::Parse(*wire::ParseJson(filter));
  EXPECT_TRUE(parsed.ok()) << filter;
  return parsed.ok() && parsed->Matches(conversation);
}

TEST(ConversationFilterTest, EveryPredicateIsUnderstood) {
  for (const char* filter : {R"({})",
                             R"({"access":["==","ReadWrite"]})",
                             R"({"access":["!=","Read"]})",
                             R"({"access":["oneOf",["Read","ReadWrite"]]})",
                             R"({"subject":["==","one"]})",
                             R"({"subject":["!=",null]})",
                             R"({"subject":["!oneOf",["two",null]]})",
                             R"({"custom":{"tag":"exists"}})",
                             R"({"custom":{"none":"!exists"}})",
                             R"({"custom":{"tag":["oneOf",["x","y"]]}})",
                             R"({"custom":{"none":["!=","x"]}})",
                             R"({"custom":{"none":["!oneOf",["x"]]}})",
                             R"({"isUnread":true})",
                             R"({"hasMessages":true})",
                             R"({"lastActivityAt":[">",29]})",
                             R"({"lastActivityAt":[">=",30]})",
                             R"({"lastActivityAt":["<",31]})",
                             R"({"lastActivityAt":["<=",30]})",
                             R"({"createdAt":["between",[10,11]]})",
                             R"({"joinedAt":["!between",[0,20]]})",
                             R"({"joinedAt":["!between",[9,3]]})",
                             R"({"lastActivityAt":[">",29.5]})",
                             R"({"lastActivityAt":["<=",30.5]})",
                             R"(["any",[{"isUnread":false},{"subject":["==","one"]}]])",
                             R"(["any",[{}]])"}) {
    EXPECT_TRUE(Matches(filter)) << filter;
  }
}

TEST(ConversationFilterTest, EveryPredicateCanFail) {
  for (const char* filter :
       {R"({"access":["==","Read"]})", R"({"subject":["!=","one"]})", R"({"subject":["==",null]})",
        R"({"custom":{"none":["==","x"]}})", R"({"custom":{"none":"exists"}})",
        R"({"custom":{"tag":["!=","x"]}})", R"({"isUnread":false})", R"({"hasMessages":false})",
        R"({"lastActivityAt":[">",30]})", R"({"lastActivityAt":["<",30]})",
        R"({"createdAt":["between",[0,10]]})", R"({"createdAt":["between",[11,2]]})",
        R"({"isUnread":true,"subject":["==","two"]})", R"(["any",[]])",
        R"(["any",[{"isUnread":false},{"hasMessages":false}]])"}) {
    EXPECT_FALSE(Matches(filter)) << filter;
  }
}

TEST(ConversationFilterTest, NoMessagesMeansActivityAtJoining) {
  wire::Conversation quiet = Sample();
  quiet.last_message_at = quiet.joined_at;
  EXPECT_TRUE(Matches(R"({"hasMessages":false})", quiet));
}

TEST(ConversationFilterTest, AnythingElseIsABadRequest) {
  for (const char* filter :
       {"[]", "7", "null", R"(["all",[]])", R"(["any",{}])", R"(["any",[["any",[]]]])",
        R"({"colour":["==","x"]})", R"({"subject":"one"})", R"({"subject":["=","one"]})",
        R"({"subject":["!==","one"]})", R"({"subject":["oneOf","one"]})", R"({"subject":["==",1]})",
        R"({"custom":[]})", R"({"custom":{"a":"maybe"}})", R"({"isUnread":1})",
        R"({"createdAt":["==",1]})", R"({"createdAt":[">","1"]})",
        R"({"createdAt":["between",[1]]})", R"({"createdAt":["between",[1,"2"]]})"}) {
    const auto parsed = ConversationFilter::Parse(*wire::ParseJson(filter));
    EXPECT_EQ(Verdict(parsed.status()), "400 BAD_REQUEST") << filter;
  }
}

TEST(EmojiTest, AnUnneededVariationSelectorIsDropped) {
  EXPECT_EQ(NormalizeEmoji("👍\xEF\xB8\x8F"), "👍");
  EXPECT_EQ(NormalizeEmoji("⭐\xEF\xB8\x8F"), "⭐");
  EXPECT_EQ(NormalizeEmoji("❤\xEF\xB8\x8F"), "❤\xEF\xB8\x8F") << "not an emoji without it";
  EXPECT_EQ(NormalizeEmoji("👋\xEF\xB8\x8F🏽"), "👋🏽");
  EXPECT_EQ(NormalizeEmoji("🕷\xEF\xB8\x8F"), "🕷\xEF\xB8\x8F");
  EXPECT_EQ(NormalizeEmoji(":cat:"), ":cat:");
}

TEST(EmojiTest, AMissingVariationSelectorIsPutIn) {
  EXPECT_EQ(NormalizeEmoji("❤"), "❤\xEF\xB8\x8F");
  EXPECT_EQ(NormalizeEmoji("🕷"), "🕷\xEF\xB8\x8F");
  EXPECT_EQ(NormalizeEmoji("1\u20E3"), "1\xEF\xB8\x8F\u20E3");
  EXPECT_EQ(NormalizeEmoji("🏃\u200D♂"), "🏃\u200D♂\xEF\xB8\x8F");
  EXPECT_EQ(NormalizeEmoji("🏳\u200D🌈"), "🏳\xEF\xB8\x8F\u200D🌈");
  EXPECT_EQ(NormalizeEmoji("☝🏽"), "☝🏽") << "a skin tone makes it an emoji";
  EXPECT_EQ(NormalizeEmoji("é"), "é") << "what is none stays";
}

TEST(EmojiTest, NamesAreEmojiOrShortCustomNames) {
  EXPECT_TRUE(IsReactionName("👍"));
  EXPECT_TRUE(IsReactionName("1️⃣"));
  EXPECT_TRUE(IsReactionName("👩‍👩‍👧‍👦"));
  EXPECT_TRUE(IsReactionName(":cat-roomba:"));
  EXPECT_FALSE(IsReactionName("::"));
  EXPECT_FALSE(IsReactionName(":cat"));
  EXPECT_FALSE(IsReactionName(":" + std::string(49, 'x') + ":"));
  EXPECT_TRUE(IsReactionName("🇳🇱"));
  EXPECT_TRUE(IsReactionName("🏴󠁧󠁢󠁷󠁬󠁳󠁿"));
  EXPECT_TRUE(IsReactionName("❤"));
  EXPECT_TRUE(IsReactionName("👋🏽"));
  std::string longest = ":";
  for (int i = 0; i < 48; ++i) longest.append("é");
  EXPECT_TRUE(IsReactionName(longest + ":")) << "characters count, not bytes";
  EXPECT_FALSE(IsReactionName("hello"));
  EXPECT_FALSE(IsReactionName("é"));
  EXPECT_FALSE(IsReactionName("👍👍"));
  EXPECT_FALSE(IsReactionName("👍 "));
  EXPECT_FALSE(IsReactionName("🇳"));
  EXPECT_FALSE(IsReactionName("👩\u200D"));
  EXPECT_FALSE(IsReactionName("1"));
  EXPECT_FALSE(IsReactionName("\xF0\x9F"));
  EXPECT_FALSE(IsReactionName(""));
}

std::string CheckJson(std::string_view content, ContentRules rules = {}) {
  const auto blocks = wire::DecodeContent(*wire::ParseJson(content));
  EXPECT_TRUE(blocks.ok()) << content;
  return Verdict(CheckContent(*blocks, rules));
}

TEST(ContentTest, OrdinaryBlocksPass) {
  for (
      const char* content :
      {R"([{"type":"text","children":["a",{"type":"bold","children":["b"]}]}])",
       R"([{"type":"location","latitude":-90,"longitude":180}])",
       R"([{"type":"text","children":[{"type":"autolink","url":"https://X.org/a","text":"x.org/a"}]}])",
       R"([{"type":"text","children":[{"type":"autolink","url":"mailto:a@b.nl","text":"A@b.nl"}]}])",
       R"([{"type":"text","children":[{"type":"autolink","url":"tel:+31612345678","text":"+31 6 1234 5678"}]}])"}) {
    EXPECT_EQ(CheckJson(content), "OK") << content;
  }
}

TEST(ContentTest, WhatTalkJsRefusesIsRefused) {
  for (
      const char* content :
      {"[]", R"([{"type":"text","children":[]}])",
       R"([{"type":"text","children":["a"]},{"type":"text","children":["b"]}])",
       R"([{"type":"location","latitude":90.1,"longitude":0}])", R"([{"type":"poll"}])",
       R"([{"type":"text","children":["a",{"type":"bold","children":[{"type":"quote"}]}]}])",
       R"([{"type":"text","children":[{"type":"autolink","url":"https://evil.org","text":"x.org"}]}])"}) {
    EXPECT_EQ(CheckJson(content), "400 BAD_REQUEST") << content;
  }
  constexpr std::string_view kLink =
      R"([{"type":"text","children":[{"type":"link","url":"https://x.org","children":["x"]}]}])";
  EXPECT_EQ(CheckJson(kLink), "403 UNAUTHORIZED_TO_SEND");
  EXPECT_EQ(CheckJson(kLink, {.users_may_send_links = true}), "OK");
}

std::string CheckLink(const std::string& url, const std::string& text) {
  return CheckJson(R"([{"type":"text","children":[{"type":"autolink","url":")" + url +
                   R"(","text":")" + text + R"("}]}])");
}

TEST(ContentTest, AnAutomaticLinkShowsWhereItLeads) {
  const std::pair<const char*, const char*> kHonest[] = {
      {"https://talkjs.com/docs/x#y", "talkjs.com"},
      {"http://talkjs.com/docs", "talkjs.com/docs"},
      {"https://talkjs.com/a?b#c", "HTTPS://TalkJS.com/a?b#c"},
      {"http://me", "http://me"},
      {"//talkjs.com", "//talkjs.com"},
      {"talkjs.com:x.com", "talkjs.com:x.com"},
  };
  for (const auto& [url, text] : kHonest) EXPECT_EQ(CheckLink(url, text), "OK") << url;
  const std::pair<const char*, const char*> kFalse[] = {
      {"https://talkjs.com/a", "talkjs.com/b"},  {"https://talkjs.com/a", "https://talkjs.com/a?b"},
      {"https://talkjs.com/a", "talkjs.com#a"},  {"https://talkjs.com", "http://talkjs.com"},
      {"ftp://talkjs.com", "talkjs.com"},        {"https://talkjs.com@evil.org", "talkjs.com"},
      {"https://talkjs.com:8080", "talkjs.com"}, {"javascript:alert(1)", "javascript:alert(1)"},
  };
  for (const auto& [url, text] : kFalse) EXPECT_EQ(CheckLink(url, text), "400 BAD_REQUEST") << url;
}

TEST(TopicTest, EverySubscribablePathIsKnownAndNoOther) {
  for (const char* path :
       {"/users/u", "/users/u/online", "/me/conversations", "/me/conversations/c%2Fd",
        "/me/conversations/c/messages", "/me/conversations/c/participants",
        "/me/conversations/c/participants/u", "/me/conversations/c/typing",
        "/me/conversations/c/messages/m/reactions/%F0%9F%91%8D"}) {
    EXPECT_TRUE(ParseTopic(*wire::SplitPath(path)).has_value()) << path;
  }
  for (const char* path : {"/", "/users", "/me", "/users/u/offline", "/me/conversations/c/nothing",
                           "/me/conversations/c/messages/m", "/conversations/c"}) {
    EXPECT_FALSE(ParseTopic(*wire::SplitPath(path)).has_value()) << path;
  }
}

}  // namespace
}  // namespace talkjsd::emulator
