#include "daemon/net/unix_listener.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include "daemon/base/log.h"

namespace talkjsd::net {
namespace {

std::string Cause() { return std::strerror(errno); }

absl::Status Refused(const std::string& path, const std::string& why) {
  return absl::FailedPreconditionError("cannot listen on " + path + ": " + why);
}

sockaddr_un AddressOf(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// 0: somebody listens; otherwise connect's errno (ECONNREFUSED: nobody does).
int TryConnect(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const sockaddr_un address = AddressOf(path);
  const int result = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  const int error = result == 0 || errno == EAGAIN ? 0 : errno;  // EAGAIN: its backlog is full
  close(fd);
  return error;
}

// Makes room at `path` if only a stale socket is there.
absl::Status RemoveStale(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return absl::OkStatus();
    return Refused(path, Cause());
  }
  if (!S_ISSOCK(info.st_mode)) return Refused(path, "a file that is not a socket is there");
  const int error = TryConnect(path);
  if (error == 0) {
    return Refused(path, "another process is listening there; stop it or choose another path");
  }
  if (error != ECONNREFUSED && error != ENOENT) return Refused(path, std::strerror(error));
  if (unlink(path.c_str()) != 0 && errno != ENOENT) {
    return Refused(path, "its stale socket cannot be removed: " + Cause());
  }
  return absl::OkStatus();
}

absl::Status CheckDirectory(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash == 0) return absl::OkStatus();
  const std::string directory = path.substr(0, slash);
  struct stat info;
  if (stat(directory.c_str(), &info) != 0) {
    return Refused(path, "directory " + directory + ": " + Cause());
  }
  if (!S_ISDIR(info.st_mode)) return Refused(path, directory + " is not a directory");
  return absl::OkStatus();
}

std::optional<gid_t> FindGroup(const std::string& group) {
  gid_t number = 0;
  const char* end = group.data() + group.size();
  const auto parsed = std::from_chars(group.data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end) return number;
  std::vector<char> buffer(16 * 1024);
  struct group entry;
  struct group* found = nullptr;
  getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return std::nullopt;
  return found->gr_gid;
}

// Until listen() nobody can connect, so there is no moment in which others than these may.
absl::Status SetAccess(const std::string& path, const UnixListener::Options& options) {
  if (!options.group.empty()) {
    const std::optional<gid_t> gid = FindGroup(options.group);
    if (!gid.has_value() && options.group_required) {
      return Refused(path, "there is no group " + options.group);
    }
    if (gid.has_value() && chown(path.c_str(), static_cast<uid_t>(-1), *gid) != 0) {
      if (options.group_required) {
        return Refused(path, "its group cannot become " + options.group + ": " + Cause());
      }
      LogWarning("the socket keeps the daemon's own group",
                 {{"path", path}, {"wanted_group", options.group}, {"cause", Cause()}});
    }
  }
  // After chown, which may take bits away.
  if (chmod(path.c_str(), options.mode) != 0) return Refused(path, "chmod: " + Cause());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Open(const std::string& path,
                                                                 const Options& options) {
  constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;
  if (path.empty() || path.size() > kMaxPath || path.find('\0') != std::string::npos) {
    return Refused(path, "a socket's path has 1 to " + std::to_string(kMaxPath) + " bytes");
  }
  absl::Status status = CheckDirectory(path);
  if (status.ok()) status = RemoveStale(path);
  if (!status.ok()) return status;

  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::UnavailableError("cannot listen on " + path + ": " + Cause());
  const sockaddr_un address = AddressOf(path);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    status = Refused(path, Cause());
    close(fd);
    return status;
  }
  // From here on its destructor closes and removes.
  std::unique_ptr<UnixListener> listener(new UnixListener(fd, path, /*owns_file=*/true));
  status = SetAccess(path, options);
  if (!status.ok()) return status;
  if (listen(fd, SOMAXCONN) != 0) {
    return absl::UnavailableError("cannot listen on " + path + ": " + Cause());
  }
  return listener;
}

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Adopt(int fd, const std::string& path) {
  int listens = 0;
  socklen_t size = sizeof(listens);
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens == 0) {
    return Refused(path, "descriptor " + std::to_string(fd) + " is not a listening socket");
  }
  if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return Refused(path, Cause());
  }
  return std::unique_ptr<UnixListener>(new UnixListener(fd, path, /*owns_file=*/false));
}

UnixListener::~UnixListener() {
  Close();
  // After Close the file looked stale: a successor may have replaced it.
  if (owns_file_) RemoveStale(path_).IgnoreError();
}

void UnixListener::Close() {
  if (fd_ < 0) return;
  // A socket of the service manager goes on listening for the next daemon.
  if (owns_file_) shutdown(fd_, SHUT_RDWR);
  close(fd_);
  fd_ = -1;
}

}  // namespace talkjsd::net
