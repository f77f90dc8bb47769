// Time as the emulated app sees it: the real clock's, which the control endpoint can move forward
// or stop.
#ifndef TALKJSD_EMULATOR_VIRTUAL_CLOCK_H_
#define TALKJSD_EMULATOR_VIRTUAL_CLOCK_H_

#include <functional>
#include <map>
#include <optional>

#include "daemon/base/clock.h"
#include "daemon/net/event_loop.h"

namespace talkjsd::emulator {

// Neither of its times ever goes back. Unlike other clocks it lives on the loop's thread, as its
// timers do; the loop and the real clock outlive it, and it outlives its timers.
class VirtualClock : public Clock {
 public:
  VirtualClock(net::EventLoop& loop, const Clock& real);

  MonoTime Now() const override { return stopped_ ? stopped_->mono : real_.Now() + shift_; }
  UnixMillis WallMillis() const override;
  // For what is measured in the time of the wire, such as gaps between frames.
  const Clock& real() const { return real_; }

  // Moves on, and fires on the way every timer that is due, in the order of their times: each sees
  // the time for which it was set. `by` is not negative.
  void Advance(Duration by);
  void Freeze();
  void Resume();
  bool frozen() const { return stopped_.has_value(); }

 private:
  friend class VirtualTimer;
  using Timers = std::multimap<MonoTime, class VirtualTimer*>;
  struct Moment {
    MonoTime mono;
    // What the wall clock showed when `mono` was `since`.
    MonoTime since;
    UnixMillis wall;
  };

  void FireDue(MonoTime until);
  void SetAlarm();

  const Clock& real_;
  Duration shift_{};        // of real_.Now()
  int64_t wall_shift_ = 0;  // of real_.WallMillis()
  std::optional<Moment> stopped_;
  Timers timers_;
  VirtualTimer* running_ = nullptr;
  bool firing_ = false;
  net::Timer alarm_;
};

// A net::Timer on a virtual clock: as coarse, and as safe to destroy from its own function.
class VirtualTimer {
 public:
  VirtualTimer(VirtualClock& clock, std::function<void()> fired);
  ~VirtualTimer();
  VirtualTimer(const VirtualTimer&) = delete;
  VirtualTimer& operator=(const VirtualTimer&) = delete;

  // Replaces an earlier time. kNever disarms.
  void Set(MonoTime when);

 private:
  friend class VirtualClock;
  void Disarm();

  VirtualClock& clock_;
  std::function<void()> fired_;
  std::optional<VirtualClock::Timers::iterator> place_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_VIRTUAL_CLOCK_H_
