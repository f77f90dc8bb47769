#include "daemon/base/log_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace talkjsd {
namespace {

constexpr char kFile[] = "a.cc";
const MonoTime kStart = MonoTime(std::chrono::hours(1));

TEST(LogLimiterTest, AFloodIsCutToTheBurstAndTheRate) {
  LogLimiter limiter(5, 2);
  int written = 0;
  for (int i = 0; i < 1000; ++i) {
    if (limiter.Ask(kFile, 1, "x", kStart + std::chrono::milliseconds(i * 10)).write) ++written;
  }
  EXPECT_EQ(written, 5 + 2 * 10 - 1);
}

TEST(LogLimiterTest, TheNextLineSaysHowManyWereLeftOut) {
  LogLimiter limiter(1, 1);
  EXPECT_TRUE(limiter.Ask(kFile, 1, "x", kStart).write);
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(limiter.Ask(kFile, 1, "x", kStart).write);
  const auto next = limiter.Ask(kFile, 1, "x", kStart + std::chrono::seconds(2));
  EXPECT_TRUE(next.write);
  EXPECT_EQ(next.suppressed, 7u);
  EXPECT_EQ(limiter.Ask(kFile, 1, "x", kStart + std::chrono::seconds(9)).suppressed, 0u);
}

TEST(LogLimiterTest, OnePlacesFloodIsNobodyElses) {
  LogLimiter limiter(1, 1);
  EXPECT_TRUE(limiter.Ask(kFile, 1, "x", kStart).write);
  EXPECT_FALSE(limiter.Ask(kFile, 1, "x", kStart).write);
  EXPECT_TRUE(limiter.Ask(kFile, 2, "x", kStart).write);
}

TEST(LogLimiterTest, APlaceThatFellSilentIsReportedOnce) {
  LogLimiter limiter(1, 1);
  EXPECT_TRUE(limiter.Ask(kFile, 1, "first", kStart).write);
  EXPECT_FALSE(limiter.Ask(kFile, 1, "second", kStart).write);
  EXPECT_FALSE(limiter.Ask(kFile, 1, "third", kStart).write);
  EXPECT_TRUE(limiter.TakeSilent(kStart).empty());
  const auto silent = limiter.TakeSilent(kStart + std::chrono::seconds(2));
  ASSERT_EQ(silent.size(), 1u);
  EXPECT_EQ(silent[0].event, "second");
  EXPECT_EQ(silent[0].suppressed, 2u);
  EXPECT_TRUE(limiter.TakeSilent(kStart + std::chrono::seconds(4)).empty());
}

}  // namespace
}  // namespace talkjsd
