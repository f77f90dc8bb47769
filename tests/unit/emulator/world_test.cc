#include "daemon/emulator/model/world.h"

#include <gmock/gmock.h>

#include "daemon/emulator/decisions.h"
#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::emulator {
namespace {

using testing::ElementsAre;

TEST_F(WorldTest, CreatingAUserTakesANameAndHappensOnce) {
  EXPECT_EQ(Verdict(world.PutUser("dave", {})), "400 BAD_REQUEST");
  EXPECT_EQ(Verdict(world.CreateUser("dave", Named("Dave"))), "OK");
  EXPECT_EQ(Verdict(world.CreateUser("dave", Named("D"))), "409 USER_ALREADY_EXISTS");
  EXPECT_EQ(world.FindUser("dave")->shown.name, "Dave");
  EXPECT_EQ(world.FindUser("dave")->shown.role, "default");
}

TEST_F(WorldTest, AWriteLeavesAbsentPropertiesAndResetsNullOnes) {
  UserWrite write;
  write.custom = wire::Patch<wire::CustomPatch>::Of({{"a", "1"}, {"b", "2"}});
  write.locale = wire::Patch<std::string>::Of("nl-NL");
  write.role = wire::Patch<std::string>::Of("admin");
  write.push_tokens =
      wire::Patch<std::map<std::string, bool>>::Of({{"fcm:1", true}, {"apns:2", true}});
  ASSERT_TRUE(world.PutUser("alice", write).ok());
  UserWrite reset;
  reset.custom = wire::Patch<wire::CustomPatch>::Of({{"a", std::nullopt}});
  reset.role = wire::Patch<std::string>::Null();
  reset.push_tokens = wire::Patch<std::map<std::string, bool>>::Of({{"fcm:1", false}});
  ASSERT_TRUE(world.PutUser("alice", reset).ok());
  const UserRecord& alice = *world.FindUser("alice");
  EXPECT_EQ(alice.shown.name, "alice");
  EXPECT_EQ(alice.shown.custom, (wire::CustomMap{{"b", "2"}}));
  EXPECT_EQ(alice.shown.locale, "nl-NL");
  EXPECT_EQ(alice.shown.role, "default");
  EXPECT_THAT(alice.push_tokens, ElementsAre("apns:2"));
}

TEST_F(WorldTest, OthersConversationsAreForbiddenAndUnknownOnesAreNotFound) {
  ASSERT_TRUE(Join("alice").ok());
  EXPECT_EQ(Verdict(world.GetConversation("bob", "c").status()), "403 NOT_A_PARTICIPANT");
  EXPECT_EQ(Verdict(world.GetConversation("bob", "d").status()), "404 CONVERSATION_NOT_FOUND");
  EXPECT_EQ(Send("bob"), "403 NOT_A_PARTICIPANT");
  EXPECT_EQ(Verdict(world.MarkRead("bob", "c")), "403 NOT_A_PARTICIPANT");
  EXPECT_EQ(Verdict(world.ListMessages("bob", "d", 1, {}).status()), "404 CONVERSATION_NOT_FOUND");
}

TEST_F(WorldTest, OnlyParticipantsAddAndRemoveOthers) {
  const auto add = [&](const char* caller, const char* user, World::JoinMode mode) {
    return Verdict(world.WriteParticipant(caller, "c", user, mode, {}));
  };
  using enum World::JoinMode;
  EXPECT_EQ(add("alice", "bob", kCreate), "403 NOT_A_PARTICIPANT");
  EXPECT_EQ(add("alice", "alice", kUpdate), "404 PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(add("alice", "alice", kCreate), "OK");
  EXPECT_EQ(add("alice", "alice", kCreate), "409 PARTICIPANT_ALREADY_EXISTS");
  EXPECT_EQ(add("alice", "bob", kCreateOrUpdate), "OK");
  EXPECT_EQ(add("alice", "ghost", kCreate), "404 USER_NOT_FOUND");
  EXPECT_EQ(Verdict(world.RemoveParticipant("carol", "c", "bob")), "403 NOT_A_PARTICIPANT");
  EXPECT_EQ(Verdict(world.RemoveParticipant("alice", "c", "bob")), "OK");
  EXPECT_EQ(Verdict(world.RemoveParticipant("alice", "c", "bob")), "404 PARTICIPANT_NOT_FOUND");
  EXPECT_EQ(Verdict(world.RemoveParticipant("alice", "c", "alice")), "OK");
  EXPECT_TRUE(world.HasConversation("c"));
}

TEST_F(WorldTest, MessagesOfOthersCountAsUnreadUntilRead) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  Send("alice");
  Send("alice");
  EXPECT_EQ(Side("bob").unread_message_count, 2);
  EXPECT_TRUE(Side("bob").is_unread);
  EXPECT_EQ(Side("alice").unread_message_count, 0);
  EXPECT_EQ(Side("alice").read_until, Side("alice").last_message_at);
  EXPECT_LT(Side("alice").everyone_read_until, Side("alice").last_message_at);
  ASSERT_TRUE(world.MarkRead("bob", "c").ok());
  EXPECT_EQ(Side("bob").unread_message_count, 0);
  EXPECT_GE(Side("alice").everyone_read_until, Side("alice").last_message_at);
}

TEST_F(WorldTest, AMessageInTheMillisecondOfReadingIsUnread) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  Send("alice");
  ASSERT_TRUE(world.MarkRead("bob", "c").ok());
  Send("alice");
  EXPECT_EQ(Side("bob").unread_message_count, 1);
}

TEST_F(WorldTest, TheManualMarkLeavesTheCountAndGoesWithReadingOrSending) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  ASSERT_TRUE(world.MarkUnread("bob", "c").ok());
  EXPECT_TRUE(Side("bob").is_unread);
  EXPECT_EQ(Side("bob").unread_message_count, 0);
  ASSERT_TRUE(world.MarkRead("bob", "c").ok());
  EXPECT_FALSE(Side("bob").is_unread);
  ASSERT_TRUE(world.MarkUnread("bob", "c").ok());
  Send("bob");
  EXPECT_FALSE(Side("bob").is_unread);
}

TEST_F(WorldTest, JoiningReadsWhatWasThereAndShowsIt) {
  ASSERT_TRUE(Join("alice").ok());
  Send("alice", "old");
  Tick(5);
  ASSERT_TRUE(Join("bob").ok());
  EXPECT_EQ(Side("bob").unread_message_count, 0);
  EXPECT_EQ(Side("bob").last_message_at, Side("bob").joined_at);
  EXPECT_EQ(world.ListMessages("bob", "c", 10, {})->items.size(), 1u);
  Send("alice", "new");
  EXPECT_EQ(Side("bob").unread_message_count, 1);
  EXPECT_GT(Side("bob").last_message_at, Side("bob").joined_at);
}

TEST_F(WorldTest, DeletingTheLastMessageTakesTimeAndCountBack) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  const std::string first = Send("alice");
  const UnixMillis first_at = Side("bob").last_message_at;
  Tick();
  const std::string second = Send("alice");
  ASSERT_TRUE(world.DeleteMessage("bob", "c", second).ok());
  EXPECT_EQ(Side("bob").last_message_at, first_at);
  EXPECT_EQ(Side("bob").unread_message_count, 1);
  EXPECT_EQ(Verdict(world.DeleteMessage("bob", "c", second)), "404 MESSAGE_NOT_FOUND");
  ASSERT_TRUE(world.DeleteMessage("bob", "c", first).ok());
  EXPECT_EQ(Side("bob").last_message_at, Side("bob").joined_at);
  EXPECT_FALSE(Side("bob").is_unread);
}

TEST_F(WorldTest, AReplyToADeletedMessageRefersToNothing) {
  ASSERT_TRUE(Join("alice").ok());
  const std::string target = Send("alice");
  NewMessage reply = TextMessage("re");
  reply.referenced_message_id = target;
  const std::string id = world.SendMessage("alice", "c", reply).value();
  const auto shown = [&] {
    return world.MessageFor("alice", **world.GetMessage("alice", "c", id)).referenced_message_id;
  };
  EXPECT_EQ(shown(), target);
  ASSERT_TRUE(world.DeleteMessage("alice", "c", target).ok());
  EXPECT_EQ(shown(), std::nullopt);
  EXPECT_EQ(Verdict(world.SendMessage("alice", "c", reply).status()), "404 MESSAGE_NOT_FOUND");
}

TEST_F(WorldTest, NobodyRepliesToASystemMessage) {
  ASSERT_TRUE(Join("alice").ok());
  NewMessage reply = TextMessage("re");
  reply.referenced_message_id = world.PostMessage("c", {TextMessage("note")}).value();
  EXPECT_EQ(Verdict(world.SendMessage("alice", "c", reply).status()), "400 BAD_REQUEST");
  EXPECT_EQ(Verdict(world.PostMessage("c", {reply, "alice"}).status()), "400 BAD_REQUEST");
}

TEST_F(WorldTest, TheSameIdempotencyKeySendsOnceForADay) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  const auto send = [&](const char* user, const char* key) {
    return world.SendMessage(user, "c", TextMessage("x", key)).value();
  };
  const std::string id = send("alice", "k1");
  EXPECT_EQ(send("alice", "k1"), id);
  EXPECT_NE(send("alice", "k2"), id);
  EXPECT_NE(send("bob", "k1"), id);
  EXPECT_EQ(Side("bob").last_message_at, Side("alice").last_message_at);
  EXPECT_EQ(world.ListMessages("alice", "c", 10, {})->items.size(), 3u);
  clock.Advance(kIdempotencyWindow);
  EXPECT_NE(send("alice", "k1"), id);
}

TEST_F(WorldTest, ReadAccessDoesNotSend) {
  ParticipantWrite read_only;
  read_only.access = wire::Patch<wire::Access>::Of(wire::Access::kRead);
  ASSERT_TRUE(Join("alice", read_only).ok());
  EXPECT_EQ(Send("alice"), "403 UNAUTHORIZED_TO_SEND");
}

TEST_F(WorldTest, TimesOfMessagesDifferUntilTheyWouldRunFarAhead) {
  ASSERT_TRUE(Join("alice").ok());
  std::vector<UnixMillis> times;
  for (int i = 0; i < 1100; ++i) {
    Send("alice");
    times.push_back(Side("alice").last_message_at);
  }
  EXPECT_GT(times.front(), Side("alice").joined_at);
  EXPECT_TRUE(std::is_sorted(times.begin(), times.end()));
  EXPECT_EQ(std::set<UnixMillis>(times.begin(), times.end()).size(), 1000u);
  EXPECT_EQ(times.back(), clock.WallMillis() + kMaxTimeAhead.count());
}

TEST_F(WorldTest, AMessageIsNewerThanABurstOfJoiningsElsewhere) {
  ASSERT_TRUE(Join("alice").ok());
  UnixMillis newest_joining = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string other = "other" + std::to_string(i);
    ASSERT_TRUE(world.CreateConversation(other, {}).ok() && Join("alice", {}, other).ok());
    newest_joining = Side("alice", other).joined_at;
  }
  ASSERT_GT(newest_joining, clock.WallMillis());
  Send("alice");
  EXPECT_GT(Side("alice").last_message_at, newest_joining);
}

TEST_F(WorldTest, PagesOfMessagesJoinWithoutGapOrRepeat) {
  ASSERT_TRUE(Join("alice").ok());
  std::vector<std::string> sent;
  for (int i = 0; i < 7; ++i) sent.push_back(Send("alice"));
  std::vector<std::string> listed;
  std::optional<MessageKey> before;
  for (bool more = true; more;) {
    const auto page = world.ListMessages("alice", "c", 3, before);
    ASSERT_FALSE(page->items.empty());
    for (const MessageRecord* record : page->items) listed.push_back(record->message.id);
    before = page->items.back()->key;
    more = page->more;
  }
  std::reverse(listed.begin(), listed.end());
  EXPECT_EQ(listed, sent);
}

TEST_F(WorldTest, ListsAreByActivityAndPagesSurviveNewActivity) {
  for (const char* id : {"c0", "c1", "c2", "c3", "c4"}) {
    ASSERT_TRUE(world.CreateConversation(id, {}).ok());
    Tick();
    ASSERT_TRUE(Join("alice", {}, id).ok());
  }
  const auto ids = [](const Page<wire::Conversation>& page) {
    std::vector<std::string> result;
    for (const auto& side : page.items) result.push_back(side.id);
    return result;
  };
  Tick();
  Send("alice", "up", "c1");
  const auto first = world.ListConversations("alice", {}, 2, {}).value();
  EXPECT_THAT(ids(first), ElementsAre("c1", "c4"));
  EXPECT_TRUE(first.more);
  Send("alice", "up", "c0");
  const World::ConversationPosition after(first.items.back().last_message_at, "c4");
  const auto second = world.ListConversations("alice", {}, 2, after).value();
  EXPECT_THAT(ids(second), ElementsAre("c3", "c2"));
  EXPECT_FALSE(second.more);
  EXPECT_EQ(Verdict(world.ListConversations("ghost", {}, 2, {}).status()), "404 USER_NOT_FOUND");
}

TEST_F(WorldTest, ReactionsAreOncePerUserAndEndWithTheLastOne) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  const std::string id = Send("alice");
  const auto shown = [&](const char* viewer) {
    return world.MessageFor(viewer, **world.GetMessage(viewer, "c", id)).reactions;
  };
  ASSERT_TRUE(world.AddReaction("bob", "c", id, "👍").ok());
  const UnixMillis first_use = clock.WallMillis();
  Tick(10);
  ASSERT_TRUE(world.AddReaction("alice", "c", id, "👍").ok());
  ASSERT_TRUE(world.AddReaction("alice", "c", id, "👍").ok());
  EXPECT_EQ(shown("alice").at("👍"), (wire::Reaction{2, first_use, true}));
  ASSERT_TRUE(world.RemoveReaction("bob", "c", id, "👍").ok());
  EXPECT_EQ(shown("bob").at("👍"), (wire::Reaction{1, first_use, false}));
  EXPECT_EQ(Verdict(world.RemoveReaction("bob", "c", id, "👍")), "404 REACTION_NOT_FOUND");
  ASSERT_TRUE(world.RemoveReaction("alice", "c", id, "👍").ok());
  EXPECT_TRUE(shown("alice").empty());
}

TEST_F(WorldTest, TypingEndsByItselfAndRepeatingProlongsIt) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  const auto typing = [&](const char* viewer) { return world.GetTyping(viewer, "c")->size(); };
  EXPECT_EQ(world.NextTypingEnd(), kNever);
  ASSERT_TRUE(world.MarkTyping("alice", "c").ok());
  EXPECT_EQ(typing("bob"), 1u);
  EXPECT_EQ(typing("alice"), 0u);
  clock.Advance(kTypingLasts / 2);
  ASSERT_TRUE(world.MarkTyping("alice", "c").ok());
  clock.Advance(kTypingLasts / 2);
  world.ExpireTyping();
  EXPECT_EQ(typing("bob"), 1u);
  EXPECT_EQ(world.NextTypingEnd(), clock.Now() + kTypingLasts / 2);
  clock.Advance(kTypingLasts / 2);
  world.ExpireTyping();
  EXPECT_EQ(typing("bob"), 0u);
  EXPECT_EQ(world.NextTypingEnd(), kNever);
}

TEST_F(WorldTest, LeavingEndsTyping) {
  ASSERT_TRUE(Join("alice").ok() && Join("bob").ok());
  ASSERT_TRUE(world.MarkTyping("alice", "c").ok());
  ASSERT_TRUE(world.RemoveParticipant("alice", "c", "alice").ok());
  EXPECT_EQ(world.GetTyping("bob", "c")->size(), 0u);
  EXPECT_EQ(world.NextTypingEnd(), kNever);
}

}  // namespace
}  // namespace talkjsd::emulator
