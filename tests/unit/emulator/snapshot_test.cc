#include "daemon/emulator/store/snapshot.h"

#include <gmock/gmock.h>

#include "tests/unit/emulator/state_fixture.h"

namespace talkjsd::emulator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr UnixMillis kNow = 1'700'000'000'000;

TEST(SnapshotTest, AWorldPutTogetherAgainIsTheSameAndLivesOnTheSame) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    ManualClock clock;
    Life life(clock);
    life.Live(seed, 300, clock);
    const std::string document = Document(life.world);
    auto records = ReadSnapshot(Parse(document), clock.WallMillis());
    ASSERT_TRUE(records.ok()) << records.status();
    Life again(clock);
    again.world.Replace(*std::move(records));
    ASSERT_EQ(Document(again.world), document) << "seed " << seed;

    ManualClock before = clock;
    life.Live(seed + 1000, 300, clock);
    clock = before;
    again.Live(seed + 1000, 300, clock);
    ASSERT_EQ(Document(again.world), Document(life.world)) << "seed " << seed;
  }
}

class SeedTest : public WorldTest {
 protected:
  // "OK", or what is wrong.
  std::string Seed(std::string_view text) {
    auto records = ReadSeed(Parse(text), world, clock.WallMillis());
    if (!records.ok()) return std::string(records.status().message());
    changed_conversations = records->conversations.size();
    world.Merge(*std::move(records));
    publisher.Flush();
    return "OK";
  }
  std::string Of(std::string_view conversations) {
    return Seed(R"({"format": 1, "conversations": )" + std::string(conversations) + "}");
  }
  size_t changed_conversations = 0;
};

TEST_F(SeedTest, WhatIsLeftOutHasADefault) {
  ASSERT_EQ(Seed(R"({"format": 1, "users": {"dave": {}}, "conversations": {"new": {
      "participants": {"dave": {}, "alice": {}},
      "messages": [{"senderId": "dave", "text": "*one*"}, {"senderId": "alice", "text": "two"},
                   {"senderId": "dave", "text": "three", "reactions": {"👍": ["alice"]}}]}}})"),
            "OK");
  EXPECT_EQ(world.FindUser("dave")->shown.name, "dave");
  EXPECT_EQ(world.FindUser("dave")->shown.role, "default");
  const auto page = world.ListMessages("alice", "new", 10, {});
  ASSERT_EQ(page->items.size(), 3u);
  const MessageRecord& newest = *page->items[0];
  EXPECT_EQ(newest.message.created_at, clock.WallMillis());
  EXPECT_EQ(newest.reactions.at("👍").users.size(), 1u);
  EXPECT_EQ(page->items[2]->message.content[0].children[0].kind, wire::TextNode::Kind::kBold);
  // Read: one's own newest message, and all before it.
  EXPECT_EQ(Side("alice", "new").unread_message_count, 1);
  EXPECT_EQ(Side("dave", "new").unread_message_count, 0);
  EXPECT_LT(Side("alice", "new").joined_at, page->items[2]->message.created_at);
  EXPECT_NE(Side("alice", "new").joined_at, Side("dave", "new").joined_at);
}

TEST_F(SeedTest, TheSameSeedAgainChangesNothing) {
  const char* text = R"({"format": 1, "users": {"alice": {"name": "Al"}}, "conversations": {"c": {
      "subject": "S", "participants": {"alice": {}, "bob": {"unreadMessageCount": 1}},
      "messages": [{"senderId": "alice", "text": "hi"}, {"senderId": "alice", "text": "hi"}]}}})";
  ASSERT_EQ(Seed(text), "OK");
  const std::string once = Document(world);
  Tick(5000);
  Socket socket(publisher, "alice");
  socket.Subscribe("/me/conversations");
  ASSERT_EQ(Seed(text), "OK");
  EXPECT_EQ(Document(world), once);
  EXPECT_EQ(changed_conversations, 0u);
  EXPECT_THAT(socket.TakeTypes(), IsEmpty());
}

TEST_F(SeedTest, MergingKeepsWhatTheSeedDoesNotName) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  const std::string before = Send("alice", "before");
  Tick();
  ASSERT_EQ(Of(R"({"c": {"subject": "New", "messages": [{"senderId": "bob", "text": "seeded"}]}})"),
            "OK");
  EXPECT_EQ(Side("alice").subject, "New");
  EXPECT_EQ(Side("alice").unread_message_count, 1);
  EXPECT_EQ(Side("bob").unread_message_count, 0);
  EXPECT_TRUE(world.GetMessage("alice", "c", before).ok());
  const std::string edit = R"({"c": {"messages": [{"id": ")" + before + R"(", "text": "after"}]}})";
  ASSERT_EQ(Of(edit), "OK");
  const MessageRecord* edited = *world.GetMessage("alice", "c", before);
  EXPECT_EQ(edited->message.content[0].children[0].text, "after");
  EXPECT_EQ(edited->message.sender_id, "alice");
}

TEST_F(SeedTest, ReadMarksFollowFromWhatIsGiven) {
  const auto bob = [&](const std::string& marks) {
    const std::string text = R"({"x": {"participants": {"alice": {}, "bob": )" + marks + R"(},
        "messages": [{"id": "m1", "senderId": "alice", "text": "1", "createdAt": 1000},
                     {"id": "m2", "senderId": "alice", "text": "2", "createdAt": 2000},
                     {"id": "m3", "senderId": "alice", "text": "3", "createdAt": 3000}]}})";
    EXPECT_EQ(Of(text), "OK");
    return Side("bob", "x");
  };
  EXPECT_EQ(bob(R"({"joinedAt": 500})").unread_message_count, 3);
  EXPECT_EQ(bob(R"({"unreadMessageCount": 1})").read_until, 2000);
  EXPECT_EQ(bob(R"({"readUntil": 1500})").unread_message_count, 2);
  EXPECT_EQ(bob(R"({"readTo": "m3"})").unread_message_count, 0);
  EXPECT_TRUE(bob(R"({"readTo": "m3", "markedUnread": true})").is_unread);
  EXPECT_EQ(bob(R"({"readTo": null})").unread_message_count, 3);
}

TEST_F(SeedTest, WhatCannotBeIsNamedWithItsPlaceAndChangesNothing) {
  ASSERT_TRUE(Join("alice").ok());
  const std::string message = Send("alice");
  const std::string before = Document(world);
  const auto in_c = [&](const std::string& messages) {
    return Of(R"({"c": {"messages": )" + messages + "}}");
  };
  EXPECT_EQ(Seed("{}"), "$.format: expected 1, the only format that there is");
  EXPECT_EQ(Seed(R"({"format": 2})"), "$.format: expected 1, the only format that there is");
  EXPECT_EQ(Seed(R"({"format": 1, "user": {}})"), "$.user: unknown property");
  EXPECT_EQ(Seed(R"({"format": 1, "users": []})"), "$.users: expected an object, by id");
  EXPECT_EQ(Seed(R"({"format": 1, "users": {"a b": {"name": 1}}})"),
            "$.users[\"a b\"].name: expected text");
  EXPECT_EQ(Seed(R"({"format": 1, "users": {"a": {"email": ["x", 2]}}})"),
            "$.users.a.email[1]: expected text");
  EXPECT_EQ(Seed(R"({"format": 1, "users": {"a": {"nmae": "x"}}})"),
            "$.users.a.nmae: unknown property");
  EXPECT_THAT(Of(R"({"c": {"participants": {"ghost": {}}}})"),
              HasSubstr("$.conversations.c.participants.ghost: there is no such user"));
  EXPECT_THAT(Of(R"({"c": {"participants": {"bob": {"access": "Write"}}}})"),
              HasSubstr("participants.bob.access: expected"));
  EXPECT_THAT(Of(R"({"c": {"participants": {"bob": {"readTo": "nothing"}}}})"),
              HasSubstr("bob.readTo: this conversation has no such message"));
  EXPECT_THAT(Of(R"({"c": {"participants": {"bob": {"unreadMessageCount": 9}}}})"),
              HasSubstr("bob.unreadMessageCount: there are not so many"));
  EXPECT_THAT(Of(R"({"c": {"createdAt": -1}})"), HasSubstr("createdAt: expected a whole number"));
  EXPECT_THAT(in_c(R"([{"text": "x"}])"), HasSubstr("messages[0].senderId: expected a user's id"));
  EXPECT_THAT(in_c(R"([{"text": "x", "senderId": "ghost"}])"), HasSubstr("no such user: ghost"));
  EXPECT_THAT(in_c(R"([{"text": "x", "type": "SystemMessage", "senderId": "bob"}])"),
              HasSubstr("senderId: expected none"));
  EXPECT_THAT(in_c(R"([{"senderId": "bob"}])"), HasSubstr("messages[0].text: expected text, or"));
  EXPECT_THAT(in_c(R"([{"senderId": "bob", "text": "x", "content": []}])"),
              HasSubstr("either text or content"));
  EXPECT_THAT(in_c(R"([{"senderId": "bob", "content": [{"type": "smell"}]}])"),
              HasSubstr("messages[0].content: unknown type of block or node"));
  EXPECT_THAT(
      in_c(
          R"([{"senderId": "bob", "content": [{"type": "text", "children": [{"type": "smell"}]}]}])"),
      HasSubstr("messages[0].content: unknown type of block or node"));
  EXPECT_THAT(in_c(R"([{"senderId": "bob", "text": "x", "reactions": {"👍": ["ghost"]}}])"),
              HasSubstr("no such user: ghost"));
  EXPECT_THAT(in_c(R"([{"senderId": "bob", "text": "x", "referencedMessageId": "gone"}])"),
              HasSubstr("messages[0].referencedMessageId: this conversation has no such message"));
  EXPECT_THAT(in_c(R"([{"id": "m", "senderId": "bob", "text": "x"},
                       {"id": "m", "senderId": "bob", "text": "y"}])"),
              HasSubstr("messages[1].id: another message of the document has this id"));
  EXPECT_THAT(
      Of(R"({"d": {"messages": [{"id": ")" + message + R"(", "senderId": "bob", "text": "x"}]}})"),
      HasSubstr("a message of another conversation has this id"));
  EXPECT_THAT(Seed(R"({"format": 1, "idempotencyKeys": [{"userId": "bob", "messageId": "no"}]})"),
              HasSubstr("$.idempotencyKeys[0].messageId: there is no such message"));
  EXPECT_EQ(Document(world), before);
}

TEST_F(SeedTest, ClientsHearThatAReplacedConversationWentAndCame) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  Send("bob", "old");
  Socket alice(publisher, "alice"), carol(publisher, "carol");
  for (Socket* socket : {&alice, &carol}) {
    socket->Subscribe("/me/conversations");
    socket->Subscribe("/me/conversations/c/messages");
    socket->Subscribe("/me/conversations/c/participants");
    socket->Subscribe("/me/conversations/c/typing");
    socket->Subscribe("/users/alice");
  }
  auto records = ReadSnapshot(Parse(R"({"format": 1,
      "users": {"alice": {"name": "New", "custom": {"k": "v"}}, "carol": {"name": "carol"}},
      "conversations": {"c": {"participants": {"alice": {}, "carol": {}}}, "empty": {}}})"),
                              kNow);
  ASSERT_TRUE(records.ok()) << records.status();
  world.Replace(*std::move(records));
  publisher.Flush();
  EXPECT_THAT(alice.TakeTypes(),
              ElementsAre("side.deleted", "user.edited", "side.created", "typing.available"));
  EXPECT_THAT(carol.TakeTypes(), ElementsAre("user.edited", "side.created", "typing.available"));
  EXPECT_EQ(Verdict(world.GetConversation("bob", "c").status()), "403 NOT_A_PARTICIPANT");
  EXPECT_EQ(world.FindUser("bob"), nullptr);
  EXPECT_TRUE(world.IsConnected("alice").value());
  EXPECT_EQ(alice.frames, 1);
}

TEST_F(SeedTest, ARestoredWorldHasNoTypingMarksAndNoOldKeys) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  ASSERT_TRUE(world.MarkTyping("alice", "c").ok());
  ASSERT_TRUE(world.SendMessage("bob", "c", TextMessage("x", "key")).ok());
  const json::object document = EncodeSnapshot(world);
  world.Replace({});
  EXPECT_EQ(world.NextTypingEnd(), kNever);
  EXPECT_EQ(json::serialize(EncodeSnapshot(world).at("idempotencyKeys")), "[]");
  world.Replace(ReadSnapshot(document, kNow).value());
  const auto same = world.SendMessage("bob", "c", TextMessage("x", "key"));
  EXPECT_EQ(world.ListMessages("bob", "c", 10, {})->items.size(), 1u);
  EXPECT_EQ(*same, world.ListMessages("bob", "c", 10, {})->items[0]->message.id);
}

}  // namespace
}  // namespace talkjsd::emulator
