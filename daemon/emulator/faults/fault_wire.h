// The frames of one socket that a fault holds up.
#ifndef TALKJSD_EMULATOR_FAULTS_FAULT_WIRE_H_
#define TALKJSD_EMULATOR_FAULTS_FAULT_WIRE_H_

#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/net/event_loop.h"

namespace talkjsd::emulator {

// Made when the first fault touches a socket's traffic, and then asked about every frame. Keeps
// each direction in order. Lives on the loop's thread; times are those of the wire.
class FaultWire {
 public:
  struct Frame {
    std::string text;
    Duration gap{};         // outgoing: at least so long after the frame before
    bool examined = false;  // incoming: the rules have seen it
    MonoTime due{};
  };

  // `pump` is called when frames may have become due: it takes them.
  FaultWire(net::EventLoop& loop, const Clock& clock, std::function<void()> pump);

  // A stall ends by itself; HalfOpen lasts until Resume, and what was held up is gone.
  void Stall(Duration time);
  void HalfOpen();
  // Ends both at once; the pump follows.
  void Resume();

  bool half_open() const { return half_open_; }
  bool stalled() const;

  // Whether a frame may pass now; otherwise it is to be kept here.
  bool PassesIn() const { return in_.empty() && !half_open_ && !stalled(); }
  bool PassesOut() const { return out_.empty() && !half_open_ && !stalled(); }
  // Forgotten while half open. `delay` counts from now.
  void KeepIn(std::string text, bool examined, Duration delay);
  void KeepOut(std::string text, Duration gap, Duration delay);
  // Of memory, for all that is kept.
  size_t kept_bytes() const { return kept_bytes_; }

  // The next frame that is due. When nothing more is, a timer asks for the pump again.
  std::optional<Frame> TakeIn() { return Take(in_); }
  std::optional<Frame> TakeOut() { return Take(out_); }

 private:
  using Queue = std::deque<Frame>;
  void Keep(Queue& queue, Frame frame, Duration delay);
  std::optional<Frame> Take(Queue& queue);
  void SetTimer();

  const Clock& clock_;
  Queue in_;
  Queue out_;
  size_t kept_bytes_ = 0;
  MonoTime stalled_until_{};
  bool half_open_ = false;
  net::Timer timer_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_FAULTS_FAULT_WIRE_H_
