// The gRPC server on its listener: what local clients talk to.
#ifndef TALKJSD_API_SERVER_H_
#define TALKJSD_API_SERVER_H_

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/positions.h"
#include "daemon/session/registry.h"

namespace talkjsd::net {
class InheritedSockets;
}

namespace talkjsd::api {

enum class UpstreamMode { kProduction, kHost, kEmulator };

// An open stream of a local client.
struct StreamInfo {
  std::string stream_id;
  std::string kind;          // "messages", "unreads", "sessions"
  std::string subscription;  // its name; empty: none
  size_t session_count = 0;  // 0: all sessions
  std::string session_id;    // of a stream over one
  UnixMillis opened_at = 0;
  uint64_t events_written = 0;
  // How long it has not had everything, and events in the journal behind its position; 0: it has.
  double behind_seconds = 0;
  uint64_t lag_events = 0;
  bool stalled = false;  // its client has not taken a response for over 10 s
};

// Thread-safe after Start. Everything in Environment outlives it. Owns gRPC's threads, the accept
// thread and the threads of the dispatcher; all calls have ended when the destructor returns.
class Server {
 public:
  struct Options {
    std::string listen;  // unix:///absolute/path
    // Members of this group may connect, where it exists.
    std::string socket_group = "talkjsd";
    // Event streams and watches open at once; 0 = no limit.
    size_t max_streams = 10'000;
    // How long a drain waits for streams to take their last write and their end; at most 2 s.
    Duration drain_grace = std::chrono::milliseconds(1500);
    // A connection on which nothing has come for so long is asked whether it lives, and closed when
    // it does not answer in time.
    Duration keepalive_time = std::chrono::seconds(60);
    Duration keepalive_timeout = std::chrono::seconds(20);
    // What GetInfo tells of the other rooms' settings.
    UpstreamMode upstream_mode = UpstreamMode::kProduction;
    std::string upstream_host;
    // Where the request_ids of SendMessage are kept; empty: in memory.
    std::string requests_path;
    int message_subscriptions_per_session = 30;
    int max_sessions = 10'000;
  };
  struct Environment {
    session::Registry& registry;
    journal::Journal& journal;
    const Clock& clock;
    Random& random;  // thread-safe
    Metrics& metrics;
    // Null: there are no named subscriptions.
    journal::Positions* positions = nullptr;
    // Used during Start: where a socket listens already, it is taken. Null: none does.
    net::InheritedSockets* inherited = nullptr;
  };

  // Listens and serves. INVALID_ARGUMENT for an address that is not supported; otherwise what the
  // socket says.
  static absl::StatusOr<std::unique_ptr<Server>> Start(Options options, Environment environment);
  ~Server();  // Drain
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // "unix:///run/talkjsd/talkjsd.sock"
  const std::string& address() const;

  // Ends the service within 3 s: nobody new is accepted, health turns NOT_SERVING, each call in
  // progress ends with UNAVAILABLE (DRAINING) and RetryInfo; what a stuck client does not take is
  // cut off. Idempotent; one thread.
  void Drain();

  // In no order. Any thread.
  std::vector<StreamInfo> Streams() const;

  // Calls `alive` on a thread that drives streams; for the watchdog.
  void Ping(std::function<void()> alive);

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_SERVER_H_
