// What SIGHUP does: the configuration is read again, and what can change while the daemon runs
// does.
#ifndef TALKJSD_RELOAD_H_
#define TALKJSD_RELOAD_H_

#include <absl/status/status.h>

#include <functional>
#include <string>
#include <vector>

#include "daemon/config/config.h"

namespace talkjsd {

// For the main thread.
class Reloader {
 public:
  // Something that takes a checked configuration, whether it has changed or not: the files that it
  // names may have. An error leaves that part as it was.
  struct Part {
    std::string name;  // for the log
    std::function<absl::Status(const talkjs::sidecar::config::v1::Config&)> apply;
  };

  // `config` is what the daemon was started with, by these arguments.
  Reloader(std::vector<std::string> arguments, const config::Config& config)
      : arguments_(std::move(arguments)), started_(config.values), current_(config.values) {}

  // Parts are given the configuration in the order in which they were added.
  void Add(Part part) { parts_.push_back(std::move(part)); }

  // A configuration that makes no sense changes nothing. The log says what is wrong, what has
  // changed (keys, never values) and what waits for a restart.
  void Reload();

 private:
  const std::vector<std::string> arguments_;
  const talkjs::sidecar::config::v1::Config started_;
  talkjs::sidecar::config::v1::Config current_;
  std::vector<Part> parts_;
};

}  // namespace talkjsd

#endif  // TALKJSD_RELOAD_H_
