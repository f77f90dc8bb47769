// The gRPC server on its listeners: what clients talk to.
#ifndef TALKJSD_API_SERVER_H_
#define TALKJSD_API_SERVER_H_

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/api/access/listener_options.h"
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
    // At least one.
    std::vector<ListenerOptions> listeners;
    Limits limits;
    // How long a drain waits for streams to take their last write and their end.
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

  // Of the listeners, in their order, with the ports that were picked:
  // "unix:///run/talkjsd/talkjsd.sock", "127.0.0.1:41233".
  const std::vector<std::string>& addresses() const;
  const std::string& address() const { return addresses().front(); }

  // The policies of the listeners, found by ListenerOptions::address, as they shall be from now on;
  // nothing else of the options is looked at, and listeners that are not there are passed over.
  // Streams whose policy does not allow them any more end within 1 s with PERMISSION_DENIED
  // (ACCESS_DENIED). All or nothing: INVALID_ARGUMENT (INVALID_FIELD) says what is wrong.
  absl::Status UpdatePolicies(const std::vector<ListenerOptions>& listeners);
  // Reads the files of bearer tokens, which are otherwise read when they have changed; streams
  // whose token is gone end within 1 s. Checks the files of certificates, which gRPC reads by
  // itself within a second of their change. Where a file is wrong, what was read before holds, and
  // the error says so.
  absl::Status ReloadSecrets();
  // For what is new from now on. A request_bytes of more than twice that of the start counts as
  // that.
  void UpdateLimits(const Limits& limits);

  // Ends the service within drain_grace and a second: nobody new is accepted, health turns
  // NOT_SERVING, each call in progress ends with UNAVAILABLE (DRAINING) and RetryInfo; what a stuck
  // client does not take is cut off. Idempotent; one thread.
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
