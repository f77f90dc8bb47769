// The client's side of TalkJS's realtime protocol as a state machine: login, renewal, heartbeat,
// calls, subscriptions, reconnects (realtime.md 3 to 5). No sockets, no clocks: inputs carry the
// time, outputs are actions for a driver.
//
//   protocol.Start(now);
//   for (Action& action : protocol.TakeActions()) ...   // OpenSocket, SendText, ...
//   wake up at protocol.NextDeadline() and call Tick.
//
// Where it differs from the SDK, design.md section 5 says so: it never closes an idle socket,
// retries a refused login with back-off, uses short-lived tokens instead of dropping them, and
// grows its reconnect delays.
#ifndef TALKJSD_UPSTREAM_PROTOCOL_H_
#define TALKJSD_UPSTREAM_PROTOCOL_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/base/backoff.h"
#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/base/secret.h"
#include "daemon/upstream/call.h"
#include "daemon/wire/event.h"

namespace talkjsd::upstream {

// Why a token is wanted.
enum class TokenCause {
  kFirst,
  kRenewal,  // the present one still works
  kExpired,  // TalkJS ended the login
  kRefused,  // TalkJS refused the present one (401)
};

// What came of asking for a token.
struct TokenResult {
  enum class Kind {
    kToken,
    kRetry,    // TalkJS, which hands it out, is in trouble: asked again with back-off
    kTrouble,  // the app's own source is: likewise, but without a usable token the session waits
    kWait,     // none can be had until somebody supplies one
    kFatal,    // none will ever be had with these credentials
  };
  Kind kind = Kind::kRetry;
  Secret token;
  std::optional<int64_t> expires_at;  // seconds since the epoch, if known
  absl::Status why;                   // for the other kinds, with a reason
};

enum class Phase {
  kStopped,
  kWaitingForToken,
  kConnecting,  // waiting for token source, socket or login
  kReady,       // logged in
  kWaiting,     // between two attempts
  kFailed,
};

using CallDone = std::function<void(absl::StatusOr<Reply>)>;

// --- actions ---

struct OpenSocket {
  Duration delay{};  // from now; the driver may add to it, for the daemon-wide pace
};
struct CloseSocket {
};  // with a closing handshake; nothing of this socket is given to the machine any more
struct AbortSocket {};
struct SendText {
  std::string text;
};
struct NeedToken {
  TokenCause cause;
  int refusals;  // logins in a row that TalkJS answered with 401
};
struct PhaseChanged {
  Phase phase;
  absl::Status why;
};
struct LoggedIn {
  // The interruption was announced and lost nothing, or there was none: no need to read again what
  // was known.
  bool state_kept = false;
};
// A login or renewal succeeded.
struct TokenAccepted {
  std::optional<int64_t> short_seconds;  // its lifetime, where that is too short for comfort
};
// A PUBLISH frame's events, in order. Acknowledge it when they have been handed over.
struct FrameReceived {
  std::vector<wire::Event> events;
  int64_t publish_number;
  int64_t socket_generation;
};
struct Completed {
  CallDone done;
  absl::StatusOr<Reply> result;
};
// The peer did something this protocol does not know; it was ignored.
struct ProtocolError {
  std::string what;
};
// What was not understood may have been an event: what was known has to be read again, as after
// LoggedIn. The phase has left kReady and come back.
struct StateLost {};
// TalkJS took a subscription only after it had refused it: what was read meanwhile is older than
// it. What follows comes after this.
struct SubscribedLate {
  std::string path;
};

using Action =
    std::variant<OpenSocket, CloseSocket, AbortSocket, SendText, NeedToken, PhaseChanged, LoggedIn,
                 TokenAccepted, FrameReceived, Completed, ProtocolError, StateLost, SubscribedLate>;

// The pause after so many failures in a row (from 1): half of 1, 2, 4, ... 60 s, or up to all of
// it.
Duration SourceRetryDelay(int failures, Random& random);

// Single-threaded.
class Protocol {
 public:
  // Outlives the machine.
  explicit Protocol(Random& random);

  // --- inputs; each may add actions ---
  void Start(MonoTime now);
  // Ends everything; pending calls complete with `why`. Start may follow.
  void Stop(const absl::Status& why, MonoTime now);
  void OnSocketOpen(MonoTime now);
  void OnSocketClosed(const absl::Status& why, MonoTime now);
  void OnText(std::string_view text, MonoTime now);
  void OnToken(TokenResult result, MonoTime now);
  // A token or other credentials were supplied from outside: used at once, also from
  // kWaitingForToken and kFailed.
  void OnCredentialsReplaced(MonoTime now);
  void Fail(const absl::Status& why);
  void Tick(MonoTime now);

  // `done` comes with the final answer (realtime.md 3.5), or at `deadline`: DEADLINE_EXCEEDED if it
  // was sent, otherwise UNAVAILABLE. With kNever it belongs to what LoggedIn begins: it ends with
  // UNAVAILABLE when the socket is lost and state with it, and is asked again by whoever acts upon
  // the next LoggedIn.
  void Call(Request request, MonoTime deadline, CallDone done, MonoTime now);
  // Ahead of what is queued: for what must precede everything else after LoggedIn.
  void CallFirst(Request request, CallDone done, MonoTime now);
  // After LoggedIn has been acted upon: sends what had queued up, at the protocol's pace (3.9).
  void SendQueued(MonoTime now);
  // Wanted until Unsubscribe, across reconnects.
  void Subscribe(std::string path, MonoTime now);
  void Unsubscribe(const std::string& path, MonoTime now);
  void SubscribeUsers(const std::vector<std::string>& ids, MonoTime now);
  void UnsubscribeUser(const std::string& id, MonoTime now);
  // The events of a PUBLISH frame of the present socket have been handed over.
  void Acknowledge(int64_t publish_number, int64_t socket_generation);

  // --- outputs ---
  std::vector<Action> TakeActions();
  MonoTime NextDeadline() const;
  Phase phase() const { return phase_; }
  int64_t socket_generation() const { return generation_; }
  int failed_attempts() const { return backoff_.attempts(); }
  size_t pending_calls() const { return queue_.size() + in_flight_.size(); }

 private:
  enum class Login { kNone, kLoggingIn, kReady, kRenewing };
  struct Pending {
    Request request;
    uint64_t order = 0;  // place among the calls that wait; 0: ahead of all
    MonoTime deadline = kNever;
    MonoTime not_before{};
    CallDone done;
    int server_errors = 0;
    int refusals = 0;  // 401 answers
    bool subscription = false;
    bool refused = false;  // a subscription that TalkJS did not take the first time
    bool sent = false;
  };

  void Enter(Phase phase, absl::Status why = absl::OkStatus());
  template <typename T>
  void Emit(T action) {
    actions_.emplace_back(std::move(action));
  }
  void WantToken(TokenCause cause);
  void OpenSoon(Duration delay);
  void SendLogin(MonoTime now);
  void OnLoginAnswer(int status, const Reply& reply, MonoTime now);
  void OnLoginAccepted(const Reply& reply, MonoTime now);
  void LogInAgain(TokenCause cause, Duration pause, MonoTime now);
  void WaitForToken(const absl::Status& why);
  void LoginVoid();
  bool IsLoggedIn() const { return login_ == Login::kReady || login_ == Login::kRenewing; }
  void OnAnswer(Pending pending, Reply reply, MonoTime now);
  void ScheduleLoginRetry(const absl::Status& why, MonoTime now);
  void Enqueue(Pending pending, MonoTime now);
  void Requeue(Pending pending);
  void TakeBackCalls();
  void BeginDraining();
  void Drain(MonoTime now);
  void Send(Pending pending, MonoTime now);
  int64_t SendFrame(std::string_view method, std::string_view path, std::string_view data,
                    MonoTime now);
  void SendSubscribe(std::string path, std::string data, MonoTime now);
  void SendSubscribeUsers(const std::vector<std::string>& ids, MonoTime now);
  void RestoreSubscriptions(MonoTime now);
  void RetryRefused(MonoTime now);
  void NotUnderstood(const absl::Status& why, MonoTime now);
  void LoseState(MonoTime now);
  void ServerSpoke(MonoTime now);
  void Ping(MonoTime now);
  void DropSocket(const absl::Status& why, MonoTime now);
  void ForgetSocket();
  void ExpireCalls(MonoTime now);
  void FailCalls(const absl::Status& why);

  Random& random_;
  Phase phase_ = Phase::kStopped;
  std::vector<Action> actions_;

  // Socket.
  bool socket_wanted_ = false;  // OpenSocket was emitted
  bool socket_open_ = false;
  int64_t generation_ = 0;
  int64_t next_request_ = 0;
  int64_t last_publish_ = 0;
  MonoTime server_silent_at_ = kNever;  // send a ping
  MonoTime server_dead_at_ = kNever;    // give the socket up
  MonoTime client_silent_at_ = kNever;
  bool restart_announced_ = false;
  ReconnectBackoff backoff_;
  MonoTime stable_at_ = kNever;  // logged in so long that the back-off starts anew
  MonoTime logged_in_at_{};

  // Login.
  Login login_ = Login::kNone;
  int64_t login_request_ = -1;
  std::optional<Secret> token_;
  bool token_asked_ = false;
  TokenCause asked_cause_ = TokenCause::kFirst;
  bool token_fresh_ = false;  // not yet sent
  int refusals_ = 0;          // 401 answers to login in a row
  int logins_void_ = 0;       // ended by TalkJS since one lasted
  int token_failures_ = 0;
  MonoTime retry_token_at_ = kNever;
  TokenCause retry_cause_ = TokenCause::kFirst;
  MonoTime retry_login_at_ = kNever;
  MonoTime refresh_at_ = kNever;

  // Frames that were not understood.
  MonoTime lose_state_at_ = kNever;
  MonoTime may_lose_state_at_{};

  // Calls.
  std::list<Pending> queue_;  // by order
  uint64_t last_order_ = 0;
  std::map<int64_t, Pending> in_flight_;
  CallThrottle throttle_;
  bool draining_ = false;  // the queue built up before this login is being sent
  int burst_left_ = 0;
  MonoTime next_drain_at_ = kNever;

  // Subscriptions wanted.
  std::set<std::string> wanted_;
  std::set<std::string> wanted_users_;
  // Those that TalkJS has refused for good: tried again now and then, for what is wanted and not
  // followed would be missed in silence.
  struct Refused {
    Request request;
    MonoTime again_at;
  };
  std::vector<Refused> refused_;
};

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_PROTOCOL_H_
