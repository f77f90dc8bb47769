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

  // How long somebody who asks at `now` has to wait for its turn. Times do not fall: who wants to
  // go later asks later (Turn), or everybody would wait for the one that is furthest off.
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

// When one connection may open its next socket: after a delay of its own, and then in its turn.
// Belongs to one thread; the pacer outlives it.
class Turn {
 public:
  explicit Turn(Pacer& pacer) : pacer_(pacer) {}

  void Want(MonoTime not_before) {
    when_ = not_before;
    queued_ = false;
  }
  // True: it has come. Otherwise ask again at when().
  bool HasCome(MonoTime now) {
    if (!queued_ && when_ <= now) {
      queued_ = true;
      when_ = now + pacer_.Take(now);
    }
    return when_ <= now;
  }
  MonoTime when() const { return when_; }

 private:
  Pacer& pacer_;
  MonoTime when_{};
  bool queued_ = false;
};

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_PACER_H_
