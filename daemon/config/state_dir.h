// The directory that belongs to one running daemon.
#ifndef TALKJSD_CONFIG_STATE_DIR_H_
#define TALKJSD_CONFIG_STATE_DIR_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

namespace talkjsd::config {

// Holds the lock while it lives; the kernel lets go of it however the process ends.
class StateDir {
 public:
  // Makes the directory (0700, parents as needed) and locks it. FAILED_PRECONDITION if another
  // daemon has it, UNAVAILABLE if it cannot be used; both name the path.
  static absl::StatusOr<std::unique_ptr<StateDir>> Open(const std::string& path);
  ~StateDir();
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;

 private:
  explicit StateDir(int lock_fd) : lock_fd_(lock_fd) {}
  const int lock_fd_;
};

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_STATE_DIR_H_
