#include "daemon/config/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::config {
namespace {

absl::Status Unusable(const std::string& path, int error) {
  return MakeError(absl::StatusCode::kUnavailable,
                   talkjs::sidecar::v1::ERROR_REASON_JOURNAL_UNAVAILABLE,
                   "cannot use the state directory " + path + ": " + std::strerror(error) +
                       "; give another one with --state-dir or correct its owner");
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDir>> StateDir::Open(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
  if (error) return Unusable(path, error.value());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) return Unusable(path, errno);
  const std::string lock = path + "/lock";
  const int fd = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return Unusable(path, errno);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const int why = errno;
    ::close(fd);
    if (why != EWOULDBLOCK) return Unusable(path, why);
    return MakeError(absl::StatusCode::kFailedPrecondition,
                     talkjs::sidecar::v1::ERROR_REASON_STATE_DIR_IN_USE,
                     "another talkjsd runs on the state directory " + path +
                         "; stop it or give this one its own with --state-dir");
  }
  return std::unique_ptr<StateDir>(new StateDir(fd));
}

StateDir::~StateDir() { ::close(lock_fd_); }

}  // namespace talkjsd::config
