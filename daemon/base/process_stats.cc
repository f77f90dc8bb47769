#include "daemon/base/process_stats.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace talkjsd {
namespace {

// proc(5), numbered as there less the pid and the name, which may hold anything.
constexpr size_t kUserTicks = 14 - 3;
constexpr size_t kSystemTicks = 15 - 3;
constexpr size_t kThreads = 20 - 3;
constexpr size_t kStartTicks = 22 - 3;
constexpr size_t kVirtualBytes = 23 - 3;
constexpr size_t kResidentPages = 24 - 3;

std::vector<std::string> StatFields() {
  std::ifstream file("/proc/self/stat");
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(text.substr(name_end + 1));
  return {std::istream_iterator<std::string>(rest), {}};
}

// When the system started, in seconds since 1970. Not from /proc/stat, which the systemd unit hides
// (ProcSubset=pid).
double BootTime() {
  const auto seconds = [](clockid_t clock) {
    timespec time{};
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  return seconds(CLOCK_REALTIME) - seconds(CLOCK_BOOTTIME);
}

double CountDescriptors() {
  DIR* const directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return 0;
  double count = -1;  // the directory's own
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(directory);
  return count;
}

}  // namespace

ProcessStats ReadProcessStats() {
  ProcessStats stats;
  stats.open_fds = CountDescriptors();
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) stats.max_fds = static_cast<double>(limit.rlim_cur);
  const std::vector<std::string> fields = StatFields();
  if (fields.size() <= kResidentPages) return stats;
  const auto number = [&fields](size_t index) { return std::stod(fields[index]); };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  static const double boot_time = BootTime();
  stats.cpu_seconds = (number(kUserTicks) + number(kSystemTicks)) / ticks;
  stats.threads = number(kThreads);
  stats.start_time_seconds = boot_time + number(kStartTicks) / ticks;
  stats.virtual_bytes = number(kVirtualBytes);
  stats.resident_bytes = number(kResidentPages) * static_cast<double>(::sysconf(_SC_PAGESIZE));
  return stats;
}

}  // namespace talkjsd
