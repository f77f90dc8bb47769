#include "daemon/net/unix_listener.h"

#include <absl/status/status.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "daemon/base/log.h"

namespace talkjsd::net {
namespace {

constexpr int kBackOffMillis = 100;
constexpr mode_t kMode = 0660;

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

// Until listen() nobody can connect, so there is no moment in which others than these may.
absl::Status SetAccess(const std::string& path, const std::string& group) {
  if (chmod(path.c_str(), kMode) != 0) return Refused(path, "chmod: " + Cause());
  if (group.empty()) return absl::OkStatus();
  std::vector<char> buffer(16 * 1024);
  struct group entry;
  struct group* found = nullptr;
  getgrnam_r(group.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return absl::OkStatus();
  if (chown(path.c_str(), static_cast<uid_t>(-1), found->gr_gid) != 0) {
    LogWarning("the socket keeps the daemon's own group",
               {{"path", path}, {"wanted_group", group}, {"cause", Cause()}});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Open(const std::string& path,
                                                                 const std::string& group) {
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
  status = SetAccess(path, group);
  if (status.ok()) status = listener->OpenWake();
  if (!status.ok()) return status;
  if (listen(fd, SOMAXCONN) != 0) {
    return absl::UnavailableError("cannot listen on " + path + ": " + Cause());
  }
  return listener;
}

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Adopt(int fd, const std::string& path) {
  std::unique_ptr<UnixListener> listener(new UnixListener(fd, path, /*owns_file=*/false));
  const int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ||
      fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return absl::UnavailableError("cannot listen on " + path + ": " + Cause());
  }
  const absl::Status status = listener->OpenWake();
  if (!status.ok()) return status;
  return listener;
}

absl::Status UnixListener::OpenWake() {
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_ >= 0) return absl::OkStatus();
  return absl::UnavailableError("cannot listen on " + path_ + ": " + Cause());
}

UnixListener::~UnixListener() {
  Stop();
  if (wake_ >= 0) close(wake_);
  if (!owns_file_) return;
  // After Stop the file looked stale: a successor may have replaced it.
  RemoveStale(path_).IgnoreError();
}

void UnixListener::Start(OnAccept on_accept) {
  thread_ = std::thread([this, on_accept = std::move(on_accept)] { AcceptLoop(on_accept); });
}

void UnixListener::Stop() {
  if (fd_ < 0) return;
  // Not shutdown(): that would end an adopted socket for its owner, too.
  if (wake_ >= 0) eventfd_write(wake_, 1);
  if (thread_.joinable()) thread_.join();
  close(fd_);
  fd_ = -1;
}

void UnixListener::AcceptLoop(const OnAccept& on_accept) {
  pthread_setname_np(pthread_self(), "accept");
  sigset_t all;  // signals are for the main thread
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  pollfd waits[] = {{fd_, POLLIN, 0}, {wake_, POLLIN, 0}};
  for (;;) {
    if (poll(waits, 2, -1) < 0) continue;  // EINTR
    if (waits[1].revents != 0) return;
    const int fd = accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      // EAGAIN: it has gone away meanwhile, or another process that has the socket took it.
      if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN) continue;
      // Out of descriptors or memory: without a pause this would spin. Only Stop ends the pause
      // early.
      LogWarning("a local connection was not accepted", {{"path", path_}, {"cause", Cause()}});
      if (poll(&waits[1], 1, kBackOffMillis) > 0) return;
      continue;
    }
    ucred credentials{};
    socklen_t size = sizeof(credentials);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
      close(fd);
      continue;
    }
    on_accept(fd, {credentials.uid, credentials.gid, credentials.pid});
  }
}

}  // namespace talkjsd::net
