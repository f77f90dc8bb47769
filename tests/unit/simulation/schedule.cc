#include "tests/unit/simulation/schedule.h"

#include <algorithm>
#include <utility>

namespace talkjsd::simulation {

void Schedule::At(MonoTime when, std::function<void()> what) {
  heap_.push_back({std::max(when, Now()), ++last_order_, std::move(what)});
  std::push_heap(heap_.begin(), heap_.end());
}

void Schedule::MoveTo(MonoTime when) {
  if (when <= Now()) return;
  before_time_moves();
  clock_.Set(when);
}

void Schedule::RunUntil(MonoTime end) {
  while (!heap_.empty() && heap_.front().when <= end) {
    std::pop_heap(heap_.begin(), heap_.end());
    Event event = std::move(heap_.back());
    heap_.pop_back();
    MoveTo(event.when);
    ++events_;
    event.what();
  }
  MoveTo(end);
}

SimTimer::SimTimer(Schedule& schedule, std::function<void()> fired)
    : schedule_(schedule), state_(std::make_shared<State>()) {
  state_->fired = std::move(fired);
}

SimTimer::~SimTimer() { state_->fired = nullptr; }

void SimTimer::Set(MonoTime when) {
  if (state_->firing && when != kNever) {
    when = std::max(when, schedule_.Now() + std::chrono::milliseconds(1));
  }
  state_->due = when;
  Arm(schedule_, state_);
}

void SimTimer::Arm(Schedule& schedule, const std::shared_ptr<State>& state) {
  if (state->due == kNever || state->armed <= state->due) return;
  state->armed = state->due;
  schedule.At(state->due, [&schedule, state] { Wake(schedule, state); });
}

void SimTimer::Wake(Schedule& schedule, const std::shared_ptr<State>& state) {
  const MonoTime now = schedule.Now();
  if (state->armed <= now) state->armed = kNever;
  if (!state->fired) return;
  if (state->due > now) {
    Arm(schedule, state);
    return;
  }
  state->due = kNever;
  state->firing = true;
  state->fired();
  state->firing = false;
}

}  // namespace talkjsd::simulation
