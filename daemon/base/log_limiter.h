// How many lines each place in the code may write to the log.
#ifndef TALKJSD_BASE_LOG_LIMITER_H_
#define TALKJSD_BASE_LOG_LIMITER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd {

// A token bucket for each place. Thread-safe. Places are positions in the source, so there is a
// bounded number of them.
class LogLimiter {
 public:
  LogLimiter(int burst, int per_second) : burst_(burst), per_second_(per_second) {}

  struct Verdict {
    bool write = false;
    // With `write`: lines of this place that were left out since the last one written.
    uint64_t suppressed = 0;
  };
  // `file` lives as long as the program.
  Verdict Ask(const char* file, uint32_t line, std::string_view event, MonoTime now);

  struct Silent {
    std::string event;  // of the last line left out
    uint64_t suppressed = 0;
  };
  // Places that could write again and have not: their lines count as told.
  std::vector<Silent> TakeSilent(MonoTime now);

 private:
  struct Site {
    double tokens = 0;
    MonoTime filled_at{};
    uint64_t suppressed = 0;
    std::string event;
  };
  void Fill(Site& site, MonoTime now) const;

  const double burst_;
  const double per_second_;
  Mutex mutex_;
  std::map<std::pair<const char*, uint32_t>, Site> sites_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd

#endif  // TALKJSD_BASE_LOG_LIMITER_H_
