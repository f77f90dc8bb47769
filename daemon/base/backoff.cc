#include "daemon/base/backoff.h"

#include <algorithm>

namespace talkjsd {

Duration ReconnectBackoff::Next(Random& random) {
  const int attempt = attempts_++;
  if (attempt == 0) return random.Between(options_.first_low, options_.first_high);
  Duration ceiling = options_.first_high;
  for (int i = 0; i < attempt && ceiling < options_.cap; ++i) ceiling *= 2;
  return std::max(options_.floor,
                  random.Between(Duration::zero(), std::min(ceiling, options_.cap)));
}

Duration CallThrottle::Next(MonoTime now, Random& random) {
  const Duration wait =
      std::chrono::duration_cast<Duration>(current_ * (0.95 + 0.1 * random.Unit()));
  const MonoTime start = std::max(now, last_start_ == MonoTime{} ? now : last_start_ + wait);
  last_start_ = start;
  current_ = std::min(std::chrono::duration_cast<Duration>(wait * 1.2), kCap);
  return start - now;
}

Duration RateBucket::Take(MonoTime now) {
  if (last_ != MonoTime{}) {
    const double seconds = std::chrono::duration<double>(now - last_).count();
    tokens_ = std::min(burst_, tokens_ + seconds * rate_);
  }
  last_ = now;
  tokens_ -= 1;
  if (tokens_ >= 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-tokens_ / rate_));
}

void RateBucket::SetRate(double per_second, double burst) {
  rate_ = per_second;
  burst_ = burst;
}

}  // namespace talkjsd
