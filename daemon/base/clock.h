// Time, passed in: no room but this one reads a clock of the system, so that every state machine
// can be driven by a simulated one.
#ifndef TALKJSD_BASE_CLOCK_H_
#define TALKJSD_BASE_CLOCK_H_

#include <chrono>
#include <cstdint>

namespace talkjsd {

// For durations and deadlines: never jumps.
using MonoTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::nanoseconds;

// Wall-clock time as TalkJS writes it: milliseconds since the Unix epoch, UTC.
using UnixMillis = int64_t;

inline constexpr MonoTime kNever = MonoTime::max();

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonoTime Now() const = 0;
  virtual UnixMillis WallMillis() const = 0;
};

// The system's clocks. Lives for ever.
const Clock& SystemClock();

// A clock that moves only when told to. Not thread-safe: for single-threaded tests and simulations.
class ManualClock : public Clock {
 public:
  explicit ManualClock(UnixMillis wall = 1'700'000'000'000) : wall_(wall) {}
  MonoTime Now() const override { return now_; }
  UnixMillis WallMillis() const override { return wall_; }
  void Advance(Duration by) {
    now_ += std::chrono::duration_cast<MonoTime::duration>(by);
    wall_ += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
  }

 private:
  MonoTime now_{std::chrono::hours(1)};
  UnixMillis wall_;
};

}  // namespace talkjsd

#endif  // TALKJSD_BASE_CLOCK_H_
