#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::emulator {
namespace {

using Types = std::vector<std::string>;

class WorldServerTest : public WorldTest {
 protected:
  ServerMessage From(std::string sender, std::string text = "hi", std::string key = "") {
    ServerMessage message;
    message.message = TextMessage(std::move(text), std::move(key));
    message.sender_id = std::move(sender);
    return message;
  }
  ServerMessage Imported(std::string sender, UnixMillis created_at,
                         std::set<std::string> read_by = {}) {
    ServerMessage message = From(std::move(sender));
    message.created_at = created_at;
    message.read_by = std::move(read_by);
    return message;
  }
  absl::Status Admit(std::string_view user, World::JoinMode mode = World::JoinMode::kCreateOrUpdate,
                     const ParticipantWrite& write = {}) {
    const absl::Status status = world.Admit("c", user, mode, write);
    publisher.Flush();
    return status;
  }
};

TEST_F(WorldServerTest, AServerPostsForReadOnlyUsersToo) {
  ParticipantWrite read_only;
  read_only.access = wire::Patch<wire::Access>::Of(wire::Access::kRead);
  ASSERT_TRUE(Admit("alice", World::JoinMode::kCreate, read_only).ok());
  EXPECT_EQ(Send("alice"), "403 UNAUTHORIZED_TO_SEND");
  EXPECT_TRUE(world.PostMessage("c", From("alice")).ok());
  EXPECT_EQ(Verdict(world.PostMessage("c", From("bob")).status()), "400 BAD_REQUEST");
}

TEST_F(WorldServerTest, SystemMessagesAreUnreadForAllAndMoveNobodysReading) {
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(Admit("bob").ok());
  const UnixMillis read_until = Side("alice").read_until;
  Tick(10);
  ServerMessage message = From("");
  message.sender_id.reset();
  const auto id = world.PostMessage("c", message);
  ASSERT_TRUE(id.ok());
  const MessageRecord* record = world.LookUpMessage("c", *id);
  EXPECT_TRUE(record->message.is_system);
  EXPECT_EQ(record->message.sender_id, std::nullopt);
  for (const char* user : {"alice", "bob"}) EXPECT_EQ(Side(user).unread_message_count, 1);
  EXPECT_EQ(Side("alice").read_until, read_until);
}

TEST_F(WorldServerTest, AnIdempotencyKeyCountsWithinItsConversation) {
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(world.CreateConversation("d", {}).ok());
  ASSERT_TRUE(world.Admit("d", "alice", World::JoinMode::kCreate, {}).ok());
  const auto first = world.PostMessage("c", From("alice", "one", "k"));
  EXPECT_EQ(*world.PostMessage("c", From("alice", "two", "k")), *first);
  EXPECT_NE(*world.PostMessage("d", From("alice", "three", "k")), *first);
  EXPECT_NE(*world.SendMessage("alice", "c", TextMessage("four", "k")), *first);
}

TEST_F(WorldServerTest, ADeletedConversationTellsItsPeopleAndLeavesNothing) {
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(Admit("bob").ok());
  const auto id = world.PostMessage("c", From("alice", "one", "k"));
  ASSERT_TRUE(world.MarkTyping("bob", "c").ok());
  Socket alice(publisher, "alice");
  Socket carol(publisher, "carol");
  for (Socket* socket : {&alice, &carol}) {
    socket->Subscribe("/me/conversations");
    socket->Subscribe("/me/conversations/c/messages");
  }
  ASSERT_TRUE(world.DeleteConversation("c").ok());
  publisher.Flush();
  EXPECT_EQ(alice.TakeTypes(), Types{"side.deleted"});
  EXPECT_EQ(carol.TakeTypes(), Types{});
  EXPECT_EQ(world.NextTypingEnd(), kNever);
  EXPECT_EQ(Verdict(world.DeleteConversation("c")), "404 CONVERSATION_NOT_FOUND");
  EXPECT_TRUE(world.ConversationsOf("alice").empty());
  // The id and the key may be used again.
  ASSERT_TRUE(world.CreateConversation("c", {}).ok());
  ASSERT_TRUE(Admit("alice").ok());
  EXPECT_EQ(world.LookUpMessage("c", *id), nullptr);
  EXPECT_EQ(Side("alice").last_message_at, Side("alice").joined_at);
  EXPECT_NE(*world.PostMessage("c", From("alice", "two", "k")), *id);
}

TEST_F(WorldServerTest, WhoIsShutOutReturnsToWhatHeMissed) {
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(Admit("bob").ok());
  ASSERT_TRUE(world.PostMessage("c", From("alice")).ok());
  ASSERT_TRUE(world.MarkRead("bob", "c").ok());
  const UnixMillis joined = Side("bob").joined_at;
  Socket bob(publisher, "bob");
  bob.Subscribe("/me/conversations");
  ASSERT_TRUE(world.ShutOut("c", "bob").ok());
  EXPECT_TRUE(world.ShutOut("c", "bob").ok());
  publisher.Flush();
  EXPECT_EQ(bob.TakeTypes(), Types{"side.deleted"});
  EXPECT_EQ(Verdict(world.GetConversation("bob", "c").status()), "403 NOT_A_PARTICIPANT");
  Tick(10);
  ASSERT_TRUE(world.PostMessage("c", From("alice")).ok());
  ASSERT_TRUE(world.PostMessage("c", From("alice")).ok());
  ParticipantWrite access;
  EXPECT_EQ(Verdict(Admit("bob", World::JoinMode::kUpdate, access)), "404 PARTICIPANT_NOT_FOUND");
  access.access = wire::Patch<wire::Access>::Of(wire::Access::kReadWrite);
  EXPECT_TRUE(Admit("bob", World::JoinMode::kUpdate, access).ok());
  EXPECT_EQ(bob.TakeTypes(), Types{"side.created"});
  EXPECT_EQ(Side("bob").unread_message_count, 2);
  EXPECT_EQ(Side("bob").joined_at, joined);
  EXPECT_EQ(Verdict(world.ShutOut("c", "carol")), "404 PARTICIPANT_NOT_FOUND");
}

TEST_F(WorldServerTest, WhoWasDismissedWhileShutOutStartsAnew) {
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(Admit("bob").ok());
  ASSERT_TRUE(world.ShutOut("c", "bob").ok());
  ASSERT_TRUE(world.PostMessage("c", From("alice")).ok());
  EXPECT_TRUE(world.Dismiss("c", "bob").ok());
  EXPECT_TRUE(world.Dismiss("c", "bob").ok());
  ASSERT_TRUE(Admit("bob").ok());
  EXPECT_EQ(Side("bob").unread_message_count, 0);
}

TEST_F(WorldServerTest, ReadingMayBeSetBack) {
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(Admit("bob").ok());
  std::vector<UnixMillis> times;
  for (int i = 0; i < 3; ++i) {
    Tick(10);
    const auto id = world.PostMessage("c", From("alice"));
    times.push_back(world.LookUpMessage("c", *id)->key.created_at);
  }
  ASSERT_TRUE(world.SetReadUntil("c", "bob", times[1]).ok());
  EXPECT_EQ(Side("bob").unread_message_count, 1);
  ASSERT_TRUE(world.SetReadUntil("c", "bob", times[0]).ok());
  EXPECT_EQ(Side("bob").unread_message_count, 2);
  EXPECT_EQ(Side("alice").everyone_read_until, times[0]);
  ASSERT_TRUE(world.SetReadUntil("c", "bob", times[2]).ok());
  EXPECT_EQ(Side("bob").unread_message_count, 0);
}

TEST_F(WorldServerTest, AnImportTellsNobodyAndIsCounted) {
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(Admit("bob").ok());
  ASSERT_TRUE(Admit("carol").ok());
  Socket bob(publisher, "bob");
  bob.Subscribe("/me/conversations");
  bob.Subscribe("/me/conversations/c/messages");
  const UnixMillis now = Side("carol").joined_at;
  ASSERT_TRUE(world.ImportMessage("c", Imported("alice", now - 1000)).ok());
  EXPECT_EQ(Side("bob").unread_message_count, 0) << "older than his joining";
  const auto later = world.ImportMessage("c", Imported("alice", now + 1000, {"carol"}));
  ASSERT_TRUE(later.ok());
  publisher.Flush();
  EXPECT_EQ(bob.TakeTypes(), Types{});
  EXPECT_EQ(Side("bob").unread_message_count, 1);
  EXPECT_EQ(Side("carol").unread_message_count, 0);
  EXPECT_EQ(Side("alice").unread_message_count, 0);
  EXPECT_EQ(Side("bob").last_message_at, now + 1000);
  const auto* conversation = world.LookUpConversation("c");
  EXPECT_EQ(World::ReadersOf(*conversation, *world.LookUpMessage("c", *later)),
            (std::vector<std::string>{"carol"}));
  // What was counted is taken back.
  ASSERT_TRUE(world.DeleteAnyMessage("c", *later).ok());
  for (const char* user : {"alice", "bob", "carol"}) {
    EXPECT_EQ(Side(user).unread_message_count, 0) << user;
  }
}

TEST_F(WorldServerTest, AnEditForgetsTheMarkupItReplaces) {
  ASSERT_TRUE(Admit("alice").ok());
  ServerMessage message = From("alice", "b");
  message.message.markup.append("*b*");
  const auto id = world.PostMessage("c", message);
  EXPECT_EQ(world.LookUpMessage("c", *id)->markup, "*b*");
  MessageWrite write;
  write.content = TextMessage("new").content;
  ASSERT_TRUE(world.EditMessage("alice", "c", *id, write).ok());
  EXPECT_EQ(world.LookUpMessage("c", *id)->markup, "");
}

TEST_F(WorldServerTest, ReactionsAreSetForAnybodyWhoExists) {
  ASSERT_TRUE(Admit("alice").ok());
  const auto id = world.PostMessage("c", From("alice"));
  EXPECT_TRUE(world.SetReaction("c", *id, "👍", "bob", true).ok());
  EXPECT_TRUE(world.SetReaction("c", *id, "👍", "bob", true).ok());
  EXPECT_EQ(world.LookUpMessage("c", *id)->reactions.at("👍").users.size(), 1u);
  EXPECT_TRUE(world.SetReaction("c", *id, "👍", "bob", false).ok());
  EXPECT_TRUE(world.SetReaction("c", *id, "👍", "bob", false).ok());
  EXPECT_TRUE(world.LookUpMessage("c", *id)->reactions.empty());
  EXPECT_EQ(Verdict(world.SetReaction("c", *id, "👍", "nobody", true)), "404 USER_NOT_FOUND");
}

TEST_F(WorldServerTest, ClearingTellsParticipantsOnceAndEmptiesEverySide) {
  EXPECT_EQ(Verdict(world.ClearConversation("none")), "404 CONVERSATION_NOT_FOUND");
  ASSERT_TRUE(Admit("alice").ok());
  ASSERT_TRUE(Admit("bob").ok());
  Tick(10);
  const std::string first = Send("alice", "x1");
  Send("alice", "x2");
  EXPECT_EQ(Side("bob").unread_message_count, 2);
  Socket bob(publisher, "bob"), carol(publisher, "carol");
  for (Socket* socket : {&bob, &carol}) {
    socket->Subscribe("/me/conversations");
    socket->Subscribe("/me/conversations/c/messages");
  }
  ASSERT_TRUE(world.ClearConversation("c").ok());
  publisher.Flush();
  EXPECT_EQ(bob.TakeTypes(), Types({"conversation.cleared", "side.edited"}));
  EXPECT_EQ(carol.TakeTypes(), Types());
  EXPECT_EQ(Side("bob").unread_message_count, 0);
  EXPECT_EQ(Side("bob").last_message_at, Side("bob").joined_at);
  EXPECT_EQ(world.LookUpMessage("c", first), nullptr);
  EXPECT_TRUE(world.ListMessages("bob", "c", 10, std::nullopt)->items.empty());
  ASSERT_TRUE(world.ClearConversation("c").ok());
  publisher.Flush();
  EXPECT_EQ(bob.TakeTypes(), Types()) << "there is nothing to clear";
  EXPECT_TRUE(Send("bob").starts_with("msg_"));
}

}  // namespace
}  // namespace talkjsd::emulator
