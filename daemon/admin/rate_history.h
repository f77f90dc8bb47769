// How fast things have been counted lately: what the status page draws.
#ifndef TALKJSD_ADMIN_RATE_HISTORY_H_
#define TALKJSD_ADMIN_RATE_HISTORY_H_

#include <array>
#include <deque>

#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"

namespace talkjsd::admin {

// One thread at a time.
class RateHistory {
 public:
  static constexpr Duration kInterval = std::chrono::seconds(2);
  static constexpr size_t kSamples = 151;  // five minutes
  static constexpr std::array<const char*, 5> kSeries = {"stored", "delivered", "received", "sent",
                                                         "reconnects"};
  using Sample = std::array<double, kSeries.size()>;  // a second

  // `metrics` outlives it.
  explicit RateHistory(const Metrics& metrics) : metrics_(metrics) {}

  // What has been counted since the last time, as of now. The first time it only learns where the
  // counters stand.
  void Take(MonoTime now);
  // Oldest first, at most kSamples.
  const std::deque<Sample>& samples() const { return samples_; }

 private:
  const Metrics& metrics_;
  Sample totals_{};
  MonoTime taken_at_{};
  std::deque<Sample> samples_;
};

}  // namespace talkjsd::admin

#endif  // TALKJSD_ADMIN_RATE_HISTORY_H_
