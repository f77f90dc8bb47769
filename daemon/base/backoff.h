// Retry delays. Pure: time and randomness come from the caller.
#ifndef TALKJSD_BASE_BACKOFF_H_
#define TALKJSD_BASE_BACKOFF_H_

#include "daemon/base/clock.h"
#include "daemon/base/random.h"

namespace talkjsd {

// Reconnects to TalkJS: the first delay is uniform in [first_low, first_high), as the SDK's
// (realtime.md 3.4); later ones have full jitter: uniform in [0, min(cap, first_high * 2^n)), at
// least `floor`.
class ReconnectBackoff {
 public:
  struct Options {
    Duration first_low = std::chrono::seconds(5);
    Duration first_high = std::chrono::seconds(15);
    Duration cap = std::chrono::seconds(60);
    Duration floor = std::chrono::seconds(1);
  };
  ReconnectBackoff() : ReconnectBackoff(Options{}) {}
  explicit ReconnectBackoff(Options options) : options_(options) {}

  Duration Next(Random& random);
  void Reset() { attempts_ = 0; }
  int attempts() const { return attempts_; }

 private:
  Options options_;
  int attempts_ = 0;
};

// The SDK's throttle for repeated calls (realtime.md 3.5): 200 ms growing by 1.2 (+-5 %) up to 30
// s, one per connection.
class CallThrottle {
 public:
  // How long the next repetition, asked for at `now`, has to wait.
  Duration Next(MonoTime now, Random& random);
  void Reset() { current_ = kInitial; }

 private:
  static constexpr Duration kInitial = std::chrono::milliseconds(200);
  static constexpr Duration kCap = std::chrono::seconds(30);
  Duration current_ = kInitial;
  MonoTime last_start_{};
};

// A token bucket over all sessions of the daemon. Not thread-safe: its owner locks.
class RateBucket {
 public:
  RateBucket(double per_second, double burst) : rate_(per_second), burst_(burst), tokens_(burst) {}

  // Takes one token and returns how long the taker has to wait for it (zero if one was there).
  // Waiting takers queue in order: each gets a later time.
  Duration Take(MonoTime now);
  void SetRate(double per_second, double burst);

 private:
  double rate_;
  double burst_;
  double tokens_;
  MonoTime last_{};
};

}  // namespace talkjsd

#endif  // TALKJSD_BASE_BACKOFF_H_
