// The daemon's door: accepts on all listening sockets, and lets in who begins to speak.
#ifndef TALKJSD_NET_ACCEPTOR_H_
#define TALKJSD_NET_ACCEPTOR_H_

#include <absl/status/status.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <list>
#include <optional>
#include <thread>
#include <unordered_map>
#include <vector>

#include "daemon/base/clock.h"

namespace talkjsd::net {

// Of the process that connected a Unix socket, at that time (SO_PEERCRED).
struct PeerCredentials {
  uid_t uid = 0;
  gid_t gid = 0;
  pid_t pid = 0;
};

// Accepts on a thread of its own. A connection waits until its first bytes have come, and costs a
// descriptor until then: those that never speak are closed after `patience`, and the oldest of them
// earlier, when there are too many or descriptors run short. When there are no descriptors at all,
// nobody is accepted for a moment, and the kernel's queue holds who comes.
class Acceptor {
 public:
  struct Options {
    // How long a connection may take to begin to speak.
    Duration patience = std::chrono::seconds(20);
    // Connections that wait at a time.
    size_t max_waiting = 1024;
    // Descriptors left to the rest of the process, at most an eighth of RLIMIT_NOFILE.
    int descriptors_left = 64;
  };
  // `listener`: its index in Start. `fd`: non-blocking, close-on-exec; ownership goes to the
  // callee. `process`: of Unix sockets. Called on the acceptor's thread.
  using OnConnection =
      std::function<void(size_t listener, int fd, std::optional<PeerCredentials> process)>;

  explicit Acceptor(Options options) : options_(options), patience_(options.patience) {}
  ~Acceptor();  // Stop
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // `listening`: non-blocking sockets, which outlive Stop. Once.
  absl::Status Start(std::vector<int> listening, OnConnection on_connection);
  // Closes those that wait; no call of OnConnection afterwards. Idempotent.
  void Stop();

  // For connections that come from now on. Any thread.
  void SetPatience(Duration patience) { patience_ = patience; }
  // Connections that have not spoken. Any thread.
  size_t waiting() const { return waiting_count_; }

 private:
  struct Waiting {
    int fd;
    size_t listener;
    MonoTime deadline;
  };

  void Loop();
  void Accept(size_t listener);
  // Takes in a connection that was accepted.
  void Hold(int fd, size_t listener);
  // The connection has said something, or is gone.
  void Release(int fd);
  void CloseOldest();
  void CloseOverdue(MonoTime now);
  void Forget(std::list<Waiting>::iterator waiting);
  // No more descriptors: stops accepting for a moment, if nobody can be closed instead.
  void RunShort(const char* cause);
  void Pause(bool pause);
  int Timeout(MonoTime now) const;

  const Options options_;
  std::atomic<Duration> patience_;
  std::atomic<size_t> waiting_count_ = 0;
  std::vector<int> listening_;
  OnConnection on_connection_;
  int epoll_ = -1;
  int stop_ = -1;
  std::thread thread_;
  // Of the thread, in order of arrival.
  std::list<Waiting> waiting_;
  std::unordered_map<int, std::list<Waiting>::iterator> by_fd_;
  std::optional<MonoTime> paused_until_;
  MonoTime next_warning_{};
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_ACCEPTOR_H_
