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

// Accepts on a thread of its own.
class UnixListener {
 public:
  // `fd`: non-blocking, close-on-exec; ownership goes to the callee. Called on the accept thread.
  using OnAccept = std::function<void(int fd, PeerCredentials peer)>;

  // Binds and listens; FAILED_PRECONDITION or UNAVAILABLE with path and cause otherwise. Paths over
  // 107 bytes are refused. The socket file is mode 0660, group `group` if that exists; a stale file
  // (nobody listens) is replaced, a live one is an error that says so. The file is removed at
  // destruction.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Open(const std::string& path,
                                                            const std::string& group);
  // Accepts from a socket that somebody else has made to listen on `path` (InheritedSockets). Takes
  // ownership of `fd`; the socket's file and its access stay as they are, and clients that connect
  // after the destruction wait for who accepts next.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Adopt(int fd, const std::string& path);
  ~UnixListener();  // Stop

  void Start(OnAccept on_accept);
  // No call of OnAccept after it returns. Idempotent.
  void Stop();
  const std::string& path() const { return path_; }

 private:
  UnixListener(int fd, std::string path, bool owns_file)
      : fd_(fd), path_(std::move(path)), owns_file_(owns_file) {}
  absl::Status OpenWake();
  void AcceptLoop(const OnAccept& on_accept);

  int fd_;
  int wake_ = -1;  // an eventfd: readable from Stop on
  const std::string path_;
  const bool owns_file_;
  std::thread thread_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_UNIX_LISTENER_H_
