// Interruptions, edits, deletions and unreads.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/session/inbox_fixture.h"

namespace talkjsd::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class InboxGap : public InboxFixture {
 protected:
  using InboxFixture::InboxFixture;
};

class InboxGapWithTwo : public InboxGap {
 protected:
  InboxGapWithTwo() : InboxGap(2) {}
};

// --- interruptions ---

TEST_F(InboxGap, AListOfMessagesThatGoesInCirclesIsGivenUpAndSaidSo) {
  Join("c1");
  LogIn();
  Say("c1");
  talk_.Settle();
  talk_.Disconnect();
  for (int i = 0; i < 400; ++i) Say("c1");
  talk_.goes_in_circles = true;
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(talk_.incomplete, 1);
  EXPECT_LT(talk_.Count("GET /me/conversations/c1/messages"), 20);
  // Life goes on.
  const std::string next = Say("c1");
  talk_.Settle();
  EXPECT_EQ(talk_.Sent().back(), next);
}

TEST_F(InboxGap, AListOfConversationsThatGoesInCirclesIsReadAgainLater) {
  for (int i = 0; i < 100; ++i) Join("c" + std::to_string(i));
  LogIn();
  talk_.Disconnect();
  std::string last;
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(minutes(2));
    last = Say("c" + std::to_string(i));
  }
  talk_.goes_in_circles = true;
  talk_.Connect();
  talk_.Settle(seconds(60));
  EXPECT_EQ(talk_.synced, 1);
  EXPECT_LT(talk_.Count("GET /me/conversations "), 30);
  talk_.goes_in_circles = false;
  talk_.Settle();
  EXPECT_EQ(talk_.synced, 2);
  EXPECT_EQ(talk_.Sent().size(), 100u);
}

TEST_F(InboxGap, WhatIsSaidAfterTheReconnectWaitsForWhatWasSaidBefore) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.Disconnect();
  for (int i = 0; i < 400; ++i) all.push_back(Say("c1"));
  talk_.Connect();
  while (talk_.ServerStep()) {
  }
  all.push_back(Say("c1"));  // live, while the list is still on its way
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), all);
  EXPECT_TRUE(talk_.appended[1].recovered);
}

TEST_F(InboxGap, WhatIsSaidBeforeALateSubscriptionBeginsIsReadBackBeforeWhatFollows) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.Disconnect();
  for (int i = 0; i < 50; ++i) all.push_back(Say("c1"));
  talk_.refused = {"/me/conversations/c1/messages"};
  talk_.Connect();
  talk_.RunIdle();
  for (int i = 0; i < 200; ++i) all.push_back(Say("c1"));
  talk_.RunIdle();
  EXPECT_LT(talk_.Sent().size(), all.size());
  talk_.AcceptRefused();
  for (int i = 0; i < 200; ++i) all.push_back(Say("c1"));
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), all);
}

TEST_F(InboxGap, AFillUnderWayBeginsAnewWhenItsSubscriptionComesLate) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.Disconnect();
  for (int i = 0; i < 500; ++i) all.push_back(Say("c1"));
  talk_.refused = {"/me/conversations/c1/messages"};
  talk_.Connect();
  while (talk_.Count("GET /me/conversations/c1/messages") < 3) {
    ASSERT_TRUE(talk_.ServerStep() || talk_.ClientStep());
  }
  all.push_back(Say("c1"));
  talk_.AcceptRefused();
  all.push_back(Say("c1"));
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), all);
}

TEST_F(InboxGap, WhatALateListDidNotTellOfIsReadBack) {
  Join("c1");
  Join("c2");
  talk_.refused = {"/me/conversations"};
  LogIn();
  Ids all{Say("c1"), Say("c2"), Say("c1")};
  talk_.Settle();
  EXPECT_TRUE(talk_.Sent().empty());
  talk_.AcceptRefused();
  talk_.Settle();
  all.push_back(Say("c2"));
  talk_.Settle();
  Ids sent = talk_.Sent();
  std::sort(sent.begin(), sent.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(sent, all);
  EXPECT_EQ(talk_.synced, 2);
}

TEST_F(InboxGap, AllPagesOfTheListSinceTheLastCompleteSyncAreRead) {
  for (int i = 0; i < 100; ++i) Join("c" + std::to_string(i));
  LogIn();
  talk_.Disconnect();
  Ids all;
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(minutes(2));
    all.push_back(Say("c" + std::to_string(i)));
  }
  talk_.Connect();
  talk_.Settle();
  Ids sent = talk_.Sent();
  std::sort(sent.begin(), sent.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(sent, all);
}

TEST_F(InboxGap, AnInterruptedSyncDoesNotForgetTheGap) {
  for (int i = 0; i < 100; ++i) Join("c" + std::to_string(i));
  LogIn();
  talk_.Disconnect();
  Ids all;
  for (int i = 0; i < 100; ++i) {
    clock_.Advance(minutes(2));
    all.push_back(Say("c" + std::to_string(i)));
  }
  for (int interruption = 1; interruption < 40; ++interruption) {
    talk_.Connect();
    for (int i = 0; i < interruption; ++i) {
      talk_.ServerStep();
      talk_.ClientStep();
    }
    talk_.Disconnect();
  }
  talk_.Connect();
  talk_.Settle();
  Ids sent = talk_.Sent();
  std::sort(sent.begin(), sent.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(sent, all);
}

TEST_F(InboxGap, AFillThatIsInterruptedGoesOnAfterwards) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.Disconnect();
  for (int i = 0; i < 1'000; ++i) all.push_back(Say("c1"));
  for (int interruption = 1; interruption < 60; interruption += 3) {
    talk_.Connect();
    for (int i = 0; i < interruption; ++i) {
      talk_.ServerStep();
      talk_.ClientStep();
    }
    talk_.Disconnect();
    clock_.Advance(seconds(5));
    talk_.WakeStep();
    EXPECT_GT(talk_.wake(), clock_.Now());
  }
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), all);
}

TEST_F(InboxGap, AnAnnouncedRestartAsksForNothing) {
  Join("c1");
  LogIn();
  talk_.Disconnect(/*announced=*/true);
  const int questions = talk_.Count("GET");
  const std::string message = Say("c1");
  talk_.Connect();
  EXPECT_EQ(talk_.synced, 2);
  EXPECT_EQ(talk_.Count("GET"), questions);
  EXPECT_EQ(talk_.gaps, 0);
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), Ids{message});
}

TEST_F(InboxGap, AnAnnouncedRestartDuringASyncDoesNotEndIt) {
  Join("c1");
  talk_.Connect();
  talk_.Disconnect(/*announced=*/true);
  talk_.Connect();
  EXPECT_EQ(talk_.synced, 0);
  talk_.Settle();
  EXPECT_EQ(talk_.synced, 1);
}

TEST_F(InboxGap, AListThatCannotBeReadIsReadAgain) {
  Join("c1");
  int failures = 2;
  talk_.fault = [&](const upstream::Request& request) -> std::optional<int> {
    if (request.path == "/me/conversations" && failures-- > 0) return 500;
    return std::nullopt;
  };
  Say("c1");
  talk_.Connect();
  talk_.RunIdle();
  EXPECT_EQ(talk_.synced, 0);
  talk_.Settle();
  EXPECT_EQ(talk_.synced, 1);
  EXPECT_TRUE(talk_.appended.empty());
}

TEST_F(InboxGap, AConversationJoinedDuringTheWalkIsNotTakenForLeft) {
  Join("c1");
  talk_.Connect();
  while (talk_.ServerStep()) {
  }
  Join("c2");  // after the list was answered
  talk_.ClientStep();
  const std::string message = Say("c2");
  talk_.Settle();
  EXPECT_NE(talk_.inbox().FindConversation("c2"), nullptr);
  EXPECT_EQ(talk_.Sent(), Ids{message});
}

TEST_F(InboxGap, AConversationLeftMeanwhileIsForgotten) {
  Join("c1");
  Join("c2");
  LogIn();
  Say("c1");
  talk_.Settle();
  talk_.Disconnect();
  talk_.Leave("c1");
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(talk_.inbox().FindConversation("c1"), nullptr);
  EXPECT_TRUE(Unreads().empty());
}

TEST_F(InboxGapWithTwo, WithAllSubscriptionsTakenTheGapIsFilledNonetheless) {
  for (int i = 0; i < 6; ++i) Join("c" + std::to_string(i));
  LogIn();
  Ids all;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 6; ++i) all.push_back(Say("c" + std::to_string(i)));
    talk_.Settle();
    talk_.Disconnect();
    for (int i = 5; i >= 0; --i) all.push_back(Say("c" + std::to_string(i)));
    talk_.Connect();
    talk_.Settle();
  }
  Ids sent = talk_.Sent();
  std::sort(sent.begin(), sent.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(sent, all);
}

// --- edits and deletions ---

TEST_F(InboxGap, AnEditIsAnEventWithTheWholeMessage) {
  Join("c1");
  LogIn();
  const std::string first = Say("c1");
  const std::string last = Say("c1");
  talk_.Settle();
  talk_.Edit("c1", last, "new text");
  talk_.Settle();
  ASSERT_EQ(Count(journal::EventKind::kEdited), 1);
  EXPECT_EQ(talk_.appended.back().message_id, last);
  EXPECT_EQ(talk_.appended.back().body, "new text");
  talk_.Edit("c1", first, "older one");
  talk_.Settle();
  ASSERT_EQ(Count(journal::EventKind::kEdited), 2);
  EXPECT_EQ(talk_.appended.back().message_id, first);
  EXPECT_EQ(talk_.appended.back().body, "older one");
  EXPECT_EQ(talk_.acknowledged, talk_.frames);
}

TEST_F(InboxGap, AReactionIsNoEdit) {
  Join("c1");
  LogIn();
  const std::string first = Say("c1");
  talk_.Settle();
  talk_.React("c1", first);
  talk_.Settle();
  EXPECT_EQ(Count(journal::EventKind::kEdited), 0);
}

TEST_F(InboxGap, DeletingTheLastMessageShowsTheOneBefore) {
  Join("c1");
  LogIn();
  const std::string first = Say("c1");
  const std::string last = Say("c1");
  talk_.Settle();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 2, last}}));
  talk_.Delete("c1", last);
  talk_.Settle();
  EXPECT_EQ(Count(journal::EventKind::kDeleted), 1);
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 1, first}}));
  talk_.Delete("c1", first);
  talk_.Settle();
  EXPECT_TRUE(Unreads().empty());
}

TEST_F(InboxGap, ADeletionInAConversationThatIsNotFollowedShowsTheOneBefore) {
  Join("c1");
  const std::string first = Say("c1");
  const std::string last = Say("c1");
  LogIn();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 2, last}}));
  talk_.Delete("c1", last);
  talk_.Settle();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 1, first}}));
  EXPECT_TRUE(talk_.appended.empty());
}

// --- unreads ---

TEST_F(InboxGap, UnreadsAreListedOnceAfterTheStartEvenIfThereAreNone) {
  LogIn();
  ASSERT_EQ(talk_.unreads.size(), 1u);
  EXPECT_TRUE(Unreads().empty());
  EXPECT_FALSE(talk_.unreads[0].stale);
}

TEST_F(InboxGap, UnreadsAreOrderedByActivityAndCountWhatIsUnread) {
  for (const char* id : {"c1", "c2", "c3"}) Join(id);
  Say("c2");
  const std::string second = Say("c2");
  const std::string first = Say("c1");
  LogIn();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 1, first}, {"c2", 2, second}}));
  const std::string third = Say("c2");
  talk_.Settle();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c2", 3, third}, {"c1", 1, first}}));
  talk_.Read("c2");
  talk_.Settle();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 1, first}}));
  const size_t lists = talk_.unreads.size();
  Say("c3", kMe);  // changes nothing
  talk_.Settle();
  EXPECT_EQ(talk_.unreads.size(), lists);
}

TEST_F(InboxGap, AMarkByHandCountsNothingAndNeedsAMessage) {
  Join("c1");
  Join("empty");
  LogIn();
  const std::string own = Say("c1", kMe);
  talk_.MarkUnread("c1");
  talk_.MarkUnread("empty");
  talk_.Settle();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 0, own}}));
}

TEST_F(InboxGap, WhileAwayTheListIsStaleAndSaysSinceWhen) {
  Join("c1");
  const std::string message = Say("c1");
  LogIn();
  const UnixMillis since = clock_.WallMillis();
  talk_.Disconnect();
  EXPECT_TRUE(talk_.unreads.back().stale);
  EXPECT_EQ(talk_.unreads.back().as_of, since);
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 1, message}}));
  clock_.Advance(minutes(5));
  talk_.Connect();
  talk_.Settle();
  EXPECT_FALSE(talk_.unreads.back().stale);
  EXPECT_GT(talk_.unreads.back().as_of, since);
}

TEST_F(InboxGap, WhatWasReadElsewhereWhileAwayIsNotUnreadAnyMore) {
  // Long before the interruption, so that the walk through the list does not come to it.
  Join("c1");
  const std::string old_one = Say("c1");
  clock_.Advance(std::chrono::hours(1));
  for (int i = 10; i < 50; ++i) Join("c" + std::to_string(i));
  LogIn();
  ASSERT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c1", 1, old_one}}));
  talk_.Disconnect();
  clock_.Advance(minutes(10));
  talk_.Read("c1");
  const std::string message = Say("c10");
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(Unreads(), (std::vector<UnreadEntry>{{"c10", 1, message}}));
}

TEST_F(InboxGap, UnreadsBeyondTheListsFirstPageAreListedToo) {
  for (int i = 0; i < 80; ++i) {
    Join("c" + std::to_string(i));
    Say("c" + std::to_string(i));
  }
  LogIn();
  EXPECT_EQ(Unreads(), talk_.ExpectedUnreads());
  EXPECT_EQ(Unreads().size(), 80u);
}

}  // namespace
}  // namespace talkjsd::session
