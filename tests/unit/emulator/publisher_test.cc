#include "daemon/emulator/model/publisher.h"

#include <gmock/gmock.h>

#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::emulator {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// alice and bob are in "c", carol is not; each has one socket.
class PublisherTest : public WorldTest {
 protected:
  PublisherTest() {
    EXPECT_TRUE(Join("alice").ok() && Join("bob").ok());
    Tick();
  }
  void SubscribeAllOf(Socket& socket) {
    for (const char* path :
         {"/me/conversations", "/me/conversations/c", "/me/conversations/c/messages",
          "/me/conversations/c/participants", "/me/conversations/c/participants/carol",
          "/me/conversations/c/typing", "/users/alice", "/users/bob", "/users/carol/online"}) {
      socket.Subscribe(path);
    }
  }
  Socket alice{publisher, "alice"};
  Socket bob{publisher, "bob"};
  Socket carol{publisher, "carol"};
};

TEST_F(PublisherTest, ANewMessageComesBeforeTheSideAndInOneFrame) {
  SubscribeAllOf(bob);
  Send("alice");
  EXPECT_EQ(bob.frames, 1);
  ASSERT_EQ(bob.received.size(), 2u);
  const json::object& created = bob.received[0];
  EXPECT_EQ(Text(created.at("type")), "message.created");
  EXPECT_EQ(Text(created.at("messageId")), Text(created.at("state").at("id")));
  EXPECT_EQ(Text(created.at("conversationId")), "c");
  const json::object& diff = bob.received[1].at("diff").as_object();
  EXPECT_EQ(Text(bob.received[1].at("type")), "side.edited");
  EXPECT_EQ(Text(diff.at("lastMessageAt")), Text(created.at("state").at("createdAt")));
  EXPECT_EQ(Text(diff.at("unreadMessageCount")), "1");
  EXPECT_EQ(Text(diff.at("isUnread")), "true");
}

TEST_F(PublisherTest, TheSenderHearsOfHisOwnMessageAndHasReadIt) {
  alice.Subscribe("/me/conversations");
  Send("alice");
  const json::object event = alice.TakeOne();
  EXPECT_EQ(Text(event.at("type")), "side.edited");
  EXPECT_EQ(Text(event.at("diff").at("readUntil")), Text(event.at("diff").at("lastMessageAt")));
  EXPECT_FALSE(event.at("diff").as_object().contains("isUnread"));
}

TEST_F(PublisherTest, OnlyWhatWasSubscribedArrives) {
  bob.Subscribe("/me/conversations/c/messages");
  alice.Subscribe("/me/conversations/c");
  Send("alice");
  EXPECT_THAT(bob.TakeTypes(), ElementsAre("message.created"));
  EXPECT_THAT(alice.TakeTypes(), ElementsAre("side.edited"));
  bob.Unsubscribe("/me/conversations/c/messages");
  Send("alice");
  EXPECT_THAT(bob.TakeTypes(), IsEmpty());
}

// The hard rule: sockets of users who are not in the conversation get nothing of it, whatever they
// subscribed to.
TEST_F(PublisherTest, OutsidersHearNothing) {
  const std::string id = Send("alice");
  SubscribeAllOf(carol);
  carol.Subscribe("/me/conversations/c/messages/" + id + "/reactions/%F0%9F%91%8D");
  Send("alice");
  ASSERT_TRUE(world.MarkTyping("alice", "c").ok());
  ASSERT_TRUE(world.AddReaction("bob", "c", id, "👍").ok());
  ASSERT_TRUE(world.RemoveReaction("bob", "c", id, "👍").ok());
  ASSERT_TRUE(world.EditMessage("alice", "c", id, {}).ok());
  ASSERT_TRUE(world.DeleteMessage("alice", "c", id).ok());
  ASSERT_TRUE(world.MarkRead("bob", "c").ok());
  ConversationWrite write;
  write.subject = wire::Patch<std::string>::Of("new");
  ASSERT_TRUE(world.PutConversation("c", write).ok());
  ASSERT_TRUE(world.RemoveParticipant("bob", "c", "bob").ok());
  publisher.Flush();
  EXPECT_THAT(carol.TakeTypes(), IsEmpty());
}

TEST_F(PublisherTest, JoiningIsASideForTheJoinerAndAParticipantForTheOthers) {
  SubscribeAllOf(carol);
  SubscribeAllOf(alice);
  ASSERT_TRUE(Join("carol").ok());
  EXPECT_THAT(carol.TakeTypes(), ElementsAre("side.created", "typing.available"));
  const json::object event = alice.TakeOne();
  EXPECT_EQ(Text(event.at("type")), "participant.created");
  EXPECT_EQ(Text(event.at("userId")), "carol");
  Send("alice");
  EXPECT_THAT(carol.TakeTypes(), ElementsAre("message.created", "side.edited"));
}

TEST_F(PublisherTest, LeavingIsASideForTheLeaverAndEndsHisEvents) {
  SubscribeAllOf(bob);
  SubscribeAllOf(alice);
  ASSERT_TRUE(world.RemoveParticipant("alice", "c", "bob").ok());
  publisher.Flush();
  EXPECT_THAT(bob.TakeTypes(), ElementsAre("side.deleted"));
  EXPECT_THAT(alice.TakeTypes(), ElementsAre("participant.deleted"));
  Send("alice");
  EXPECT_THAT(bob.TakeTypes(), IsEmpty());
  ASSERT_TRUE(Join("bob").ok());
  EXPECT_THAT(bob.TakeTypes(), ElementsAre("side.created", "typing.available"));
}

TEST_F(PublisherTest, ASubscriptionBelowTheConversationHearsOfMembership) {
  carol.Subscribe("/me/conversations/c/participants/bob");
  ASSERT_TRUE(Join("carol").ok());
  EXPECT_THAT(carol.TakeTypes(), ElementsAre("side.created"));
}

TEST_F(PublisherTest, ReadingTellsTheOthersOnlyWhatMoved) {
  SubscribeAllOf(alice);
  SubscribeAllOf(bob);
  Send("alice");
  alice.received.clear();
  bob.received.clear();
  Tick();
  ASSERT_TRUE(world.MarkRead("bob", "c").ok());
  publisher.Flush();
  const json::object mine = bob.TakeOne();
  EXPECT_EQ(Text(mine.at("diff").at("unreadMessageCount")), "0");
  EXPECT_EQ(Text(mine.at("diff").at("isUnread")), "false");
  const json::object others = alice.TakeOne();
  EXPECT_EQ(Text(others.at("type")), "side.edited");
  EXPECT_EQ(others.at("diff").as_object().size(), 1u);
  EXPECT_TRUE(others.at("diff").as_object().contains("everyoneReadUntil"));
  ASSERT_TRUE(world.MarkUnread("bob", "c").ok());
  publisher.Flush();
  EXPECT_EQ(Text(bob.TakeOne().at("diff")), Text((json::object{{"isUnread", true}})));
  EXPECT_THAT(alice.TakeTypes(), IsEmpty());
}

TEST_F(PublisherTest, ADeletedLastMessageNamesItsSuccessor) {
  const std::string first = Send("alice");
  const std::string second = Send("alice");
  const std::string third = Send("alice");
  bob.Subscribe("/me/conversations/c/messages");
  const auto remove = [&](const std::string& id) {
    EXPECT_TRUE(world.DeleteMessage("alice", "c", id).ok());
    publisher.Flush();
    return bob.TakeOne();
  };
  EXPECT_FALSE(remove(second).contains("newLastMessage"));
  EXPECT_EQ(Text(remove(third).at("newLastMessage").at("id")), first);
  EXPECT_TRUE(remove(first).at("newLastMessage").is_null());
}

TEST_F(PublisherTest, ReactionsAreSeenFromTheReceiversSide) {
  const std::string id = Send("alice");
  alice.Subscribe("/me/conversations/c/messages");
  bob.Subscribe("/me/conversations/c/messages");
  bob.Subscribe("/me/conversations/c/messages/" + id + "/reactions/%F0%9F%91%8D");
  ASSERT_TRUE(world.AddReaction("bob", "c", id, "👍").ok());
  publisher.Flush();
  const auto reaction = [](const json::object& event) {
    return event.at("diff").at("reactions").at("👍");
  };
  EXPECT_EQ(Text(reaction(alice.TakeOne()).at("currentUserReacted")), "false");
  ASSERT_EQ(bob.received.size(), 2u);
  EXPECT_EQ(Text(reaction(bob.received[0]).at("currentUserReacted")), "true");
  EXPECT_EQ(Text(reaction(bob.received[0]).at("count")), "1");
  EXPECT_EQ(Text(bob.received[1].at("type")), "reaction.added");
  bob.received.clear();
  ASSERT_TRUE(world.RemoveReaction("bob", "c", id, "👍").ok());
  publisher.Flush();
  EXPECT_TRUE(reaction(alice.TakeOne()).is_null());
  EXPECT_THAT(bob.TakeTypes(), ElementsAre("message.edited", "reaction.removed"));
}

TEST_F(PublisherTest, AnOpenReactionListHearsOfMessagesButNeverOfReactionsOfADeletedOne) {
  const std::string id = Send("alice");
  ASSERT_TRUE(world.AddReaction("alice", "c", id, "👍").ok());
  bob.Subscribe("/me/conversations/c/messages/" + id + "/reactions/%F0%9F%91%8D");
  Send("alice");
  EXPECT_THAT(bob.TakeTypes(), ElementsAre("message.created"));
  ASSERT_TRUE(world.DeleteMessage("alice", "c", id).ok());
  publisher.Flush();
  EXPECT_THAT(bob.TakeTypes(), ElementsAre("message.deleted"));
}

TEST_F(PublisherTest, OnesOwnPartIsAlsoToldToTheList) {
  bob.Subscribe("/me/conversations");
  alice.Subscribe("/me/conversations");
  ParticipantWrite write;
  write.notify = wire::Patch<wire::Notify>::Of(wire::Notify::kMentionsOnly);
  ASSERT_TRUE(Join("bob", write).ok());
  const json::object event = bob.TakeOne();
  EXPECT_EQ(Text(event.at("type")), "participant.edited");
  EXPECT_EQ(Text(event.at("diff")), Text((json::object{{"notify", "MentionsOnly"}})));
  EXPECT_THAT(alice.TakeTypes(), IsEmpty());
  ASSERT_TRUE(Join("bob", write).ok());
  EXPECT_THAT(bob.TakeTypes(), IsEmpty()) << "nothing changed";
}

TEST_F(PublisherTest, UsersAreToldToWhoeverWatchesThem) {
  Socket dave(publisher, "dave");
  dave.Subscribe("/me/conversations");
  carol.Subscribe("/users/dave");
  carol.Subscribe("/users/dave/online");
  publisher.Flush();
  carol.received.clear();
  ASSERT_TRUE(world.PutUser("dave", Named("Dave")).ok());
  publisher.Flush();
  EXPECT_THAT(carol.TakeTypes(), ElementsAre("user.created")) << "one copy for two subscriptions";
  EXPECT_THAT(dave.TakeTypes(), ElementsAre("user.created"));
  UserWrite secret;
  secret.email = wire::Patch<std::vector<std::string>>::Of({"dave@example.com"});
  ASSERT_TRUE(world.PutUser("dave", secret).ok());
  publisher.Flush();
  EXPECT_THAT(carol.TakeTypes(), IsEmpty()) << "private";
  ASSERT_TRUE(world.PutUser("dave", Named("D")).ok());
  publisher.Flush();
  EXPECT_EQ(Text(carol.TakeOne().at("diff")), Text((json::object{{"name", "D"}})));
}

TEST_F(PublisherTest, AUserIsOnlineWhileAnyOfHisSocketsIs) {
  ASSERT_TRUE(world.PutUser("dave", Named("Dave")).ok());
  carol.Subscribe("/users/dave/online");
  {
    Socket first(publisher, "dave");
    Socket second(publisher, "dave");
    publisher.Flush();
    EXPECT_EQ(Text(carol.TakeOne().at("diff").at("isConnected")), "true");
    publisher.Remove(first);
    publisher.Flush();
    EXPECT_THAT(carol.TakeTypes(), IsEmpty());
  }
  publisher.Flush();
  EXPECT_EQ(Text(carol.TakeOne().at("diff").at("isConnected")), "false");
}

TEST_F(PublisherTest, TypingIsForTheOthersAndBecomesMany) {
  std::vector<std::string> typists;
  for (int i = 0; i < 7; ++i) {
    typists.push_back("t" + std::to_string(i));
    ASSERT_TRUE(world.PutUser(typists.back(), Named("T")).ok());
    ASSERT_TRUE(Join(typists.back()).ok());
  }
  bob.Subscribe("/me/conversations/c/typing");
  Socket first(publisher, "t0");
  first.Subscribe("/me/conversations/c/typing");
  const auto type = [&](const std::string& user) {
    EXPECT_TRUE(world.MarkTyping(user, "c").ok());
    publisher.Flush();
  };
  type("t0");
  EXPECT_TRUE(bob.TakeOne().at("diff").at("usersTyping").as_object().contains("t0"));
  EXPECT_THAT(first.TakeTypes(), IsEmpty());
  for (int i = 1; i < 6; ++i) type(typists[i]);
  EXPECT_EQ(Text(bob.received.back().at("diff")), Text((json::object{{"many", true}})));
  bob.received.clear();
  EXPECT_EQ(first.received.size(), 5u) << "only five others for him";
  type("t6");
  EXPECT_THAT(bob.TakeTypes(), IsEmpty());
  Send("t6");
  EXPECT_THAT(bob.TakeTypes(), IsEmpty()) << "still many";
  Send("t5");
  const json::object few = bob.TakeOne();
  EXPECT_EQ(Text(few.at("diff").at("many")), "false");
  EXPECT_EQ(few.at("diff").at("usersTyping").as_object().size(), 5u);
  Send("t1");
  EXPECT_TRUE(bob.TakeOne().at("diff").at("usersTyping").at("t1").is_null());
}

TEST_F(PublisherTest, LogoutForgetsSubscriptionsAndPendingEvents) {
  SubscribeAllOf(bob);
  ASSERT_TRUE(world.SendMessage("alice", "c", TextMessage("x")).ok());
  publisher.Remove(bob);
  publisher.Flush();
  EXPECT_EQ(bob.frames, 0);
  publisher.Add(bob);
  Send("alice");
  EXPECT_EQ(bob.frames, 0);
}

TEST_F(PublisherTest, WhatBuildsOnAFreshMessageOrSideIsKeptApart) {
  carol.Subscribe("/me/conversations");
  carol.Subscribe("/me/conversations/c/messages");
  const auto apart = [&] { return std::exchange(carol.frames_apart, 0); };
  EXPECT_TRUE(Join("carol").ok());
  EXPECT_EQ(apart(), 0);
  const std::string first = Send("alice");
  EXPECT_EQ(apart(), 1) << "the unread count of a side just made";
  const std::string second = Send("alice");
  EXPECT_EQ(apart(), 0) << "a flood is not slowed down";
  MessageWrite edit;
  edit.custom = wire::Patch<wire::CustomPatch>::Null();
  EXPECT_TRUE(world.EditMessage("alice", "c", second, edit).ok());
  publisher.Flush();
  EXPECT_EQ(apart(), 1);
  EXPECT_TRUE(world.AddReaction("alice", "c", first, "👍").ok());
  publisher.Flush();
  EXPECT_EQ(apart(), 0) << "nothing is fresh any more";
  Send("alice");
  EXPECT_TRUE(world.DeleteMessage("alice", "c", first).ok());
  publisher.Flush();
  EXPECT_EQ(apart(), 1);
  EXPECT_TRUE(world.RemoveParticipant("alice", "c", "carol").ok());
  EXPECT_TRUE(Join("carol").ok());
  EXPECT_TRUE(world.RemoveParticipant("alice", "c", "carol").ok());
  publisher.Flush();
  EXPECT_EQ(apart(), 1) << "gone right after it came";
}

}  // namespace
}  // namespace talkjsd::emulator
