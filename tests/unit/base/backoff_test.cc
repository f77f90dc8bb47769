#include "daemon/base/backoff.h"

#include <gtest/gtest.h>

#include <chrono>

namespace talkjsd {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// realtime.md 3.4 and design.md section 5.
TEST(ReconnectBackoff, FirstDelayIsTheSdksAndLaterOnesHaveFullJitterUpToTheCap) {
  SeededRandom random(1);
  Duration longest{0};
  for (int run = 0; run < 200; ++run) {
    ReconnectBackoff backoff;
    const Duration first = backoff.Next(random);
    EXPECT_GE(first, seconds(5));
    EXPECT_LT(first, seconds(15));
    for (int i = 1; i < 10; ++i) {
      const Duration next = backoff.Next(random);
      EXPECT_GE(next, seconds(1));
      EXPECT_LE(next, seconds(60));
      longest = std::max(longest, next);
    }
    EXPECT_EQ(backoff.attempts(), 10);
  }
  EXPECT_GT(longest, seconds(55));  // the jitter reaches the cap
}

TEST(ReconnectBackoff, StartsAnewAfterReset) {
  SeededRandom random(2);
  ReconnectBackoff backoff;
  for (int i = 0; i < 5; ++i) backoff.Next(random);
  backoff.Reset();
  for (int i = 0; i < 100; ++i) {
    const Duration first = backoff.Next(random);
    EXPECT_GE(first, seconds(5));
    EXPECT_LT(first, seconds(15));
    backoff.Reset();
  }
}

// The gaps observed of the SDK (realtime.md 3.5): about 200 ms, then 1.2 times more each.
TEST(CallThrottle, GrowsByAFifthUpToHalfAMinute) {
  SeededRandom random(3);
  CallThrottle throttle;
  MonoTime now{std::chrono::hours(1)};
  EXPECT_EQ(throttle.Next(now, random), Duration::zero());  // nothing was repeated for long
  Duration previous{0};
  for (int i = 0; i < 60; ++i) {
    const Duration delay = throttle.Next(now, random);
    now += delay;
    EXPECT_LE(delay, milliseconds(31'500));
    if (i > 0 && previous < seconds(25)) {
      EXPECT_GT(delay, previous);
      EXPECT_LT(delay, previous * 14 / 10);
    }
    previous = delay;
  }
  EXPECT_GT(previous, seconds(25));
  throttle.Reset();
  EXPECT_LT(throttle.Next(now, random), milliseconds(211));
}

TEST(RateBucket, ABurstPassesAndTheRestQueuesInOrder) {
  RateBucket bucket(10, 3);
  const MonoTime now{std::chrono::hours(1)};
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.Take(now), Duration::zero());
  Duration previous{0};
  for (int i = 1; i <= 20; ++i) {
    const Duration wait = bucket.Take(now);
    EXPECT_NEAR(static_cast<double>(wait.count()), i * 1e8, 1e6);
    EXPECT_GT(wait, previous);
    previous = wait;
  }
  // Ten seconds later it has refilled, to its burst and no further.
  const MonoTime later = now + seconds(10);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bucket.Take(later), Duration::zero());
  EXPECT_GT(bucket.Take(later), Duration::zero());
}

TEST(Random, BetweenStaysInsideItsBoundsAndASeedRepeats) {
  SeededRandom random(4);
  SeededRandom same(4);
  for (int i = 0; i < 1000; ++i) {
    const Duration value = random.Between(seconds(1), seconds(2));
    EXPECT_GE(value, seconds(1));
    EXPECT_LT(value, seconds(2));
    EXPECT_EQ(value, same.Between(seconds(1), seconds(2)));
  }
  EXPECT_EQ(random.Between(seconds(3), seconds(3)), Duration(seconds(3)));
}

TEST(Random, TextHasItsLengthAndAlphabet) {
  const std::string text = SecureRandom().Text(64, "ab");
  EXPECT_EQ(text.size(), 64u);
  EXPECT_EQ(text.find_first_not_of("ab"), std::string::npos);
  EXPECT_NE(text, SecureRandom().Text(64, "ab"));
}

}  // namespace
}  // namespace talkjsd
