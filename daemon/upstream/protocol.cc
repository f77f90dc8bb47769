#include "daemon/upstream/protocol.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace json = boost::json;
namespace v1 = talkjs::sidecar::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

// realtime.md 3.7. The server's silence is spread by up to a second, so that sessions opened
// together do not ping together for ever.
constexpr Duration kClientSilence = seconds(25);
constexpr Duration kServerSilence = seconds(10);
constexpr Duration kServerSilenceSpread = seconds(1);
constexpr Duration kServerTimeout = seconds(5);

// realtime.md 3.3.
constexpr Duration kMaxRefreshDelay = milliseconds(1'728'000'000);

// A token that TalkJS gives less than this is short-lived (3.2); such ones are renewed at half of
// it, at most this often.
constexpr int64_t kShortLifetimeSeconds = 120;
constexpr Duration kMinRenewalGap = seconds(5);

// A connection that has been logged in for so long was no failure: the next loss starts with the
// first delay again.
constexpr Duration kStableAfter = seconds(30);

// Logins that TalkJS ends sooner than that: after so many, each gets a least distance from the one
// before, up to this one.
constexpr int kFreeLogins = 3;
constexpr Duration kMaxLoginGap = seconds(5);

// A TalkJS that says again and again what is not understood has everything read again this often.
constexpr Duration kLoseStatePause = seconds(30);

Duration RefreshDelay(int64_t lifetime_seconds) {
  // Capped before it becomes nanoseconds, which 300 years overflow.
  constexpr int64_t kMaxSeconds = kMaxRefreshDelay / seconds(1);
  if (lifetime_seconds > 600) return seconds(std::min(lifetime_seconds - 300, kMaxSeconds));
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(lifetime_seconds / 2.0));
}

}  // namespace

Duration SourceRetryDelay(int failures, Random& random) {
  Duration ceiling = seconds(1);
  for (int i = 1; i < failures && ceiling < seconds(60); ++i) ceiling *= 2;
  ceiling = std::min<Duration>(ceiling, seconds(60));
  return random.Between(ceiling / 2, ceiling);
}

Protocol::Protocol(Random& random) : random_(random) {}

std::vector<Action> Protocol::TakeActions() { return std::exchange(actions_, {}); }

MonoTime Protocol::NextDeadline() const {
  MonoTime next =
      std::min({server_silent_at_, server_dead_at_, client_silent_at_, stable_at_, retry_token_at_,
                retry_login_at_, refresh_at_, next_drain_at_, lose_state_at_});
  for (const Pending& pending : queue_) next = std::min(next, pending.deadline);
  if (!IsLoggedIn()) return next;
  for (const Refused& refused : refused_) next = std::min(next, refused.again_at);
  for (const auto& [number, pending] : in_flight_) next = std::min(next, pending.deadline);
  return next;
}

void Protocol::Enter(Phase phase, absl::Status why) {
  phase_ = phase;
  Emit(PhaseChanged{phase, std::move(why)});
}

// --- life ---

void Protocol::Start(MonoTime now) {
  if (phase_ != Phase::kStopped) return;
  Enter(Phase::kConnecting);
  if (token_.has_value()) {
    OpenSoon(Duration::zero());
  } else {
    WantToken(TokenCause::kFirst);
  }
  (void)now;
}

void Protocol::Stop(const absl::Status& why, MonoTime now) {
  (void)now;
  if (socket_wanted_) Emit(CloseSocket{});
  ForgetSocket();
  retry_token_at_ = kNever;
  token_asked_ = false;
  if (phase_ != Phase::kStopped) Enter(Phase::kStopped, why);
  FailCalls(why);
}

void Protocol::Fail(const absl::Status& why) {
  if (phase_ == Phase::kFailed || phase_ == Phase::kStopped) return;
  if (socket_wanted_) Emit(CloseSocket{});
  ForgetSocket();
  retry_token_at_ = kNever;
  Enter(Phase::kFailed, why);
  FailCalls(why);
}

void Protocol::ForgetSocket() {
  ++generation_;
  socket_wanted_ = false;
  socket_open_ = false;
  next_request_ = 0;
  last_publish_ = 0;
  login_ = Login::kNone;
  login_request_ = -1;
  server_silent_at_ = server_dead_at_ = client_silent_at_ = kNever;
  refresh_at_ = retry_login_at_ = stable_at_ = next_drain_at_ = lose_state_at_ = kNever;
  draining_ = false;
}

// --- tokens ---

void Protocol::WantToken(TokenCause cause) {
  if (token_asked_) return;
  token_asked_ = true;
  asked_cause_ = cause;
  retry_token_at_ = kNever;
  Emit(NeedToken{cause, refusals_});
}

void Protocol::OnToken(TokenResult result, MonoTime now) {
  token_asked_ = false;
  if (phase_ == Phase::kStopped || phase_ == Phase::kFailed) return;
  const bool lost = phase_ == Phase::kWaiting;
  switch (result.kind) {
    case TokenResult::Kind::kToken:
      token_failures_ = 0;
      retry_token_at_ = kNever;
      token_ = std::move(result.token);
      token_fresh_ = true;
      if (!socket_wanted_) {
        if (phase_ != Phase::kConnecting) Enter(Phase::kConnecting);
        OpenSoon(lost ? backoff_.Next(random_) : Duration::zero());
      } else if (socket_open_ && login_request_ < 0) {
        // With a login under way, its answer decides.
        SendLogin(now);
      }
      return;
    case TokenResult::Kind::kRetry:
    case TokenResult::Kind::kTrouble:
      ++token_failures_;
      retry_cause_ = token_.has_value() ? TokenCause::kRenewal
                     : refusals_ > 0    ? TokenCause::kRefused
                                        : TokenCause::kFirst;
      if (result.kind == TokenResult::Kind::kTrouble && !token_.has_value()) {
        WaitForToken(result.why);
        retry_token_at_ = now + SourceRetryDelay(token_failures_, random_);
        return;
      }
      retry_token_at_ = now + SourceRetryDelay(token_failures_, random_);
      // A renewal that fails is no trouble yet for a session whose present token works. Without one
      // the session is as far from TalkJS as with a socket that does not open: calls wait, and no
      // client can help.
      Enter(token_.has_value() || lost ? phase_ : Phase::kConnecting, result.why);
      return;
    case TokenResult::Kind::kWait:
      if (token_.has_value())
        return;  // a renewal that cannot be had: the present token serves until it expires
      if (asked_cause_ == TokenCause::kRenewal) {
        // TalkJS ended the login meanwhile: what did not renew it may begin another one.
        WantToken(TokenCause::kExpired);
        return;
      }
      WaitForToken(result.why);
      return;
    case TokenResult::Kind::kFatal:
      Fail(result.why);
      return;
  }
}

// Until there is a token a socket is of no use.
void Protocol::WaitForToken(const absl::Status& why) {
  if (socket_wanted_) Emit(CloseSocket{});
  ForgetSocket();
  Enter(Phase::kWaitingForToken, why);
  TakeBackCalls();
}

void Protocol::OnCredentialsReplaced(MonoTime now) {
  if (phase_ == Phase::kStopped) return;
  refusals_ = 0;
  token_failures_ = 0;
  token_asked_ = false;
  if (phase_ == Phase::kFailed || phase_ == Phase::kWaitingForToken) {
    token_.reset();
    token_fresh_ = false;
    if (!socket_wanted_) Enter(Phase::kConnecting);
    WantToken(TokenCause::kFirst);
    return;
  }
  // A live session goes on with the old token until the new one has been accepted.
  (void)now;
  WantToken(token_.has_value() ? TokenCause::kRenewal : TokenCause::kFirst);
}

// --- socket ---

void Protocol::OpenSoon(Duration delay) {
  socket_wanted_ = true;
  Emit(OpenSocket{delay});
}

void Protocol::OnSocketOpen(MonoTime now) {
  if (!socket_wanted_) return;
  socket_open_ = true;
  ServerSpoke(now);
  client_silent_at_ = now + kClientSilence;
  login_ = Login::kLoggingIn;
  if (phase_ != Phase::kConnecting) Enter(Phase::kConnecting);
  if (token_.has_value()) {
    SendLogin(now);
  } else {
    WantToken(TokenCause::kFirst);
  }
}

void Protocol::OnSocketClosed(const absl::Status& why, MonoTime now) {
  if (!socket_wanted_) return;
  DropSocket(why.ok() ? UpstreamUnavailable("TalkJS closed the connection; reconnecting") : why,
             now);
}

void Protocol::DropSocket(const absl::Status& why, MonoTime now) {
  (void)now;
  ForgetSocket();
  Enter(Phase::kWaiting, why);
  TakeBackCalls();
  if (token_.has_value()) {
    OpenSoon(backoff_.Next(random_));
  } else {
    WantToken(TokenCause::kFirst);
  }
}

void Protocol::ServerSpoke(MonoTime now) {
  server_dead_at_ = kNever;
  server_silent_at_ =
      now + kServerSilence - random_.Between(Duration::zero(), kServerSilenceSpread);
}

void Protocol::Ping(MonoTime now) { SendFrame("GET", "/ping", "{}", now); }

int64_t Protocol::SendFrame(std::string_view method, std::string_view path, std::string_view data,
                            MonoTime now) {
  const int64_t number = next_request_++;
  client_silent_at_ = now + kClientSilence;
  Emit(SendText{wire::EncodeRequest(number, method, path, data)});
  return number;
}

void Protocol::Tick(MonoTime now) {
  if (retry_token_at_ <= now) {
    retry_token_at_ = kNever;
    WantToken(retry_cause_);
  }
  ExpireCalls(now);
  if (!socket_open_) return;
  if (server_dead_at_ <= now) {
    Emit(AbortSocket{});
    DropSocket(UpstreamUnavailable(
                   "TalkJS stopped answering (no reply to a ping within 5 s); reconnecting"),
               now);
    return;
  }
  if (server_silent_at_ <= now) {
    server_silent_at_ = kNever;
    server_dead_at_ = now + kServerTimeout;
    Ping(now);
  }
  if (client_silent_at_ <= now) Ping(now);
  if (stable_at_ <= now) {
    stable_at_ = kNever;
    backoff_.Reset();
    logins_void_ = 0;
  }
  if (retry_login_at_ <= now) {
    retry_login_at_ = kNever;
    if (token_.has_value() && login_request_ < 0) SendLogin(now);
  }
  if (refresh_at_ <= now) {
    refresh_at_ = kNever;
    WantToken(TokenCause::kRenewal);
  }
  if (lose_state_at_ <= now) LoseState(now);
  if (next_drain_at_ <= now) Drain(now);
  RetryRefused(now);
}

// --- login ---

void Protocol::SendLogin(MonoTime now) {
  token_fresh_ = false;
  retry_login_at_ = kNever;
  if (login_ == Login::kReady) login_ = Login::kRenewing;
  json::object data;
  data["token"] = json::string_view(token_->Expose().data(), token_->Expose().size());
  login_request_ = SendFrame("POST", "/session/renew", json::serialize(data), now);
}

void Protocol::OnLoginAnswer(int status, const Reply& reply, MonoTime now) {
  if (status == 200) {
    OnLoginAccepted(reply, now);
    return;
  }
  const absl::Status why = ParseDone(reply, "logging in");
  if (status == 401) {
    ++refusals_;
    LoginVoid();
    if (token_fresh_) {
      SendLogin(now);  // a newer one came while the refused one was under way
    } else if (refusals_ == 1) {
      WantToken(TokenCause::kRefused);
    } else {
      // The source hands out tokens that TalkJS refuses: no loop as fast as they come.
      WaitForToken(MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_TOKEN_REFUSED,
                             "TalkJS refuses the tokens that it is given: check that they are "
                             "signed with the key of this app; another one is asked for"));
      retry_cause_ = TokenCause::kRefused;
      retry_token_at_ = now + SourceRetryDelay(refusals_, random_);
    }
    return;
  }
  if (status == 400 || status == 402) {
    Fail(MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_AUTHENTICATION_REFUSED,
                   "TalkJS refused the login: " + std::string(MessageOf(why)) +
                       "; replace the session's credentials"));
    return;
  }
  ScheduleLoginRetry(why, now);
}

void Protocol::ScheduleLoginRetry(const absl::Status& why, MonoTime now) {
  if (login_ == Login::kRenewing) {
    login_ = Login::kReady;  // the present login holds until TalkJS says otherwise
    retry_login_at_ = now + random_.Between(seconds(5), seconds(10));
    return;
  }
  // The socket is of no use and the server in trouble: as a lost connection, with its growing
  // delays.
  Emit(CloseSocket{});
  DropSocket(why, now);
}

void Protocol::OnLoginAccepted(const Reply& reply, MonoTime now) {
  refusals_ = 0;
  std::optional<int64_t> lifetime;
  if (reply.data != nullptr && reply.data->is_object()) {
    const json::value* value = reply.data->as_object().if_contains("expiresInSeconds");
    if (value != nullptr && value->is_number()) {
      lifetime = static_cast<int64_t>(std::clamp(value->to_number<double>(), 0.0, 1e12));
    } else if (value == nullptr || !value->is_null()) {
      Emit(ProtocolError{"login answered without expiresInSeconds; taken as never"});
    }
  }
  refresh_at_ = kNever;
  TokenAccepted accepted;
  if (lifetime.has_value() && *lifetime < kShortLifetimeSeconds) accepted.short_seconds = lifetime;
  Emit(accepted);
  if (lifetime.has_value()) {
    refresh_at_ = now + std::max<Duration>(RefreshDelay(*lifetime), kMinRenewalGap);
  }
  const bool renewal = login_ == Login::kRenewing;
  login_ = Login::kReady;
  // A newer token that arrived meanwhile is used at once.
  if (token_fresh_) SendLogin(now);
  if (renewal) {
    Enter(Phase::kReady);  // ends the trouble that the renewal may have had
    return;
  }

  stable_at_ = now + kStableAfter;
  logged_in_at_ = now;
  const bool state_kept = std::exchange(restart_announced_, false) && refused_.empty();
  Enter(Phase::kReady);
  BeginDraining();
  RestoreSubscriptions(now);
  Emit(LoggedIn{state_kept});
}

// session.expired, or a 401 for an ordinary call (3.6). `pause`: what the caller wants waited.
void Protocol::LogInAgain(TokenCause cause, Duration pause, MonoTime now) {
  LoginVoid();
  if (token_fresh_) {
    SendLogin(now);
    return;
  }
  MonoTime at = now + pause;
  if (++logins_void_ > kFreeLogins) {
    const Duration gap = SourceRetryDelay(logins_void_ - kFreeLogins, random_);
    at = std::max(at, logged_in_at_ + std::min(gap, kMaxLoginGap));
  }
  if (at <= now) {
    WantToken(cause);
  } else {
    retry_cause_ = cause;
    retry_token_at_ = at;
  }
}

// What was known of this login is void, the socket stays; so does a token that has not been tried
// yet.
void Protocol::LoginVoid() {
  if (!token_fresh_) token_.reset();
  if (!IsLoggedIn()) return;
  login_ = Login::kLoggingIn;
  login_request_ = -1;
  refresh_at_ = retry_login_at_ = stable_at_ = next_drain_at_ = lose_state_at_ = kNever;
  draining_ = false;
  restart_announced_ = false;
  // Subscription requests without an answer are void too: all are sent again after the login.
  std::erase_if(in_flight_, [](const auto& entry) { return entry.second.subscription; });
  queue_.remove_if([](const Pending& pending) { return pending.subscription; });
  Enter(Phase::kConnecting,
        MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_TOKEN_EXPIRED,
                  "TalkJS ended the login; logging in again"));
}

// --- frames ---

void Protocol::OnText(std::string_view text, MonoTime now) {
  if (!socket_open_) return;
  unsigned char arena[8192];
  json::monotonic_resource memory(arena, sizeof(arena));
  auto frame = wire::DecodeServerFrame(text, json::storage_ptr(&memory));
  if (!frame.ok()) {
    // Does not count as a sign of life (2.3).
    NotUnderstood(frame.status(), now);
    return;
  }
  ServerSpoke(now);
  if (auto* response = std::get_if<wire::ResponseFrame>(&*frame)) {
    const auto it = in_flight_.find(response->number);
    const bool is_login = response->number == login_request_;
    if (!is_login && it == in_flight_.end())
      return;  // pings, calls given up, and numbers that were never ours
    Reply reply{response->status,
                std::make_shared<json::value>(response->data, json::storage_ptr())};
    if (is_login) {
      login_request_ = -1;
      OnLoginAnswer(response->status, reply, now);
      return;
    }
    Pending pending = std::move(it->second);
    in_flight_.erase(it);
    OnAnswer(std::move(pending), std::move(reply), now);
    return;
  }
  auto& publish = std::get<wire::PublishFrame>(*frame);
  FrameReceived received;
  received.publish_number = publish.number;
  received.socket_generation = generation_;
  const bool repeated = publish.number <= last_publish_;
  last_publish_ = std::max(last_publish_, publish.number);
  bool expired = false;
  absl::Status not_understood;
  for (const json::object& object : publish.events) {
    auto event = wire::DecodeEvent(object);
    if (!event.ok()) {
      not_understood = event.status();
    } else if (std::holds_alternative<wire::SessionExpired>(*event)) {
      expired = true;
    } else if (std::holds_alternative<wire::UpstreamRestarting>(*event)) {
      restart_announced_ = true;
    } else if (!repeated) {
      received.events.push_back(*std::move(event));
    }
  }
  Emit(std::move(received));
  if (!not_understood.ok()) NotUnderstood(not_understood, now);
  if (expired && IsLoggedIn()) LogInAgain(TokenCause::kExpired, Duration::zero(), now);
}

// It may have been an event. Without a login the next one has everything read anyway.
void Protocol::NotUnderstood(const absl::Status& why, MonoTime now) {
  Emit(ProtocolError{std::string(MessageOf(why))});
  restart_announced_ = false;
  if (!IsLoggedIn() || lose_state_at_ != kNever) return;
  lose_state_at_ = std::max(now, may_lose_state_at_);
  if (lose_state_at_ <= now) LoseState(now);
}

void Protocol::LoseState(MonoTime now) {
  lose_state_at_ = kNever;
  may_lose_state_at_ = now + kLoseStatePause;
  Enter(Phase::kConnecting,
        MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR,
                  "TalkJS sent something that is not understood; reading back what it may have "
                  "told"));
  Enter(Phase::kReady);
  Emit(StateLost{});
}

void Protocol::Acknowledge(int64_t publish_number, int64_t socket_generation) {
  if (socket_generation != generation_ || !socket_open_) return;
  Emit(SendText{wire::EncodeAck(publish_number)});
}

}  // namespace talkjsd::upstream
