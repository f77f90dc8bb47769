#include "daemon/emulator/virtual_clock.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace talkjsd::emulator {
namespace {

using std::chrono::milliseconds;

class VirtualClockTest : public testing::Test {
 protected:
  // Notes its name and the time passed since the start when it fires.
  std::unique_ptr<VirtualTimer> Timer(std::string name, int64_t after_millis) {
    auto timer = std::make_unique<VirtualTimer>(clock, [this, name] { Note(name); });
    timer->Set(start + milliseconds(after_millis));
    return timer;
  }
  void Note(const std::string& name) {
    const auto passed = std::chrono::duration_cast<milliseconds>(clock.Now() - start).count();
    EXPECT_EQ(clock.WallMillis() - start_wall, passed);
    fired.push_back(name + "@" + std::to_string(passed));
  }

  net::EventLoop loop{"test"};
  ManualClock real;
  VirtualClock clock{loop, real};
  const MonoTime start = clock.Now();
  const UnixMillis start_wall = clock.WallMillis();
  std::vector<std::string> fired;
};

using Fired = std::vector<std::string>;

TEST_F(VirtualClockTest, FollowsTheRealClock) {
  EXPECT_EQ(clock.Now(), real.Now());
  real.Advance(milliseconds(70));
  EXPECT_EQ(clock.Now(), start + milliseconds(70));
  EXPECT_EQ(clock.WallMillis(), start_wall + 70);
}

TEST_F(VirtualClockTest, AdvancingFiresWhatIsDueInOrderAtItsTime) {
  const auto late = Timer("late", 5000);
  const auto b = Timer("b", 300);
  const auto a = Timer("a", 100);
  const auto c = Timer("c", 300);
  clock.Advance(milliseconds(300));
  EXPECT_EQ(fired, (Fired{"a@100", "b@300", "c@300"}));
  EXPECT_EQ(clock.Now(), start + milliseconds(300));
  real.Advance(milliseconds(10));
  EXPECT_EQ(clock.Now(), start + milliseconds(310));
  EXPECT_EQ(clock.WallMillis(), start_wall + 310);
}

TEST_F(VirtualClockTest, ATimerThatSetsItselfAgainFiresOnTheWayToo) {
  std::unique_ptr<VirtualTimer> ticker;
  ticker = std::make_unique<VirtualTimer>(clock, [&] {
    Note("tick");
    ticker->Set(clock.Now() + milliseconds(40));
  });
  ticker->Set(start + milliseconds(40));
  clock.Advance(milliseconds(100));
  EXPECT_EQ(fired, (Fired{"tick@40", "tick@80"}));
}

TEST_F(VirtualClockTest, ATimerSetForThePastWhileFiringDoesNotHoldTheClock) {
  std::unique_ptr<VirtualTimer> eager;
  eager = std::make_unique<VirtualTimer>(clock, [&] {
    Note("x");
    eager->Set(start);
  });
  eager->Set(start + milliseconds(1));
  clock.Advance(milliseconds(3));
  EXPECT_EQ(fired, (Fired{"x@1", "x@2", "x@3"}));
}

TEST_F(VirtualClockTest, ATimerMayDestroyItselfAndOthers) {
  std::unique_ptr<VirtualTimer> first;
  auto second = Timer("second", 20);
  first = std::make_unique<VirtualTimer>(clock, [&] {
    Note("first");
    second.reset();
    first.reset();
  });
  first->Set(start + milliseconds(10));
  clock.Advance(milliseconds(100));
  EXPECT_EQ(fired, Fired{"first@10"});
}

TEST_F(VirtualClockTest, FrozenItMovesOnlyWhenAdvancedAndNeverGoesBack) {
  real.Advance(std::chrono::microseconds(300));
  clock.Freeze();
  const UnixMillis wall = clock.WallMillis();
  const MonoTime now = clock.Now();
  real.Advance(milliseconds(500));
  EXPECT_EQ(clock.Now(), now);
  EXPECT_EQ(clock.WallMillis(), wall);
  clock.Advance(milliseconds(20));
  EXPECT_TRUE(clock.frozen());
  EXPECT_EQ(clock.WallMillis(), wall + 20);
  clock.Resume();
  EXPECT_EQ(clock.Now(), now + milliseconds(20));
  EXPECT_EQ(clock.WallMillis(), wall + 20);
  real.Advance(milliseconds(5));
  EXPECT_EQ(clock.WallMillis(), wall + 25);
  clock.Advance(-milliseconds(100));
  EXPECT_EQ(clock.WallMillis(), wall + 25);
}

TEST_F(VirtualClockTest, ADisarmedTimerDoesNotFire) {
  const auto timer = Timer("t", 10);
  timer->Set(kNever);
  clock.Advance(milliseconds(100));
  EXPECT_TRUE(fired.empty());
}

// On the loop, with the system's clock.
TEST(VirtualClockLoopTest, TimersFireInRealTimeAndAFrozenClockHoldsThem) {
  net::EventLoop loop("test");
  VirtualClock clock(loop, SystemClock());
  clock.Advance(std::chrono::hours(5));
  bool frozen_fired = false;
  std::mutex mutex;
  std::condition_variable changed;
  bool fired = false;
  VirtualTimer noting(clock, [&] {
    const std::lock_guard lock(mutex);
    fired = true;
    changed.notify_all();
  });
  VirtualTimer held(clock, [&] { frozen_fired = true; });
  noting.Set(clock.Now() + milliseconds(10));
  held.Set(clock.Now() + std::chrono::hours(1));
  loop.Start();
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(10), [&] { return fired; }));
  }
  loop.PostAndWait([&] {
    clock.Freeze();
    clock.Advance(std::chrono::minutes(59));
    EXPECT_FALSE(frozen_fired);
    clock.Advance(std::chrono::minutes(2));
    EXPECT_TRUE(frozen_fired);
  });
  loop.Stop();
}

}  // namespace
}  // namespace talkjsd::emulator
