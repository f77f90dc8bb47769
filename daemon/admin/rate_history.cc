#include "daemon/admin/rate_history.h"

#include <prometheus/counter.h>

namespace talkjsd::admin {

void RateHistory::Take(MonoTime now) {
  double stored = 0;
  for (const prometheus::Counter* kind : metrics_.events_appended) stored += kind->Value();
  const Sample totals = {stored, metrics_.events_delivered->Value(),
                         metrics_.frames_received->Value(), metrics_.frames_sent->Value(),
                         metrics_.reconnects->Value()};
  const double seconds = std::chrono::duration<double>(now - taken_at_).count();
  if (taken_at_ != MonoTime() && seconds > 0) {
    Sample rates;
    for (size_t i = 0; i < rates.size(); ++i) rates[i] = (totals[i] - totals_[i]) / seconds;
    samples_.push_back(rates);
    if (samples_.size() > kSamples) samples_.pop_front();
  }
  totals_ = totals;
  taken_at_ = now;
}

}  // namespace talkjsd::admin
