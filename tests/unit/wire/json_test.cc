#include "daemon/wire/json.h"

#include <gtest/gtest.h>

#include "daemon/wire/markup.h"
#include "daemon/wire/plaintext.h"

namespace talkjsd::wire {
namespace {

constexpr std::string_view kUser =
    R"({"id":"alice","name":"Alice","custom":{"k":"v"},"locale":null,"photoUrl":"p","role":"default","welcomeMessage":null})";
constexpr std::string_view kConversation =
    R"({"id":"c1","createdAt":1,"subject":null,"photoUrl":null,"welcomeMessages":["w"],"custom":{},"lastMessageAt":2,)"
    R"("unreadMessageCount":3,"isUnread":true,"access":"Read","notify":"MentionsOnly","readUntil":4,)"
    R"("everyoneReadUntil":5,"joinedAt":6})";
constexpr std::string_view kMessage =
    R"({"id":"m","type":"UserMessage","senderId":"bob","custom":{},"createdAt":7,"editedAt":8,"referencedMessageId":"r",)"
    R"("origin":"rest","content":[{"type":"text","children":["hi"]}],)"
    R"("reactions":{"👍":{"count":2,"createdAt":9,"currentUserReacted":true}}})";

json::value Json(std::string_view text) { return ParseJson(text).value(); }

// `text` with the property `name` set to `value`, or without it if `value` is empty.
json::value With(std::string_view text, std::string_view name, std::string_view value) {
  json::value changed = Json(text);
  if (value.empty()) {
    changed.as_object().erase(name);
  } else {
    changed.as_object()[name] = Json(value);
  }
  return changed;
}

std::string Text(const absl::Status& status) { return std::string(status.message()); }

TEST(ParseJsonTest, MalformedTextIsRefusedWithItsPosition) {
  const struct {
    std::string_view text;
    std::string_view position;
  } kCases[] = {
      {"", "at byte 0"},
      {"   ", "at byte 3"},
      {"[1,2", "at byte 4"},
      {"{\"a\":", "at byte 5"},
      {"[1,]", "at byte 3"},
      {"{'a':1}", "at byte 1"},
      {"nul", "at byte 3"},
      {"[1] x", "at byte 4"},
      {"[1][2]", "at byte 3"},
      {"01", "at byte 1"},
      {"+1", "at byte 0"},
      {"\"\t\"", "at byte 1"},
      {"\"\xFF\"", "at byte 1"},
      {"[\"\xC0\x80\"]", "at byte"},
      {"\"\xED\xA0\x80\"", "at byte"},
      {R"("\ud800")", "at byte"},
      {R"("\x")", "at byte"},
      {"// comment\n1", "at byte 0"},
      {std::string_view("\0", 1), "at byte 0"},
      {"NaN", "at byte 0"},
  };
  for (const auto& test : kCases) {
    const absl::StatusOr<json::value> value = ParseJson(test.text);
    ASSERT_FALSE(value.ok()) << test.text;
    EXPECT_EQ(value.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(Text(value.status()).find(test.position), std::string::npos)
        << test.text << ": " << value.status();
  }
}

TEST(ParseJsonTest, WhiteSpaceAroundTheValueIsFine) {
  EXPECT_EQ(Json(" \r\n\t[1] \n"), Json("[1]"));
}

TEST(ParseJsonTest, NestingStopsAt32Levels) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(ParseJson(nested(32)).ok());
  EXPECT_FALSE(ParseJson(nested(33)).ok());
  EXPECT_FALSE(ParseJson(nested(100000)).ok());
  EXPECT_FALSE(ParseJson(std::string(1 << 20, '[')).ok());
}

TEST(ParseJsonTest, SizeStopsAtTheLimit) {
  EXPECT_TRUE(ParseJson("\"12345678\"", 10).ok());
  EXPECT_EQ(Text(ParseJson("\"123456789\"", 10).status()), "JSON of 11 bytes; the limit is 10");
}

TEST(ParseJsonTest, LastOfEqualKeysWins) {
  EXPECT_EQ(Json(R"({"a":1,"a":2})"), Json(R"({"a":2})"));
}

TEST(EntityTest, EncodingGivesBackEveryProperty) {
  EXPECT_EQ(EncodeUser(DecodeUser(Json(kUser)).value()), Json(kUser));
  EXPECT_EQ(EncodeConversation(DecodeConversation(Json(kConversation)).value()),
            Json(kConversation));
  EXPECT_EQ(EncodeMessage(DecodeMessage(Json(kMessage)).value()), Json(kMessage));
}

TEST(EntityTest, EncodingKeepsTheDocumentedOrder) {
  EXPECT_EQ(json::serialize(EncodeUser(DecodeUser(Json(kUser)).value())), kUser);
  EXPECT_EQ(json::serialize(EncodeConversation(DecodeConversation(Json(kConversation)).value())),
            kConversation);
  EXPECT_EQ(json::serialize(EncodeMessage(DecodeMessage(Json(kMessage)).value())), kMessage);
}

TEST(EntityTest, UnknownPropertiesAreIgnored) {
  EXPECT_EQ(DecodeUser(With(kUser, "badge", "[1]")).value(), DecodeUser(Json(kUser)).value());
  EXPECT_TRUE(DecodeMessage(With(kMessage, "conversationId", "\"c\"")).ok());
}

TEST(EntityTest, WrongPropertiesAreNamed) {
  const struct {
    std::string_view name;
    std::string_view value;  // empty: left out
    std::string_view message;
  } kConversationCases[] = {
      {"id", "", "id: missing"},
      {"id", "5", "id: not a string"},
      {"id", "null", "id: not a string"},
      {"lastMessageAt", "", "lastMessageAt: missing"},
      {"lastMessageAt", "null", "lastMessageAt: not an integer"},
      {"lastMessageAt", "\"1\"", "lastMessageAt: not an integer"},
      {"lastMessageAt", "1.5", "lastMessageAt: not an integer"},
      {"lastMessageAt", "1e300", "lastMessageAt: not an integer"},
      {"lastMessageAt", "9223372036854775808", "lastMessageAt: not an integer"},
      {"lastMessageAt", "-99999999999999999999", "lastMessageAt: not an integer"},
      {"isUnread", "1", "isUnread: neither true nor false"},
      {"access", "\"Write\"", "access: neither \"ReadWrite\" nor \"Read\""},
      {"notify", "\"true\"", "notify: neither true, false nor \"MentionsOnly\""},
      {"subject", "[]", "subject: not a string"},
      {"welcomeMessages", "{}", "welcomeMessages: not an array"},
      {"welcomeMessages", "[\"a\",1]", "welcomeMessages: item 1: not a string"},
      {"custom", "[]", "custom: not an object"},
      {"custom", "{\"k\":null}", "custom: k: not a string"},
  };
  for (const auto& test : kConversationCases) {
    const auto decoded = DecodeConversation(With(kConversation, test.name, test.value));
    EXPECT_EQ(Text(decoded.status()), test.message);
  }
  const struct {
    std::string_view name;
    std::string_view value;
    std::string_view message;
  } kMessageCases[] = {
      {"type", "\"Robot\"", "type: neither \"UserMessage\" nor \"SystemMessage\""},
      {"content", "", "content: missing"},
      {"content", "{}", "content: not an array"},
      {"content", "[[]]", "content: block 0: not an object"},
      {"content", "[{}]", "content: block 0: type: missing"},
      {"content", R"([{"type":"text"}])", "content: block 0: children: missing"},
      {"content", R"([{"type":"text","children":[1]}])",
       "content: block 0: children: neither a string nor an object"},
      {"content", R"([{"type":"text","children":[{"type":"bold","children":"x"}]}])",
       "content: block 0: children: bold: children: not an array"},
      {"content", R"([{"type":"file","size":1}])", "content: block 0: fileToken: missing"},
      {"content", R"([{"type":"file","fileToken":"t","size":"1"}])",
       "content: block 0: size: not an integer"},
      {"content", R"([{"type":"location","latitude":true,"longitude":1}])",
       "content: block 0: latitude: not a number"},
      {"reactions", R"({"x":{"count":1}})", "reactions: x: createdAt: missing"},
      {"reactions", "[]", "reactions: not an object"},
  };
  for (const auto& test : kMessageCases) {
    const auto decoded = DecodeMessage(With(kMessage, test.name, test.value));
    EXPECT_EQ(Text(decoded.status()), test.message);
  }
  EXPECT_EQ(Text(DecodeUser(Json("[]")).status()), "not an object");
  EXPECT_EQ(Text(DecodeParticipant(Json(R"({"id":"b","access":"Read","notify":true})")).status()),
            "joinedAt: missing");
}

TEST(EntityTest, WholeNumbersMayBeWrittenWithAnExponent) {
  EXPECT_EQ(DecodeConversation(With(kConversation, "joinedAt", "1.7e12"))->joined_at,
            1700000000000);
}

TEST(EntityTest, AbsentCollectionsAndNullablesAreEmpty) {
  const absl::StatusOr<Message> message =
      DecodeMessage(Json(R"({"id":"m","type":"SystemMessage","createdAt":1,"content":[]})"));
  ASSERT_TRUE(message.ok()) << message.status();
  EXPECT_TRUE(message->is_system);
  EXPECT_EQ(message->sender_id, std::nullopt);
  EXPECT_TRUE(message->reactions.empty());
}

TEST(ContentTest, BothSpellingsOfNodesDecodeAndCamelCaseIsWritten) {
  const json::value camel = Json(
      R"([{"type":"text","children":["a",{"type":"bulletList","children":[{"type":"bulletPoint","children":[
      {"type":"bold","children":["b"]},{"type":"italic","children":[]},{"type":"strikethrough","children":["s"]}]}]},
      {"type":"codeSpan","text":"c"},{"type":"autoLink","url":"u","text":"t"},
      {"type":"link","url":"u","children":["l"]},
      {"type":"actionLink","action":"a","params":{"k":"v"},"children":["x"]},
      {"type":"actionButton","action":"a","params":{},"children":["x"]},
      {"type":"mention","id":"i","text":"n"},{"type":"customEmoji","text":":e:"}]}])");
  std::string lower = json::serialize(camel);
  for (const std::string_view name : {"bulletList", "bulletPoint", "codeSpan", "autoLink",
                                      "actionLink", "actionButton", "customEmoji"}) {
    const size_t at = lower.find("\"" + std::string(name));
    ASSERT_NE(at, std::string::npos) << name;
    for (size_t i = at; i < at + name.size() + 1; ++i) {
      lower[i] = static_cast<char>(std::tolower(static_cast<unsigned char>(lower[i])));
    }
  }
  ASSERT_NE(json::serialize(camel), lower);
  EXPECT_EQ(json::value(EncodeContent(DecodeContent(camel).value())), camel);
  EXPECT_EQ(json::value(EncodeContent(DecodeContent(Json(lower)).value())), camel);
}

TEST(ContentTest, UnknownNodesKeepTheirJsonAndCanBeRead) {
  const json::value text = Json(
      R"([{"type":"text","children":["a ",{"type":"quote","by":[1,null],"children":
      ["b ",{"type":"bold","children":["c ",{"type":"spoiler","text":"d "}]}]},
      {"type":"rule"},{"type":"table","children":{"rows":7},"text":["e"]},"f"]}])");
  const auto content = DecodeContent(text);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(json::value(EncodeContent(*content)), text);
  const std::vector<TextNode>& nodes = content->front().children;
  ASSERT_EQ(nodes.size(), 5U);
  EXPECT_EQ(nodes[1].kind, TextNode::Kind::kUnknown);
  EXPECT_EQ(nodes[2].text, R"({"type":"rule"})");
  EXPECT_EQ(PlainText(*content), "a b c d f");
  EXPECT_EQ(MarkupOf(nodes), "a b *c d *f");
}

TEST(ContentTest, UnknownNodesThatCannotBeWrittenKeepTheirType) {
  const auto content =
      DecodeContent(Json(R"([{"type":"text","children":[{"type":"chart","height":1e999}]}])"));
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ(content->front().children[0].text, R"({"type":"chart"})");
  EXPECT_EQ(json::value(EncodeContent(*content)),
            Json(R"([{"type":"text","children":[{"type":"chart"}]}])"));
}

TEST(ContentTest, UnknownBlocksKeepTheirJson) {
  const json::value poll = Json(R"([{"type":"poll","options":["a",{"n":1}]}])");
  const auto content = DecodeContent(poll);
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ((*content)[0].kind, ContentBlock::Kind::kUnknown);
  EXPECT_EQ((*content)[0].unknown_json, R"({"type":"poll","options":["a",{"n":1}]})");
  EXPECT_EQ(json::value(EncodeContent(*content)), poll);
}

TEST(ContentTest, UnknownBlocksThatCannotBeWrittenKeepTheirType) {
  const auto content = DecodeContent(Json(R"([{"type":"poll","votes":1e999}])"));
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_EQ((*content)[0].unknown_json, R"({"type":"poll"})");
}

TEST(ContentTest, FilesAndLocations) {
  const json::value received = Json(
      R"([{"type":"file","subtype":"video","fileToken":"t","url":"u","filename":"f","size":12,
      "width":640,"height":480,"duration":12.5},{"type":"location","latitude":52.5,"longitude":-4}])");
  EXPECT_EQ(json::value(EncodeContent(DecodeContent(received).value())), received);
  const json::value sent = Json(R"([{"type":"file","fileToken":"t"}])");
  EXPECT_EQ(json::value(EncodeContent(DecodeContent(sent).value())), sent);
}

TEST(ContentTest, WholeNumbersAreWrittenWithoutAFraction) {
  EXPECT_EQ(
      json::serialize(EncodeContent(
          DecodeContent(Json(R"([{"type":"location","latitude":5.0,"longitude":0}])")).value())),
      R"([{"type":"location","latitude":5,"longitude":0}])");
}

TEST(DiffTest, AbsentNullAndValueStayApart) {
  for (const std::string_view text :
       {R"({})", R"({"subject":null})", R"({"subject":"s","welcomeMessages":null,"custom":null})",
        R"({"custom":{"a":null,"b":"c"},"lastMessageAt":1,"notify":false,"access":"Read"})",
        R"({"unreadMessageCount":0,"isUnread":false,"readUntil":1,"everyoneReadUntil":2})"}) {
    const auto diff = DecodeConversationDiff(Json(text));
    ASSERT_TRUE(diff.ok()) << diff.status();
    EXPECT_EQ(json::value(EncodeConversationDiff(*diff)), Json(text));
  }
  for (const std::string_view text :
       {R"({})", R"({"name":"n","locale":null,"role":"r"})", R"({"custom":{"a":null}})"}) {
    EXPECT_EQ(json::value(EncodeUserDiff(DecodeUserDiff(Json(text)).value())), Json(text));
  }
  for (const std::string_view text :
       {R"({})", R"({"reactions":null,"editedAt":null,"custom":null})",
        R"({"content":[],"editedAt":5,"reactions":{"x":null,"y":{"count":1}}})"}) {
    EXPECT_EQ(json::value(EncodeMessageDiff(DecodeMessageDiff(Json(text)).value())), Json(text));
  }
}

TEST(DiffTest, WrongPropertiesAreNamed) {
  EXPECT_EQ(Text(DecodeConversationDiff(Json(R"({"lastMessageAt":null})")).status()),
            "lastMessageAt: not an integer");
  EXPECT_EQ(Text(DecodeConversationDiff(Json(R"({"custom":{"k":1}})")).status()),
            "custom: k: not a string");
  EXPECT_EQ(Text(DecodeUserDiff(Json(R"({"name":null})")).status()), "name: not a string");
  EXPECT_EQ(Text(DecodeMessageDiff(Json(R"({"reactions":{"x":{"count":"1"}}})")).status()),
            "reactions: x: count: not an integer");
  EXPECT_EQ(Text(DecodeMessageDiff(Json("5")).status()), "not an object");
}

TEST(DiffTest, CustomPatches) {
  EXPECT_TRUE(DecodeCustomPatch(Json("null"))->present);
  EXPECT_EQ(DecodeCustomPatch(Json("null"))->value, std::nullopt);
  const auto patch = DecodeCustomPatch(Json(R"({"a":"1","b":null})"));
  ASSERT_TRUE(patch.ok());
  EXPECT_EQ(*patch->value, (CustomPatch{{"a", "1"}, {"b", std::nullopt}}));
  EXPECT_EQ(Text(DecodeCustomPatch(Json("[]")).status()), "not an object");
}

}  // namespace
}  // namespace talkjsd::wire
