// Simulated time: a clock that moves only from one event to the next, and what is to happen when.
#ifndef TALKJSD_TESTS_UNIT_SIMULATION_SCHEDULE_H_
#define TALKJSD_TESTS_UNIT_SIMULATION_SCHEDULE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "daemon/base/clock.h"

namespace talkjsd::simulation {

// Thread-safe: the journal's writer reads it.
class SimClock : public Clock {
 public:
  MonoTime Now() const override { return MonoTime(std::chrono::nanoseconds(nanos_.load())); }
  UnixMillis WallMillis() const override { return 1'700'000'000'000 + nanos_.load() / 1'000'000; }
  void Set(MonoTime now) { nanos_ = now.time_since_epoch() / std::chrono::nanoseconds(1); }

 private:
  std::atomic<int64_t> nanos_{std::chrono::nanoseconds(std::chrono::hours(1)).count()};
};

// What happens at one time happens in the order in which it was planned. One thread.
class Schedule {
 public:
  explicit Schedule(SimClock& clock) : clock_(clock) {}
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;

  MonoTime Now() const { return clock_.Now(); }
  void At(MonoTime when, std::function<void()> what);
  void After(Duration delay, std::function<void()> what) { At(Now() + delay, std::move(what)); }
  // Lets everything happen that is planned up to then, and leaves the clock there.
  void RunUntil(MonoTime end);
  void RunFor(Duration time) { RunUntil(Now() + time); }

  // Called before the clock moves on.
  std::function<void()> before_time_moves = [] {};
  uint64_t events() const { return events_; }

 private:
  struct Event {
    MonoTime when;
    uint64_t order;
    std::function<void()> what;
    bool operator<(const Event& other) const {
      return when != other.when ? when > other.when : order > other.order;
    }
  };
  void MoveTo(MonoTime when);

  SimClock& clock_;
  std::vector<Event> heap_;
  uint64_t last_order_ = 0;
  uint64_t events_ = 0;
};

// As net::Timer, but exact. The schedule may outlive it.
class SimTimer {
 public:
  SimTimer(Schedule& schedule, std::function<void()> fired);
  ~SimTimer();
  SimTimer(const SimTimer&) = delete;
  SimTimer& operator=(const SimTimer&) = delete;

  // Replaces an earlier time. kNever disarms. Set from within its own function for now, it fires a
  // millisecond later, as the real one waits for its next tick.
  void Set(MonoTime when);

 private:
  struct State {
    MonoTime due = kNever;
    MonoTime armed = kNever;  // the earliest event that is planned for it
    bool firing = false;
    std::function<void()> fired;
  };
  static void Arm(Schedule& schedule, const std::shared_ptr<State>& state);
  static void Wake(Schedule& schedule, const std::shared_ptr<State>& state);

  Schedule& schedule_;
  const std::shared_ptr<State> state_;
};

}  // namespace talkjsd::simulation

#endif  // TALKJSD_TESTS_UNIT_SIMULATION_SCHEDULE_H_
