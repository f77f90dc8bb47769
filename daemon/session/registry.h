// All sessions of the daemon: created, found, watched, called and destroyed here.
#ifndef TALKJSD_SESSION_REGISTRY_H_
#define TALKJSD_SESSION_REGISTRY_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "daemon/net/http_client.h"
#include "daemon/net/tls_context.h"
#include "daemon/session/info.h"
#include "daemon/session/session_store.h"
#include "daemon/session/unreads_board.h"
#include "daemon/upstream/app_check.h"
#include "daemon/upstream/call.h"
#include "daemon/upstream/token_broker.h"

namespace talkjsd::session {

// Thread-safe: every method may be called from any thread, and none waits for the
// network. Owns the
// shards (threads) and the sessions on them.
class Registry {
 public:
  struct Options {
    std::string upstream_host;  // the SDK's `host`; empty: TalkJS production
    int shards = 1;
    // Conversations whose messages one session follows at a time (least recently active leaves
    // first); 1 to 1,000.
    int message_subscriptions_per_session = 30;
    int max_sessions = 10'000;
    // Reconnects, and first connects of restored sessions, a second over all sessions: this share
    // of the sessions, at least 20.
    double connects_per_second_share = 0.05;
    // How often token files are looked at, and how long a client on ProvideTokens has for an
    // answer.
    Duration token_file_interval = std::chrono::seconds(1);
    Duration token_answer_timeout = std::chrono::seconds(10);
  };
  // All outlive the registry.
  struct Environment {
    const Clock& clock;
    Random& random;
    Metrics& metrics;
    journal::Journal& journal;
    net::HttpClient& http;
    const net::TlsContext& tls;
    // Null: sessions end with the daemon. The last it is told comes with the journal's Close.
    SessionStore* store = nullptr;
  };

  Registry(Options options, Environment environment);
  ~Registry();  // Stop

  // Brings back the sessions of the store, at the pace of connects. Once, before anything is
  // created. Errors are those of SessionStore::Load and ReadBack.
  absl::Status Restore();

  // For sessions that are created from now on; those that exist stay.
  void SetMaxSessions(int max_sessions);

  struct Created {
    Info info;
    bool created = false;  // false: it existed
  };
  // Checks what can be checked here: INVALID_ARGUMENT (INVALID_FIELD, TOKEN_MALFORMED,
  // TOKEN_WRONG_APP, TOKEN_WRONG_USER, TOKEN_EXPIRED, CREDENTIALS_INVALID), ALREADY_EXISTS
  // (SESSION_ALREADY_EXISTS: other kind of credentials; message and metadata name the session),
  // RESOURCE_EXHAUSTED (LIMIT_EXCEEDED); those of SessionStore if it cannot be stored. Waits for
  // the disk.
  absl::StatusOr<Created> Create(CreateRequest request);

  // Gives a session its user: by id alone, or with attributes to write at login. NOT_FOUND,
  // FAILED_PRECONDITION (SESSION_DESTROYED, ME_ALREADY_SET), ALREADY_EXISTS
  // (SESSION_ALREADY_EXISTS: the app and user have a session, named in the metadata),
  // INVALID_ARGUMENT (INVALID_FIELD, TOKEN_WRONG_USER); those of SessionStore. Waits for the disk.
  absl::StatusOr<Info> SetMe(const std::string& session_id, const std::string& user_id,
                             std::optional<upstream::UserWrite> attributes);

  // A newer token, used at once; with a signing key or a fetcher until these are asked again.
  // NOT_FOUND, FAILED_PRECONDITION (SESSION_DESTROYED, WRONG_CREDENTIAL_KIND), INVALID_ARGUMENT and
  // those of SessionStore as Create. Waits for the disk.
  absl::StatusOr<Info> SetToken(const std::string& session_id, Secret token);

  // Whether a client on ProvideTokens of this name may serve the session: NOT_FOUND,
  // FAILED_PRECONDITION (SESSION_DESTROYED, WRONG_CREDENTIAL_KIND).
  absl::Status CheckProvider(const std::string& session_id, const std::string& provider_name) const;

  // NOT_FOUND (SESSION_NOT_FOUND). A destroyed session is found for an hour, in State::kDestroyed.
  absl::StatusOr<Info> Get(const std::string& session_id) const;
  // As Get, and FAILED_PRECONDITION (SESSION_DESTROYED) for a destroyed one: for all that needs a
  // living session.
  absl::StatusOr<Info> GetAlive(const std::string& session_id) const;

  // In the order of creation; without destroyed ones.
  std::vector<Info> List() const;

  // Closes its connection and removes its credentials; `done` is called when that has happened.
  // Destroying a destroyed one succeeds. If the credentials cannot be removed the session goes on,
  // with the error of SessionStore. Waits for the disk.
  void Destroy(const std::string& session_id, std::function<void(const absl::Status&)> done);

  // One call to TalkJS as the session's user. `done` runs once, on the session's shard: with
  // TalkJS's final answer, or NOT_FOUND / FAILED_PRECONDITION (SESSION_NOT_FOUND,
  // SESSION_DESTROYED, ME_NOT_SET, or the reason why the session failed), or UNAVAILABLE
  // (UPSTREAM_UNAVAILABLE) when `timeout` passes before it is connected and answered.
  using CallDone = std::function<void(absl::StatusOr<upstream::Reply>)>;
  void Call(const std::string& session_id, upstream::Request request, Duration timeout,
            CallDone done);

  // Whether TalkJS knows the app id; see upstream::CheckApp.
  void CheckApp(const std::string& app_id, Duration timeout, upstream::AppCheckDone done);

  // What TalkJS has no place for, kept with the session until it is destroyed.
  // The availability of a user as one of the session's clients gave it; nullopt: forget it.
  void KeepAvailability(const std::string& session_id, const std::string& user_id,
                        std::optional<std::string> text);
  std::optional<std::string> Availability(const std::string& session_id,
                                          const std::string& user_id) const;
  // The device of CreateRequest.
  std::optional<upstream::PushDevice> Device(const std::string& session_id) const;

  // Sessions that changed after *version, destroyed ones included, oldest change first; *version
  // moves. 0 is before everything.
  std::vector<Info> ChangesSince(uint64_t* version) const;
  // Calls `ready` once, when something is newer than `version`, perhaps at once, on the caller's or
  // a shard's thread: it must only hand over work. After Cancel has returned it is not called any
  // more.
  uint64_t NotifyOfChange(uint64_t version, std::function<void()> ready);
  void Cancel(uint64_t handle);

  UnreadsBoard& unreads();
  upstream::TokenBroker& token_broker();

  // Calls `alive` once the thread of every shard has answered; for the watchdog.
  void Ping(std::function<void()> alive);

  // Ends all connections and threads. Idempotent. Calls that wait end with UNAVAILABLE (DRAINING).
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_REGISTRY_H_
