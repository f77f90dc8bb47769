// A Unix socket's file: made, given to those who may connect, and removed.
#ifndef TALKJSD_NET_UNIX_LISTENER_H_
#define TALKJSD_NET_UNIX_LISTENER_H_

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

namespace talkjsd::net {

// Listens; whoever has `fd` accepts (net::Acceptor). One thread at a time. A stale file (nobody
// listens) is replaced, a live one is an error that says so. The file is removed at destruction.
class UnixListener {
 public:
  struct Options {
    mode_t mode = 0660;
    // A group's name or number; empty: the daemon's own.
    std::string group;
    // False: a group that does not exist, or that the daemon may not give the file to, is passed
    // over.
    bool group_required = false;
  };

  // Binds and listens; FAILED_PRECONDITION or UNAVAILABLE with path and cause otherwise. Paths over
  // 107 bytes are refused.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Open(const std::string& path,
                                                            const Options& options);
  // A socket that somebody else has made to listen on `path` (InheritedSockets). Takes ownership of
  // `fd`; the socket's file and its access stay as they are, and clients that connect after the
  // destruction wait for who accepts next. FAILED_PRECONDITION if it is none.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Adopt(int fd, const std::string& path);
  ~UnixListener();  // Close, and removes the file

  // Non-blocking; -1 after Close.
  int fd() const { return fd_; }
  // Nobody can connect any more. Nobody may be accepting. Idempotent.
  void Close();
  const std::string& path() const { return path_; }

 private:
  UnixListener(int fd, std::string path, bool owns_file)
      : fd_(fd), path_(std::move(path)), owns_file_(owns_file) {}
  int fd_;
  const std::string path_;
  const bool owns_file_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_UNIX_LISTENER_H_
