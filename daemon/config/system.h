// What of the process the configuration depends on.
#ifndef TALKJSD_CONFIG_SYSTEM_H_
#define TALKJSD_CONFIG_SYSTEM_H_

#include <functional>
#include <string>

namespace talkjsd::config {

struct System {
  std::function<std::string(const char* variable)> environment;  // empty if not set
  bool is_root = false;
};
// The process's own.
System ThisProcess();

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_SYSTEM_H_
