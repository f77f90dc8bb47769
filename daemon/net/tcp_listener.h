// A TCP socket that listens.
#ifndef TALKJSD_NET_TCP_LISTENER_H_
#define TALKJSD_NET_TCP_LISTENER_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>

namespace talkjsd::net {

// Listens; whoever has `fd` accepts (net::Acceptor). One thread at a time.
class TcpListener {
 public:
  // `ip`: an IPv4 or IPv6 address without brackets; port 0 picks one. FAILED_PRECONDITION with
  // address and cause.
  static absl::StatusOr<std::unique_ptr<TcpListener>> Open(const std::string& ip, uint16_t port);
  ~TcpListener();  // Close
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;

  // Non-blocking; -1 after Close.
  int fd() const { return fd_; }
  uint16_t port() const { return port_; }
  // Nobody can connect any more. Nobody may be accepting. Idempotent.
  void Close();

 private:
  explicit TcpListener(int fd) : fd_(fd) {}
  int fd_;
  uint16_t port_ = 0;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_TCP_LISTENER_H_
