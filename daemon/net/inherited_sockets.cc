#include "daemon/net/inherited_sockets.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace talkjsd::net {
namespace {

// Where a Unix stream socket listens; nothing if `fd` is no such socket.
std::optional<std::string> PathOf(int fd) {
  if (sd_is_socket(fd, AF_UNIX, SOCK_STREAM, /*listening=*/1) <= 0) return std::nullopt;
  sockaddr_un address{};
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return std::nullopt;
  constexpr size_t kStart = offsetof(sockaddr_un, sun_path);
  // Abstract names begin with a NUL; sockets without a name have nothing there.
  if (size <= kStart || address.sun_path[0] == '\0') return std::nullopt;
  return std::string(address.sun_path, strnlen(address.sun_path, size - kStart));
}

}  // namespace

absl::StatusOr<InheritedSockets> InheritedSockets::FromServiceManager() {
  char** names = nullptr;
  const int count = sd_listen_fds_with_names(/*unset_environment=*/1, &names);
  if (count < 0) {
    return absl::InvalidArgumentError(std::string("the service manager's sockets: ") +
                                      std::strerror(-count));
  }
  std::vector<Named> descriptors;
  for (int i = 0; i < count; ++i) {
    descriptors.push_back({SD_LISTEN_FDS_START + i, names == nullptr ? "" : names[i]});
    if (names != nullptr) std::free(names[i]);
  }
  std::free(names);
  return Make(descriptors);
}

absl::StatusOr<InheritedSockets> InheritedSockets::Make(const std::vector<Named>& descriptors) {
  InheritedSockets result;
  std::string odd;
  for (const Named& descriptor : descriptors) {
    const std::optional<std::string> path = PathOf(descriptor.fd);
    if (!path.has_value()) odd += (odd.empty() ? "" : ", ") + descriptor.name;
    result.sockets_.push_back({descriptor, path.value_or("")});
  }
  if (!odd.empty()) {
    return absl::InvalidArgumentError(
        "of the service manager's sockets these do not listen on a Unix socket's path: " + odd +
        "; the socket unit needs ListenStream=/a/path and Accept=no");
  }
  return result;
}

InheritedSockets::~InheritedSockets() {
  for (const Socket& socket : sockets_) close(socket.descriptor.fd);
}

int InheritedSockets::Take(const std::string& path) {
  for (auto it = sockets_.begin(); it != sockets_.end(); ++it) {
    if (it->path != path) continue;
    const int fd = it->descriptor.fd;
    sockets_.erase(it);
    return fd;
  }
  return -1;
}

absl::Status InheritedSockets::CheckAllTaken() const {
  std::string left;
  for (const Socket& socket : sockets_) {
    left += (left.empty() ? "" : ", ") + socket.descriptor.name + " (" + socket.path + ")";
  }
  if (left.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError("the service manager listens where the daemon does not: " +
                                    left + "; add a listener with the socket unit's path");
}

}  // namespace talkjsd::net
