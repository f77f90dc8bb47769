#include "daemon/net/acceptor.h"

#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/base/log.h"

namespace talkjsd::net {
namespace {

constexpr Duration kPause = std::chrono::milliseconds(100);
constexpr Duration kWarningInterval = std::chrono::seconds(10);
// Accepted at a time, so that those who speak are looked at in between.
constexpr int kAcceptsPerTurn = 32;
constexpr uint64_t kStop = ~uint64_t{0};
constexpr uint64_t kListener = uint64_t{1} << 32;

bool IsShortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

bool Watch(int epoll, int fd, uint64_t data) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP;
  event.data.u64 = data;
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

// Descriptors from this number on are not for connections. They are given out from the lowest on,
// so that a number says how many are in use.
int FirstKeptBack(int left) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1 << 30;
  const auto most = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1 << 30));
  return most - std::min(left, most / 8);
}

std::optional<PeerCredentials> CredentialsOf(int fd) {
  sockaddr_storage address{};
  socklen_t address_size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &address_size) != 0 ||
      address.ss_family != AF_UNIX) {
    return std::nullopt;
  }
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  // Nobody's, if the kernel does not say.
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) {
    return PeerCredentials{static_cast<uid_t>(-1), static_cast<gid_t>(-1), 0};
  }
  return PeerCredentials{credentials.uid, credentials.gid, credentials.pid};
}

}  // namespace

Acceptor::~Acceptor() { Stop(); }

absl::Status Acceptor::Start(std::vector<int> listening, OnConnection on_connection) {
  listening_ = std::move(listening);
  on_connection_ = std::move(on_connection);
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  stop_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  bool watched = epoll_ >= 0 && stop_ >= 0 && Watch(epoll_, stop_, kStop);
  for (size_t i = 0; i < listening_.size(); ++i) {
    watched = watched && Watch(epoll_, listening_[i], kListener + i);
  }
  if (!watched) return absl::UnavailableError(std::string("cannot accept: ") + strerror(errno));
  thread_ = std::thread([this] { Loop(); });
  return absl::OkStatus();
}

void Acceptor::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    while (write(stop_, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  while (!waiting_.empty()) CloseOldest();
  for (int* fd : {&epoll_, &stop_}) {
    if (*fd >= 0) close(*fd);
    *fd = -1;
  }
}

void Acceptor::Loop() {
  pthread_setname_np(pthread_self(), "accept");
  sigset_t all;  // signals are for the main thread
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
  std::array<epoll_event, 64> events{};
  for (;;) {
    const int count =
        epoll_wait(epoll_, events.data(), events.size(), Timeout(SystemClock().Now()));
    // First those who wait, so that nobody who has spoken is closed to make room.
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u64 == kStop) return;
      if (events[i].data.u64 < kListener) Release(static_cast<int>(events[i].data.u64));
    }
    const MonoTime now = SystemClock().Now();
    CloseOverdue(now);
    if (paused_until_.has_value()) {
      if (now >= *paused_until_) Pause(false);
      continue;
    }
    for (int i = 0; i < count && !paused_until_.has_value(); ++i) {
      if (events[i].data.u64 >= kListener) Accept(events[i].data.u64 - kListener);
    }
  }
}

void Acceptor::Accept(size_t listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = accept4(listening_[listener], nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Hold(fd, listener);
      if (paused_until_.has_value()) return;
      continue;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return;
    if (IsShortage(errno)) return RunShort(strerror(errno));
    // What the network did to this connection (accept(2)), or an interruption: the next one.
  }
}

void Acceptor::Hold(int fd, size_t listener) {
  if (fd >= FirstKeptBack(options_.descriptors_left)) {
    if (waiting_.empty()) {
      close(fd);
      return RunShort("the limit of open files (RLIMIT_NOFILE) is near");
    }
    CloseOldest();
  }
  if (waiting_.size() >= options_.max_waiting) CloseOldest();
  if (!Watch(epoll_, fd, static_cast<uint64_t>(fd))) {
    close(fd);
    return;
  }
  waiting_.push_back({fd, listener, SystemClock().Now() + patience_.load()});
  by_fd_[fd] = std::prev(waiting_.end());
  waiting_count_ = waiting_.size();
}

void Acceptor::Release(int fd) {
  const auto found = by_fd_.find(fd);
  if (found == by_fd_.end()) return;
  const size_t listener = found->second->listener;
  Forget(found->second);
  epoll_ctl(epoll_, EPOLL_CTL_DEL, fd, nullptr);
  char byte = 0;
  if (recv(fd, &byte, 1, MSG_PEEK) <= 0) {
    close(fd);
    return;
  }
  on_connection_(listener, fd, CredentialsOf(fd));
}

void Acceptor::Forget(std::list<Waiting>::iterator waiting) {
  by_fd_.erase(waiting->fd);
  waiting_.erase(waiting);
  waiting_count_ = waiting_.size();
}

void Acceptor::CloseOldest() {
  const int fd = waiting_.front().fd;
  Forget(waiting_.begin());
  close(fd);
}

void Acceptor::CloseOverdue(MonoTime now) {
  // In order of arrival; a patience that was shortened meanwhile takes effect with who comes next.
  while (!waiting_.empty() && waiting_.front().deadline <= now) CloseOldest();
}

void Acceptor::RunShort(const char* cause) {
  const MonoTime now = SystemClock().Now();
  if (now >= next_warning_) {
    next_warning_ = now + kWarningInterval;
    LogWarning("connections are not accepted for want of descriptors",
               {{"cause", cause}, {"waiting", waiting_.size()}});
  }
  if (!waiting_.empty()) return CloseOldest();
  Pause(true);
}

void Acceptor::Pause(bool pause) {
  paused_until_.reset();
  if (pause) paused_until_ = SystemClock().Now() + kPause;
  for (size_t i = 0; i < listening_.size(); ++i) {
    epoll_event event{};
    event.events = pause ? 0U : uint32_t{EPOLLIN};
    event.data.u64 = kListener + i;
    epoll_ctl(epoll_, EPOLL_CTL_MOD, listening_[i], &event);
  }
}

int Acceptor::Timeout(MonoTime now) const {
  MonoTime next = kNever;
  if (!waiting_.empty()) next = waiting_.front().deadline;
  if (paused_until_.has_value()) next = std::min(next, *paused_until_);
  if (next == kNever) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - now);
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 60'000));
}

}  // namespace talkjsd::net
