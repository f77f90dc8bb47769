#include "daemon/net/event_loop.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <memory>
#include <vector>

#include "tests/unit/net/test_support.h"

namespace talkjsd::net {
namespace {

using std::chrono::milliseconds;

MonoTime In(milliseconds delay) { return SystemClock().Now() + delay; }

using EventLoopTest = LoopTest;

TEST_F(EventLoopTest, RunsPostedWorkInOrderOnItsOwnNamedThread) {
  std::vector<int> order;
  std::string name(16, '\0');
  bool in_loop = false;
  loop.Post([&] { order.push_back(1); });
  loop.Post([&] { order.push_back(2); });
  On([&] {
    order.push_back(3);
    in_loop = loop.InLoop();
    pthread_getname_np(pthread_self(), name.data(), name.size());
  });
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_STREQ(name.c_str(), "test");
  EXPECT_TRUE(in_loop);
  EXPECT_FALSE(loop.InLoop());
}

TEST_F(EventLoopTest, StoppedLoopRunsNothingAndDoesNotBlock) {
  loop.Stop();
  loop.Stop();
  bool ran = false;
  loop.Post([&] { ran = true; });
  loop.PostAndWait([&] { ran = true; });
  EXPECT_FALSE(ran);
}

TEST_F(EventLoopTest, StopWakesThoseWhoWait) {
  Monitor monitor;
  bool busy = false;
  bool release = false;
  loop.Post([&] {
    monitor.Update([&] { busy = true; });
    monitor.Wait([&] { return release; });
  });
  ASSERT_TRUE(monitor.Wait([&] { return busy; }));
  bool ran = false;
  std::thread waiter([&] { loop.PostAndWait([&] { ran = true; }); });
  std::thread stopper([&] { loop.Stop(); });
  monitor.Update([&] { release = true; });
  stopper.join();
  waiter.join();  // whether it ran depends on who was first
}

TEST(EventLoopLifetimeTest, WorkPostedBeforeStartRunsAfterIt) {
  EventLoop loop("early");
  int ran = 0;
  loop.Post([&] { ++ran; });
  loop.Start();
  loop.PostAndWait([&] { ++ran; });
  EXPECT_EQ(ran, 2);
}

TEST(EventLoopLifetimeTest, DroppedWorkIsDestroyedWithTheLoop) {
  auto alive = std::make_shared<int>(1);
  {
    EventLoop loop("never");
    loop.Post([alive] {});
    EXPECT_EQ(alive.use_count(), 2);
  }
  EXPECT_EQ(alive.use_count(), 1);
}

class TimerTest : public LoopTest {
 protected:
  ~TimerTest() override {
    On([this] { timers.clear(); });
  }
  Timer& Add(std::function<void()> fired) {
    return *timers.emplace_back(std::make_unique<Timer>(loop, std::move(fired)));
  }
  void Fired(int id) {
    monitor.Update([&] { fired.push_back(id); });
  }
  bool WaitFired(size_t count) {
    return monitor.Wait([&] { return fired.size() >= count; });
  }

  std::vector<std::unique_ptr<Timer>> timers;
  Monitor monitor;
  std::vector<int> fired;
};

TEST_F(TimerTest, FireInTheOrderOfTheirTimesAndNeverEarly) {
  MonoTime first_due;
  MonoTime first_at;
  On([&] {
    Timer& last = Add([&] { Fired(3); });
    Timer& first = Add([&] {
      first_at = SystemClock().Now();
      Fired(1);
    });
    Timer& middle = Add([&] { Fired(2); });
    last.Set(In(milliseconds(260)));
    first_due = In(milliseconds(30));
    first.Set(first_due);
    middle.Set(In(milliseconds(140)));
  });
  ASSERT_TRUE(WaitFired(3));
  EXPECT_EQ(fired, (std::vector<int>{1, 2, 3}));
  EXPECT_GE(first_at, first_due);
}

TEST_F(TimerTest, ManyDueTimersShareAWakeUp) {
  On([&] {
    const MonoTime base = In(milliseconds(60));
    for (int i = 0; i < 1000; ++i) {
      Add([&, i] { Fired(i); }).Set(base + std::chrono::microseconds(i));
    }
  });
  ASSERT_TRUE(WaitFired(1000));
}

TEST_F(TimerTest, SettingAgainReplacesAndNeverDisarms) {
  On([&] {
    Timer& moved = Add([&] { Fired(1); });
    moved.Set(In(milliseconds(10)));
    moved.Set(In(milliseconds(110)));
    Timer& disarmed = Add([&] { Fired(2); });
    disarmed.Set(In(milliseconds(10)));
    disarmed.Set(kNever);
    Add([&] { Fired(3); }).Set(In(milliseconds(60)));
  });
  ASSERT_TRUE(WaitFired(2));
  EXPECT_EQ(fired, (std::vector<int>{3, 1}));
}

TEST_F(TimerTest, AnEarlierTimeMovesTheWakeUp) {
  On([&] {
    Timer& timer = Add([&] { Fired(1); });
    timer.Set(SystemClock().Now() + std::chrono::hours(1));
    timer.Set(In(milliseconds(10)));
  });
  EXPECT_TRUE(WaitFired(1));
}

TEST_F(TimerTest, FunctionMayDestroyItsOwnTimerAndOthers) {
  On([&] {
    const MonoTime when = In(milliseconds(10));
    Timer& killer = Add([this, payload = std::string(100, 'x')] {
      timers.clear();  // both, and this function's own captures would go with a careless timer
      Fired(static_cast<int>(payload.size()));
    });
    Timer& victim = Add([&] { Fired(2); });
    killer.Set(when);
    victim.Set(when);
    Add([&] { Fired(3); }).Set(when + std::chrono::seconds(1000));
  });
  ASSERT_TRUE(WaitFired(1));
  EXPECT_EQ(fired, (std::vector<int>{100}));
}

TEST_F(TimerTest, FunctionThatAlwaysReArmsForThePastLeavesTheLoopAlive) {
  int count = 0;
  On([&] {
    Timer& timer = Add([&] {
      timers[0]->Set(MonoTime{});
      monitor.Update([&] { ++count; });
    });
    timer.Set(MonoTime{});
  });
  ASSERT_TRUE(monitor.Wait([&] { return count >= 3; }));
  bool ran = false;
  On([&] { ran = true; });
  EXPECT_TRUE(ran);
}

}  // namespace
}  // namespace talkjsd::net
