#include "daemon/base/log_limiter.h"

#include <algorithm>

namespace talkjsd {

void LogLimiter::Fill(Site& site, MonoTime now) const {
  const double seconds = std::chrono::duration<double>(now - site.filled_at).count();
  site.tokens = std::min(burst_, site.tokens + std::max(0.0, seconds) * per_second_);
  site.filled_at = now;
}

LogLimiter::Verdict LogLimiter::Ask(const char* file, uint32_t line, std::string_view event,
                                    MonoTime now) {
  MutexLock lock(mutex_);
  const auto [it, is_new] = sites_.try_emplace({file, line});
  Site& site = it->second;
  if (is_new) {
    site.tokens = burst_;
    site.filled_at = now;
  }
  Fill(site, now);
  if (site.tokens < 1) {
    if (site.suppressed++ == 0) site.event = event;
    return {};
  }
  site.tokens -= 1;
  return {true, std::exchange(site.suppressed, 0)};
}

std::vector<LogLimiter::Silent> LogLimiter::TakeSilent(MonoTime now) {
  std::vector<Silent> silent;
  MutexLock lock(mutex_);
  for (auto& [place, site] : sites_) {
    if (site.suppressed == 0) continue;
    Fill(site, now);
    // A place that goes on writing tells it with its next line.
    if (site.tokens < per_second_) continue;
    silent.push_back({std::move(site.event), std::exchange(site.suppressed, 0)});
  }
  return silent;
}

}  // namespace talkjsd
