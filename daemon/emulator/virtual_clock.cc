#include "daemon/emulator/virtual_clock.h"

#include <algorithm>
#include <utility>

namespace talkjsd::emulator {
namespace {

// A timer that sets itself again while it fires must not keep the clock from moving on.
constexpr Duration kLeastPause = std::chrono::milliseconds(1);

int64_t Millis(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

}  // namespace

VirtualClock::VirtualClock(net::EventLoop& loop, const Clock& real)
    : real_(real), alarm_(loop, [this] {
        if (!frozen()) FireDue(Now());
        SetAlarm();
      }) {}

UnixMillis VirtualClock::WallMillis() const {
  if (stopped_) return stopped_->wall + Millis(stopped_->mono - stopped_->since);
  return real_.WallMillis() + wall_shift_;
}

void VirtualClock::Freeze() {
  if (stopped_) return;
  const MonoTime now = Now();
  stopped_ = Moment{now, now, WallMillis()};
  SetAlarm();
}

void VirtualClock::Resume() {
  if (!stopped_) return;
  const UnixMillis wall = WallMillis();
  shift_ = stopped_->mono - real_.Now();
  wall_shift_ = wall - real_.WallMillis();
  stopped_.reset();
  SetAlarm();
}

void VirtualClock::Advance(Duration by) {
  const bool was_frozen = frozen();
  Freeze();
  const MonoTime until = stopped_->mono + std::max(by, Duration::zero());
  FireDue(until);
  stopped_->mono = until;
  if (!was_frozen) Resume();
}

void VirtualClock::FireDue(MonoTime until) {
  firing_ = true;
  while (!timers_.empty() && timers_.begin()->first <= until) {
    VirtualTimer* timer = timers_.begin()->second;
    if (stopped_) stopped_->mono = std::max(stopped_->mono, timers_.begin()->first);
    timer->Disarm();
    // The function may destroy its own timer: it runs from here and goes back only if the timer is
    // still there.
    running_ = timer;
    std::function<void()> fired = std::move(timer->fired_);
    fired();
    if (running_ != nullptr) running_->fired_ = std::move(fired);
    running_ = nullptr;
  }
  firing_ = false;
}

void VirtualClock::SetAlarm() {
  if (firing_) return;
  const bool asleep = frozen() || timers_.empty();
  alarm_.Set(asleep ? kNever : timers_.begin()->first - shift_);
}

VirtualTimer::VirtualTimer(VirtualClock& clock, std::function<void()> fired)
    : clock_(clock), fired_(std::move(fired)) {}

VirtualTimer::~VirtualTimer() {
  Disarm();
  if (clock_.running_ == this) clock_.running_ = nullptr;
}

void VirtualTimer::Disarm() {
  if (!place_) return;
  clock_.timers_.erase(*place_);
  place_.reset();
}

void VirtualTimer::Set(MonoTime when) {
  Disarm();
  if (when == kNever) return;
  if (clock_.firing_) when = std::max(when, clock_.Now() + kLeastPause);
  place_ = clock_.timers_.emplace(when, this);
  if (*place_ == clock_.timers_.begin()) clock_.SetAlarm();
}

}  // namespace talkjsd::emulator
