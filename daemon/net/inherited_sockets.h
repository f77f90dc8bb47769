// Sockets that listened before the daemon started: the service manager's (socket activation).
#ifndef TALKJSD_NET_INHERITED_SOCKETS_H_
#define TALKJSD_NET_INHERITED_SOCKETS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <string>
#include <vector>

namespace talkjsd::net {

// Not thread-safe. Owns the descriptors that have not been taken.
class InheritedSockets {
 public:
  struct Named {
    int fd = -1;
    std::string name;  // FileDescriptorName= of the socket unit; for messages
  };

  // What systemd has handed over (sd_listen_fds(3)); children do not inherit it. Once a process.
  static absl::StatusOr<InheritedSockets> FromServiceManager();

  // Takes ownership of the descriptors, also when it fails: INVALID_ARGUMENT names a descriptor
  // that is no Unix stream socket which listens on a path.
  static absl::StatusOr<InheritedSockets> Make(const std::vector<Named>& descriptors);

  InheritedSockets() = default;
  InheritedSockets(InheritedSockets&& other) noexcept { sockets_.swap(other.sockets_); }
  InheritedSockets& operator=(InheritedSockets&& other) noexcept {
    sockets_.swap(other.sockets_);
    return *this;
  }
  ~InheritedSockets();

  // The socket that listens on `path`, now the caller's; -1 if there is none.
  int Take(const std::string& path);

  // INVALID_ARGUMENT names sockets that nobody took: their clients would wait for ever.
  absl::Status CheckAllTaken() const;

 private:
  struct Socket {
    Named descriptor;
    std::string path;
  };
  std::vector<Socket> sockets_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_INHERITED_SOCKETS_H_
