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

}  // namespace
}  // namespace talkjsd::upstream
