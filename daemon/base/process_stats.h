// What the system says of this process.
#ifndef TALKJSD_BASE_PROCESS_STATS_H_
#define TALKJSD_BASE_PROCESS_STATS_H_

namespace talkjsd {

// 0 where /proc does not say.
struct ProcessStats {
  double cpu_seconds = 0;
  double resident_bytes = 0;
  double virtual_bytes = 0;
  double open_fds = 0;
  double max_fds = 0;
  double threads = 0;
  double start_time_seconds = 0;  // since 1970
};

// Reads files of /proc: a fraction of a millisecond, more with thousands of descriptors. Any
// thread.
ProcessStats ReadProcessStats();

}  // namespace talkjsd

#endif  // TALKJSD_BASE_PROCESS_STATS_H_
