// The operator's HTTP listener: /metrics for Prometheus and /healthz for probes.
#ifndef TALKJSD_ADMIN_ENDPOINT_H_
#define TALKJSD_ADMIN_ENDPOINT_H_

#include <absl/status/statusor.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "daemon/base/metrics.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_server.h"

namespace talkjsd::admin {

// Owns a thread. It asks nobody who they are: give it loopback addresses only.
class Endpoint {
 public:
  // `metrics` outlives it. UNAVAILABLE naming the address if it cannot listen.
  static absl::StatusOr<std::unique_ptr<Endpoint>> Start(const std::string& host, uint16_t port,
                                                         const Metrics& metrics);
  ~Endpoint();

  uint16_t port() const { return server_->port(); }
  // What /healthz answers: 200 or 503. Thread-safe. At first: 503.
  void SetServing(bool serving) { serving_ = serving; }
  // Calls `alive` on its thread; for the watchdog.
  void Ping(std::function<void()> alive) { loop_.Post(std::move(alive)); }

 private:
  explicit Endpoint(const Metrics& metrics) : metrics_(metrics), loop_("admin") {}
  net::ServerResponse Answer(const net::ServerRequest& request) const;

  const Metrics& metrics_;
  std::atomic<bool> serving_ = false;
  net::EventLoop loop_;
  std::unique_ptr<net::HttpServer> server_;
};

}  // namespace talkjsd::admin

#endif  // TALKJSD_ADMIN_ENDPOINT_H_
