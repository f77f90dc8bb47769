#include "daemon/session/inbox.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/session/inbox_fixture.h"

namespace talkjsd::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class InboxTest : public InboxFixture {
 protected:
  using InboxFixture::InboxFixture;
};

class InboxWithTwo : public InboxTest {
 protected:
  InboxWithTwo() : InboxTest(2) {}
};

// --- live ---

TEST_F(InboxTest, WhatWasSaidBeforeTheBaselineIsHistory) {
  Join("c1");
  SayMany("c1", 3);
  LogIn();
  EXPECT_TRUE(talk_.appended.empty());
  EXPECT_EQ(talk_.gaps, 0);
  EXPECT_FALSE(Follows("c1"));
  const std::string message = Say("c1");
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), Ids{message});
  EXPECT_FALSE(Last().recovered);
}

TEST_F(InboxTest, WhatAnEventShowedBeforeTheListWasReadIsHistoryToo) {
  Join("c1");
  SayMany("c1", 3);
  talk_.Read("c1");
  talk_.fault = [](const upstream::Request& request) -> std::optional<int> {
    if (request.path == "/me/conversations") return 500;
    return std::nullopt;
  };
  talk_.Connect();
  talk_.RunIdle();
  talk_.MarkUnread("c1");  // says nothing of the last message
  talk_.RunIdle();
  const std::string message = Say("c1");
  talk_.RunIdle();
  talk_.fault = nullptr;
  talk_.Settle();
  EXPECT_EQ(talk_.synced, 1);
  EXPECT_EQ(talk_.Sent(), Ids{message});
}

TEST_F(InboxTest, AFollowedConversationIsHeardDirectly) {
  Join("c1");
  LogIn();
  Say("c1");
  talk_.Settle();
  EXPECT_TRUE(Follows("c1"));
  const int questions = talk_.Count("GET");
  const std::string second = Say("c1");
  talk_.RunIdle();
  EXPECT_EQ(Last().message_id, second);
  EXPECT_EQ(talk_.Count("GET"), questions);
}

TEST_F(InboxTest, OwnMessagesAreNewMessagesToo) {
  Join("c1");
  LogIn();
  Say("c1", kMe);
  talk_.Settle();
  ASSERT_EQ(talk_.appended.size(), 1u);
  EXPECT_TRUE(Last().by_me);
}

TEST_F(InboxTest, TwoMessagesOfOneMillisecondAreTwo) {
  Join("c1");
  LogIn();
  Pass();
  const std::string first = talk_.Say("c1", "alice");
  talk_.Settle();
  Pass();
  const std::string second = talk_.Say("c1", "alice");
  const std::string third = talk_.Say("c1", "bob");
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), (Ids{first, second, third}));
}

TEST_F(InboxWithTwo, TwoMessagesOfOneMillisecondAroundAnEvictionAreTwo) {
  for (const char* id : {"c1", "c2", "c3"}) Join(id);
  LogIn();
  const std::string first = Say("c1");
  talk_.Settle();
  talk_.Say("c2", "bob");
  talk_.RunIdle();
  talk_.Say("c3", "bob");
  talk_.RunIdle();
  ASSERT_FALSE(Follows("c1"));
  const std::string second = talk_.Say("c1", "bob");  // no time has passed since the first
  talk_.Settle();
  EXPECT_EQ(talk_.Sent("c1"), (Ids{first, second}));
}

TEST_F(InboxWithTwo, FiveConversationsShareTwoSubscriptionsWithoutLossOrRepetition) {
  Ids all;
  for (int i = 0; i < 5; ++i) Join("c" + std::to_string(i));
  LogIn();
  for (int i = 0; i < 200; ++i) {
    all.push_back(Say("c" + std::to_string(i * 7 % 5)));
    if (i % 3 == 0) talk_.ServerStep();
    if (i % 2 == 0) talk_.ClientStep();
    int followed = 0;
    for (int c = 0; c < 5; ++c) followed += Follows("c" + std::to_string(c)) ? 1 : 0;
    ASSERT_LE(followed, 2);
  }
  talk_.Settle();
  Ids sent = talk_.Sent();
  EXPECT_EQ(sent.size(), all.size());
  for (int c = 0; c < 5; ++c) {
    UnixMillis before = 0;
    for (const Appended& entry : talk_.appended) {
      if (entry.conversation_id != "c" + std::to_string(c)) continue;
      EXPECT_GT(entry.created_at, before);
      before = entry.created_at;
    }
  }
  std::sort(sent.begin(), sent.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(sent, all);
}

TEST_F(InboxTest, WhatIsSaidDuringTheFirstSyncIsNotLost) {
  for (int i = 0; i < 40; ++i) Join("c" + std::to_string(i));
  Say("c3");
  talk_.Connect();
  talk_.ServerStep();  // SUBSCRIBE
  const std::string early = Say("c3");
  const std::string old_one = Say("c0");
  talk_.Settle();
  EXPECT_EQ(talk_.Sent("c3"), Ids{early});
  EXPECT_EQ(talk_.Sent("c0"), Ids{old_one});
}

TEST_F(InboxTest, AMessageAheadOfItsSideIsNotLost) {
  LogIn();
  talk_.conversations()["c1"].in = true;
  talk_.conversations()["c1"].joined_at = clock_.WallMillis();
  const std::string message = Say("c1");  // side.edited of a conversation nobody told of
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), Ids{message});
  EXPECT_NE(talk_.inbox().FindConversation("c1"), nullptr);
}

// --- senders ---

TEST_F(InboxTest, AMessageWaitsForItsSendersName) {
  Join("c1");
  LogIn();
  Say("c1");
  talk_.Settle();
  EXPECT_EQ(Last().sender_name, "Name of alice");
}

TEST_F(InboxTest, AUserThatDoesNotExistIsNotWaitedFor) {
  Join("c1");
  LogIn();
  Say("c1", "ghost");
  talk_.RunIdle();
  ASSERT_EQ(talk_.appended.size(), 1u);
  EXPECT_EQ(Last().sender_name, "");
}

TEST_F(InboxTest, ASenderThatIsNeverNamedIsLeftAbsentAfterTwoSecondsAndKeepsTheOrder) {
  Join("c1");
  LogIn();
  Say("c1", "bob");
  talk_.Settle();
  talk_.fault = [](const upstream::Request& request) -> std::optional<int> {
    if (request.path == "/users") return 0;
    return std::nullopt;
  };
  const std::string waits = Say("c1", "alice");
  const std::string behind = Say("c1", "bob");
  talk_.RunIdle();
  EXPECT_EQ(talk_.Sent().size(), 1u);
  EXPECT_LT(talk_.acknowledged, talk_.frames);
  Pass(milliseconds(1900));
  talk_.RunIdle();
  EXPECT_EQ(talk_.Sent().size(), 1u);
  Pass(milliseconds(100));
  talk_.RunIdle();
  ASSERT_EQ(talk_.Sent().size(), 3u);
  EXPECT_EQ(talk_.Sent()[1], waits);
  EXPECT_EQ(talk_.Sent()[2], behind);
  EXPECT_EQ(talk_.appended[1].sender_name, "");
  EXPECT_EQ(talk_.appended[2].sender_name, "Name of bob");
  EXPECT_EQ(talk_.acknowledged, talk_.frames);
}

TEST_F(InboxTest, AFrameIsAcknowledgedWhenItsMessageHasBeenAppended) {
  Join("c1");
  LogIn();
  Say("c1");
  talk_.Settle();
  const int before = talk_.acknowledged;
  Say("c1", "carol");
  while (talk_.Sent().size() == 1) {
    EXPECT_EQ(talk_.acknowledged, before);
    ASSERT_TRUE(talk_.ServerStep() || talk_.ClientStep());
  }
  EXPECT_GT(talk_.acknowledged, before);
}

// --- reading back ---

TEST_F(InboxTest, EventsWaitWhileTheirConversationIsReadBack) {
  Join("c1");
  LogIn();
  const std::string first = Say("c1");
  while (!Follows("c1")) ASSERT_TRUE(talk_.ClientStep() || talk_.ServerStep());
  const std::string second = Say("c1");  // heard live and read
  talk_.ClientStep();
  EXPECT_TRUE(talk_.appended.empty());
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), (Ids{first, second}));
  EXPECT_EQ(talk_.acknowledged, talk_.frames);
}

TEST_F(InboxTest, AGapOfTenThousandMessagesIsReadBackInOrderAndWithBoundedMemory) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.Disconnect();
  for (const std::string& id : SayMany("c1", 10'000)) all.push_back(id);
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), all);
  EXPECT_FALSE(talk_.appended.front().recovered);
  for (size_t i = 1; i < talk_.appended.size(); ++i) ASSERT_TRUE(talk_.appended[i].recovered);
  EXPECT_EQ(talk_.recovered, 10'000);
  EXPECT_EQ(talk_.gaps, 1);
  // About a hundred pages, those in the middle twice.
  EXPECT_LT(talk_.Count("GET /me/conversations/c1/messages"), 210);
}

TEST_F(InboxTest, AFillThatBeginsAtTheBaselineIsReadToItsEndToo) {
  Join("c1");
  LogIn();
  talk_.Disconnect();
  const Ids all = SayMany("c1", 1'500);
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), all);
}

TEST_F(InboxTest, AFillThatFailsIsTriedAgain) {
  Join("c1");
  LogIn();
  int failures = 3;
  talk_.fault = [&](const upstream::Request& request) -> std::optional<int> {
    if (request.path == "/me/conversations/c1/messages" && failures-- > 0) return 500;
    return std::nullopt;
  };
  const std::string first = Say("c1");
  talk_.RunIdle();
  const std::string second = Say("c1");
  talk_.RunIdle();
  EXPECT_TRUE(talk_.appended.empty());
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), (Ids{first, second}));
}

TEST_F(InboxTest, AConversationThatCannotBeReadIsSaidToBeIncompleteAndGoesOnLive) {
  Join("c1");
  LogIn();
  talk_.fault = [&](const upstream::Request& request) -> std::optional<int> {
    if (request.path == "/me/conversations/c1/messages") return 405;
    return std::nullopt;
  };
  Say("c1");
  talk_.RunIdle();
  const std::string live = Say("c1");
  talk_.Settle();
  EXPECT_EQ(talk_.incomplete, 1);
  EXPECT_EQ(talk_.Sent(), Ids{live});
  const std::string next = Say("c1");
  talk_.RunIdle();
  EXPECT_EQ(talk_.Sent(), (Ids{live, next}));
  EXPECT_EQ(talk_.acknowledged, talk_.frames);
}

TEST_F(InboxTest, WhatIsHeldDuringFailingFillsIsNotRepeated) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  bool fails = true;
  talk_.fault = [&](const upstream::Request& request) -> std::optional<int> {
    if (fails && request.path == "/me/conversations/c1/messages") return 500;
    return std::nullopt;
  };
  talk_.Disconnect();
  all.push_back(Say("c1"));
  talk_.Connect();
  talk_.RunIdle();
  for (int i = 0; i < 1'000; ++i) {
    all.push_back(Say("c1"));
    talk_.RunIdle();
  }
  fails = false;
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), all);
}

TEST_F(InboxTest, AConversationLeftWhileItIsReadBackIsForgotten) {
  Join("c1");
  Join("c2");
  LogIn();
  Say("c1");
  while (!Follows("c1")) ASSERT_TRUE(talk_.ClientStep() || talk_.ServerStep());
  talk_.Leave("c1");
  talk_.Settle();
  EXPECT_EQ(talk_.inbox().FindConversation("c1"), nullptr);
  EXPECT_FALSE(Follows("c1"));
  const std::string other = Say("c2");
  talk_.Settle();
  EXPECT_EQ(talk_.Sent("c2"), Ids{other});
}

TEST_F(InboxTest, AConversationLeftAndJoinedAgainWhileItIsReadBackIsFollowedAgain) {
  Join("c1");
  LogIn();
  Say("c1");
  while (!Follows("c1")) ASSERT_TRUE(talk_.ClientStep() || talk_.ServerStep());
  talk_.Leave("c1");
  Join("c1");
  for (int i = 0; i < 2; ++i) talk_.ClientStep();
  const std::string after = Say("c1");
  talk_.Settle();
  const std::string later = Say("c1");
  talk_.Settle();
  const Ids sent = talk_.Sent();
  EXPECT_EQ(std::count(sent.begin(), sent.end(), after), 1);
  EXPECT_EQ(sent.back(), later);
}

TEST_F(InboxTest, WhatIsSaidInAJoinedConversationIsNew) {
  LogIn();
  talk_.conversations()["c1"];
  talk_.Say("c1", "alice");  // before
  Join("c1");
  talk_.Settle();
  EXPECT_TRUE(talk_.appended.empty());
  const std::string message = Say("c1");
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), Ids{message});
}

}  // namespace
}  // namespace talkjsd::session
