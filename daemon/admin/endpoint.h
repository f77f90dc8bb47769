// The operator's HTTP listener: the status page, /metrics for Prometheus, /healthz for probes.
#ifndef TALKJSD_ADMIN_ENDPOINT_H_
#define TALKJSD_ADMIN_ENDPOINT_H_

#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/admin/status.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/net/acceptor.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_server.h"
#include "daemon/net/unix_listener.h"

namespace talkjsd::admin {

// Owns a thread, two with a Unix socket. It asks nobody who they are: give it loopback addresses
// only. Requests that name another host than this one are refused, so that no web page can read it
// through a browser whose user it has made to believe that a name of its own is this host (DNS
// rebinding).
class Endpoint {
 public:
  // `metrics` and `random` (thread-safe) outlive it. UNAVAILABLE naming the address if it cannot
  // listen.
  static absl::StatusOr<std::unique_ptr<Endpoint>> Start(const std::string& host, uint16_t port,
                                                         const Metrics& metrics,
                                                         Random& random = SecureRandom());
  // On a Unix socket of mode 0660 and this group, if it exists. Errors: net::UnixListener.
  static absl::StatusOr<std::unique_ptr<Endpoint>> StartUnix(const std::string& path,
                                                             const std::string& group,
                                                             const Metrics& metrics,
                                                             Random& random = SecureRandom());
  ~Endpoint();

  uint16_t port() const { return server_->port(); }  // 0 on a Unix socket
  // From now on / and /status.json are served; what `source` asks must outlive the endpoint. Once,
  // any thread.
  void ShowStatus(StatusSource source);
  // What /healthz answers: 200 or 503. Thread-safe. At first: 503.
  void SetServing(bool serving) { serving_ = serving; }
  // Calls `alive` on its thread; for the watchdog.
  void Ping(std::function<void()> alive) { loop_.Post(std::move(alive)); }

 private:
  Endpoint(const Metrics& metrics, Random& random)
      : metrics_(metrics), random_(random), loop_("admin") {}
  absl::Status Open(const std::string& host, uint16_t port);
  net::ServerResponse Answer(const net::ServerRequest& request);
  net::ServerResponse AnswerPath(std::string_view path, std::string_view query);
  net::ServerResponse Page();

  const Metrics& metrics_;
  Random& random_;
  std::atomic<bool> serving_ = false;
  net::EventLoop loop_;
  std::unique_ptr<net::HttpServer> server_;
  std::unique_ptr<net::UnixListener> unix_listener_;
  std::unique_ptr<net::Acceptor> acceptor_;
  // On the loop.
  std::optional<Status> status_;
  std::unique_ptr<net::Timer> tick_;
};

// Whether a request's Host header means this machine: localhost, or a loopback address, with or
// without a port.
bool IsLocalHost(std::string_view host);

}  // namespace talkjsd::admin

#endif  // TALKJSD_ADMIN_ENDPOINT_H_
