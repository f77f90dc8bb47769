// The daemon ends and starts again: what an inbox takes along.
#include <gtest/gtest.h>

#include "tests/unit/session/inbox_fixture.h"

namespace talkjsd::session {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

class InboxRestart : public InboxFixture {
 protected:
  void Restart() {
    talk_.Restart();
    talk_.Connect();
    talk_.Settle();
  }
};

TEST_F(InboxRestart, WhatWasSaidMeanwhileComesOnceAndIsMarked) {
  Join("c1");
  LogIn();
  const Ids before = SayMany("c1", 3);
  talk_.Settle();
  talk_.TakeCheckpoint();
  const Ids after_the_checkpoint = SayMany("c1", 2);
  talk_.Settle();
  talk_.Restart();
  const Ids away = SayMany("c1", 150);
  talk_.Connect();
  talk_.Settle();
  Ids all = before;
  all.insert(all.end(), after_the_checkpoint.begin(), after_the_checkpoint.end());
  all.insert(all.end(), away.begin(), away.end());
  EXPECT_EQ(talk_.Sent(), all);
  EXPECT_TRUE(Last().recovered);
  EXPECT_EQ(talk_.recovered, 150);
  // Edits may have been missed.
  EXPECT_EQ(talk_.gaps, 1);
}

TEST_F(InboxRestart, HistoryStaysHistory) {
  Join("c1");
  SayMany("c1", 100);
  LogIn();
  Restart();
  Pass(hours(3));
  Restart();
  EXPECT_TRUE(talk_.Sent().empty());
  const std::string first = Say("c1");
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), Ids{first});
}

TEST_F(InboxRestart, BeforeTheFirstSyncThereIsNothingToTakeAlong) {
  Join("c1");
  SayMany("c1", 3);
  talk_.Connect();
  Restart();
  EXPECT_TRUE(talk_.Sent().empty());
  EXPECT_EQ(talk_.synced, 1);
}

TEST_F(InboxRestart, AFillThatWasInterruptedIsFinished) {
  Join("c1");
  LogIn();
  Say("c1");
  talk_.Settle();
  talk_.TakeCheckpoint();
  talk_.Disconnect();
  const Ids missed = SayMany("c1", 500);
  talk_.Connect();
  // Some of it is appended, and then the daemon dies; again and again.
  for (int round = 0; round < 5; ++round) {
    for (int step = 0; step < 30; ++step) {
      talk_.ServerStep();
      talk_.ClientStep();
    }
    talk_.TakeCheckpoint();
    talk_.Restart();
    talk_.Connect();
  }
  talk_.Settle();
  Ids sent = talk_.Sent();
  sent.erase(sent.begin());
  EXPECT_EQ(sent, missed);
}

TEST_F(InboxRestart, AConversationThatWasJoinedMeanwhileIsReadFromTheJoining) {
  Join("c1");
  LogIn();
  talk_.TakeCheckpoint();
  talk_.Restart();
  Join("c2");
  const std::string said = Say("c2");
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), Ids{said});
}

TEST_F(InboxRestart, AQuietSessionNeedNotBeLookedAtAgain) {
  Join("c1");
  LogIn();
  const std::string said = Say("c1");
  talk_.Settle();
  Pass(minutes(11));
  talk_.TakeCheckpoint();
  Pass(hours(24));
  talk_.TakeCheckpoint();
  const int pages = talk_.Count("GET /me/conversations/c1/messages");
  talk_.Restart();
  talk_.Connect();
  talk_.Settle(seconds(5));
  EXPECT_EQ(talk_.Sent(), Ids{said});
  EXPECT_LE(talk_.Count("GET /me/conversations/c1/messages") - pages, 2);
}

TEST_F(InboxRestart, UnreadsAreAsTalkJSHasThem) {
  Join("c1");
  Join("c2");
  LogIn();
  Say("c1");
  Say("c2");
  talk_.Settle();
  talk_.Restart();
  talk_.Read("c1");
  Say("c2");
  talk_.Connect();
  talk_.Settle();
  EXPECT_EQ(Unreads(), talk_.ExpectedUnreads());
  EXPECT_FALSE(talk_.unreads.back().stale);
}

}  // namespace
}  // namespace talkjsd::session
