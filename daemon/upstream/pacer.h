// The daemon-wide pace of reconnects to TalkJS, over all sessions of all shards.
#ifndef TALKJSD_UPSTREAM_PACER_H_
#define TALKJSD_UPSTREAM_PACER_H_

#include "daemon/base/backoff.h"
#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd::upstream {

// Thread-safe.
class Pacer {
 public:
  // `share` of the sessions a second, at least `minimum`; as many may go at once.
  explicit Pacer(double share, double minimum = 20)
      : share_(share), minimum_(minimum), bucket_(minimum, minimum) {}

  void SetSessions(size_t sessions) {
    MutexLock lock(mutex_);
    const double rate = std::max(minimum_, share_ * static_cast<double>(sessions));
    bucket_.SetRate(rate, rate);
  }

  // How long somebody who asks at `now` has to wait for its turn.
  Duration Take(MonoTime now) {
    MutexLock lock(mutex_);
    return bucket_.Take(now);
  }

 private:
  const double share_;
  const double minimum_;
  Mutex mutex_;
  RateBucket bucket_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_PACER_H_
