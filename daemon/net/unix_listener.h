// A Unix socket that knows who connects.
#ifndef TALKJSD_NET_UNIX_LISTENER_H_
#define TALKJSD_NET_UNIX_LISTENER_H_

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

namespace talkjsd::net {

struct PeerCredentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

// Accepts on a thread of its own. The socket file is mode 0660, group `group` if that exists; a
// stale file (nobody listens) is replaced, a live one is an error that says so. The file is removed
// at destruction.
class UnixListener {
 public:
  // `fd`: non-blocking, close-on-exec; ownership goes to the callee. Called on the accept thread.
  using OnAccept = std::function<void(int fd, PeerCredentials peer)>;

  // Binds and listens; FAILED_PRECONDITION or UNAVAILABLE with path and cause otherwise. Paths over
  // 107 bytes are refused.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Open(const std::string& path,
                                                            const std::string& group);
  ~UnixListener();  // Stop, and removes the file

  void Start(OnAccept on_accept);
  // No call of OnAccept after it returns. Idempotent.
  void Stop();
  const std::string& path() const { return path_; }

 private:
  UnixListener(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  void AcceptLoop(const OnAccept& on_accept);
  int fd_;
  std::string path_;
  std::thread thread_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_UNIX_LISTENER_H_
