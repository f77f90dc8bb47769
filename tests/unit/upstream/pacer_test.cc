#include "daemon/upstream/pacer.h"

#include <gtest/gtest.h>

namespace talkjsd::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Pacer, LetsAsManyGoAtOnceAsASecondHasAndQueuesTheRest) {
  ManualClock clock;
  Pacer pacer(0.05);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(pacer.Take(clock.Now()), Duration::zero());
  for (int i = 1; i <= 40; ++i) {
    EXPECT_NEAR(std::chrono::duration<double>(pacer.Take(clock.Now())).count(), i / 20.0, 0.001);
  }
  clock.Advance(seconds(60));
  EXPECT_EQ(pacer.Take(clock.Now()), Duration::zero());
}

TEST(Pacer, GrowsWithTheSessions) {
  ManualClock clock;
  Pacer pacer(0.05);
  pacer.SetSessions(10'000);
  pacer.Take(clock.Now());
  clock.Advance(seconds(1));
  int at_once = 0;
  while (pacer.Take(clock.Now()) == Duration::zero()) ++at_once;
  EXPECT_NEAR(at_once, 500, 1);
  pacer.SetSessions(10);
  EXPECT_GE(pacer.Take(clock.Now()), milliseconds(50));
}

TEST(Turn, ComesAfterTheDelayWhoeverElseWaitsForALaterTime) {
  ManualClock clock;
  Pacer pacer(0.05);
  Turn late(pacer);
  Turn soon(pacer);
  late.Want(clock.Now() + seconds(60));
  EXPECT_FALSE(late.HasCome(clock.Now()));
  soon.Want(clock.Now() + seconds(5));
  EXPECT_FALSE(soon.HasCome(clock.Now()));
  EXPECT_EQ(soon.when(), clock.Now() + seconds(5));
  clock.Advance(seconds(5));
  EXPECT_TRUE(soon.HasCome(clock.Now()));
  EXPECT_FALSE(late.HasCome(clock.Now()));
  EXPECT_EQ(late.when(), clock.Now() + seconds(55));
}

TEST(Turn, QueuesWhenItsTimeHasComeAndKeepsItsPlace) {
  ManualClock clock;
  Pacer pacer(0.05);
  while (pacer.Take(clock.Now()) == Duration::zero()) {
  }
  Turn turn(pacer);
  turn.Want(clock.Now());
  EXPECT_FALSE(turn.HasCome(clock.Now()));
  const MonoTime when = turn.when();
  EXPECT_EQ(when, clock.Now() + milliseconds(100));
  EXPECT_FALSE(turn.HasCome(clock.Now()));
  EXPECT_EQ(turn.when(), when);
  clock.Advance(milliseconds(100));
  EXPECT_TRUE(turn.HasCome(clock.Now()));
  EXPECT_TRUE(turn.HasCome(clock.Now()));
}

}  // namespace
}  // namespace talkjsd::upstream
