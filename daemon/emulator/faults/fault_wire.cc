#include "daemon/emulator/faults/fault_wire.h"

#include <algorithm>
#include <utility>

namespace talkjsd::emulator {
namespace {

size_t MemoryOf(const FaultWire::Frame& frame) { return sizeof(frame) + frame.text.size(); }

}  // namespace

FaultWire::FaultWire(net::EventLoop& loop, const Clock& clock, std::function<void()> pump)
    : clock_(clock), timer_(loop, std::move(pump)) {}

bool FaultWire::stalled() const { return stalled_until_ > clock_.Now(); }

void FaultWire::Stall(Duration time) {
  stalled_until_ = std::max(stalled_until_, clock_.Now() + time);
  SetTimer();
}

void FaultWire::HalfOpen() {
  half_open_ = true;
  in_.clear();
  out_.clear();
  kept_bytes_ = 0;
  SetTimer();
}

void FaultWire::Resume() {
  half_open_ = false;
  stalled_until_ = MonoTime{};
  for (Queue* queue : {&in_, &out_}) {
    for (Frame& frame : *queue) frame.due = MonoTime{};
  }
}

void FaultWire::KeepIn(std::string text, bool examined, Duration delay) {
  Keep(in_, {std::move(text), {}, examined, {}}, delay);
}

void FaultWire::KeepOut(std::string text, Duration gap, Duration delay) {
  Keep(out_, {std::move(text), gap, false, {}}, delay);
}

void FaultWire::Keep(Queue& queue, Frame frame, Duration delay) {
  if (half_open_) return;
  frame.due = clock_.Now() + delay;
  if (!queue.empty()) frame.due = std::max(frame.due, queue.back().due);
  kept_bytes_ += MemoryOf(frame);
  queue.push_back(std::move(frame));
  SetTimer();
}

std::optional<FaultWire::Frame> FaultWire::Take(Queue& queue) {
  if (queue.empty() || stalled() || queue.front().due > clock_.Now()) {
    SetTimer();
    return std::nullopt;
  }
  Frame frame = std::move(queue.front());
  queue.pop_front();
  kept_bytes_ -= MemoryOf(frame);
  return frame;
}

void FaultWire::SetTimer() {
  MonoTime next = kNever;
  for (const Queue* queue : {&in_, &out_}) {
    if (!queue->empty()) next = std::min(next, queue->front().due);
  }
  timer_.Set(next == kNever ? kNever : std::max(next, stalled_until_));
}

}  // namespace talkjsd::emulator
