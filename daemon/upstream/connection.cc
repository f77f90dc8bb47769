#include "daemon/upstream/connection.h"

#include <prometheus/counter.h>

#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/version.h"
#include "daemon/upstream/app_check.h"
#include "daemon/wire/ids.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr char kClientBuild[] = "talkjsd-" TALKJSD_VERSION;
constexpr Duration kAppCheckTimeout = std::chrono::seconds(15);

// How often a connection that nobody can take events of looks whether that has changed.
constexpr auto kRoomCheck = std::chrono::seconds(5);

}  // namespace

class Connection::SocketLink : public net::WebSocketHandler {
 public:
  SocketLink(Connection* connection, net::WebSocketClient::Options options)
      : connection_(connection),
        socket_(net::WebSocketClient::Connect(connection->env_.loop, std::move(options), this)) {}

  net::WebSocketClient& socket() { return *socket_; }
  // The connection hears no more of it.
  void Cut() { connection_ = nullptr; }
  void NotifyClosed(std::function<void()> closed) { closed_ = std::move(closed); }

  void OnOpen() override {
    if (connection_ != nullptr) connection_->OnSocketOpen();
  }
  void OnText(std::string_view text) override {
    if (connection_ != nullptr) connection_->OnSocketText(text);
  }
  void OnClosed(absl::Status why) override {
    if (connection_ != nullptr) {
      connection_->OnSocketClosed(why);  // destroys this
    } else if (closed_) {
      std::exchange(closed_, nullptr)();
    }
  }

 private:
  Connection* connection_;
  std::function<void()> closed_;
  std::unique_ptr<net::WebSocketClient> socket_;
};

class Connection::AckGuard {
 public:
  AckGuard(const std::shared_ptr<Connection*>& connection, int64_t publish_number,
           int64_t generation)
      : connection_(connection), publish_number_(publish_number), generation_(generation) {}
  ~AckGuard() {
    if (const auto connection = connection_.lock()) {
      (*connection)->protocol_.Acknowledge(publish_number_, generation_);
      (*connection)->Run();
    }
  }

 private:
  std::weak_ptr<Connection*> connection_;
  int64_t publish_number_;
  int64_t generation_;
};

Connection::Connection(Options options, Environment environment,
                       std::unique_ptr<TokenSource> tokens, ConnectionListener* listener)
    : options_(std::move(options)),
      env_(environment),
      client_id_(wire::ClientId(env_.random)),
      tokens_(std::move(tokens)),
      listener_(listener),
      protocol_(env_.random),
      protocol_timer_(env_.loop,
                      [this] {
                        protocol_.Tick(env_.clock.Now());
                        Run();
                      }),
      open_timer_(env_.loop, [this] { OpenInTurn(); }),
      turn_(env_.pacer),
      self_(std::make_shared<Connection*>(this)) {}

Connection::~Connection() { self_.reset(); }

void Connection::Start() {
  CheckApp();
  protocol_.Start(env_.clock.Now());
  Run();
}

void Connection::Stop(const absl::Status& why, std::function<void()> closed) {
  listener_ = nullptr;
  tokens_.reset();
  protocol_.Stop(why, env_.clock.Now());
  Run();
  if (closing_ == nullptr) {
    closed();
  } else {
    closing_->NotifyClosed(std::move(closed));
  }
}

// The SDK does the same at the creation of a session (realtime.md 6.13): 404 is fatal, all else
// counts as valid.
void Connection::CheckApp() {
  upstream::CheckApp(
      env_.http, options_.urls.internal, options_.app_id, kAppCheckTimeout,
      [self = std::weak_ptr<Connection*>(self_),
       loop = env_.loop.remote()](const absl::StatusOr<bool>& exists) {
        if (!exists.ok() || *exists) return;
        loop->Post([self] {
          const auto connection = self.lock();
          if (connection == nullptr) return;
          (*connection)
              ->protocol_.Fail(MakeError(absl::StatusCode::kFailedPrecondition,
                                         v1::ERROR_REASON_APP_NOT_FOUND,
                                         "TalkJS does not know this app id: check it"));
          (*connection)->Run();
        });
      });
}

void Connection::Call(Request request, Duration timeout, CallDone done) {
  if (status_.phase == Phase::kFailed || status_.phase == Phase::kWaitingForToken) {
    // The code of the trouble itself may invite retries that cannot help.
    const ErrorReason reason = ReasonOf(status_.why);
    done(MakeError(absl::StatusCode::kFailedPrecondition, reason, MessageOf(status_.why)));
    return;
  }
  const MonoTime now = env_.clock.Now();
  protocol_.Call(std::move(request), now + timeout, std::move(done), now);
  Run();
}

void Connection::CallFirst(Request request, CallDone done) {
  protocol_.CallFirst(std::move(request), std::move(done), env_.clock.Now());
  Run();
}

void Connection::Enqueue(Request request, CallDone done) {
  protocol_.Call(std::move(request), kNever, std::move(done), env_.clock.Now());
  Run();
}

void Connection::Subscribe(std::string path) {
  protocol_.Subscribe(std::move(path), env_.clock.Now());
  Run();
}

void Connection::Unsubscribe(const std::string& path) {
  protocol_.Unsubscribe(path, env_.clock.Now());
  Run();
}

void Connection::SubscribeUsers(const std::vector<std::string>& ids) {
  protocol_.SubscribeUsers(ids, env_.clock.Now());
  Run();
}

void Connection::UnsubscribeUser(const std::string& id) {
  protocol_.UnsubscribeUser(id, env_.clock.Now());
  Run();
}

void Connection::ReplaceTokens(std::unique_ptr<TokenSource> tokens) {
  // The app may exist by now, or the one whose id was mistyped.
  if (protocol_.phase() == Phase::kFailed) CheckApp();
  tokens_ = std::move(tokens);
  AskForNewToken();
}

void Connection::AskForNewToken() {
  protocol_.OnCredentialsReplaced(env_.clock.Now());
  Run();
}

void Connection::OnSocketOpen() {
  closing_.reset();
  protocol_.OnSocketOpen(env_.clock.Now());
  Run();
}

void Connection::OnSocketText(std::string_view text) {
  env_.metrics.frames_received->Increment();
  if (const absl::Status room = listener_ != nullptr ? listener_->Room() : absl::OkStatus();
      !room.ok()) {
    socket_->socket().Abort();
    OnSocketClosed(room);
    return;
  }
  protocol_.OnText(text, env_.clock.Now());
  Run();
}

void Connection::OnSocketClosed(const absl::Status& why) {
  socket_.reset();
  protocol_.OnSocketClosed(why, env_.clock.Now());
  Run();
}

// Carries out what the machine wants, until it wants nothing more. Reached again from within a
// callback, it leaves the work to the loop that is running.
void Connection::Run() {
  if (running_) return;
  running_ = true;
  for (std::vector<Action> actions = protocol_.TakeActions(); !actions.empty();
       actions = protocol_.TakeActions()) {
    for (Action& action : actions) {
      std::visit([this](auto& one) { Do(std::move(one)); }, action);
    }
  }
  running_ = false;
  protocol_timer_.Set(protocol_.NextDeadline());
}

void Connection::Do(OpenSocket&& action) {
  const bool is_paced =
      connected_before_ || options_.first_is_paced || action.delay > Duration::zero();
  if (!is_paced && HasRoom()) {
    OpenSocketNow();
    return;
  }
  turn_.Want(env_.clock.Now() + action.delay);
  OpenInTurn();
}

void Connection::OpenInTurn() {
  const MonoTime now = env_.clock.Now();
  if (turn_.when() <= now && !HasRoom()) turn_.Want(now + kRoomCheck);
  if (turn_.HasCome(now)) {
    OpenSocketNow();
    return;
  }
  status_.next_attempt_at =
      env_.clock.WallMillis() +
      std::chrono::duration_cast<std::chrono::milliseconds>(turn_.when() - now).count();
  open_timer_.Set(turn_.when());
  StatusChanged();
}

void Connection::OpenSocketNow() {
  env_.metrics.connects->Increment();
  if (connected_before_) env_.metrics.reconnects->Increment();
  connected_before_ = true;
  status_.next_attempt_at.reset();
  net::WebSocketClient::Options options;
  auto url = net::ParseUrl(wire::RealtimeUrl(options_.urls, options_.app_id, options_.user_id,
                                             kClientBuild, client_id_, env_.clock.WallMillis()));
  if (!url.ok()) {
    protocol_.Fail(WithContext(url.status(), "the address of TalkJS"));
    Run();
    return;
  }
  options.url = *std::move(url);
  options.tls = &env_.tls;
  options.proxy = env_.http.proxies().For(options.url.host);
  options.user_agent = kClientBuild;
  socket_ = std::make_unique<SocketLink>(this, std::move(options));
}

void Connection::Do(CloseSocket&&) {
  open_timer_.Set(kNever);
  status_.next_attempt_at.reset();
  if (socket_ == nullptr) return;
  socket_->Cut();
  socket_->socket().Close();
  closing_ = std::move(socket_);
}

void Connection::Do(AbortSocket&&) {
  if (socket_ == nullptr) return;
  socket_->socket().Abort();
  socket_.reset();
}

void Connection::Do(SendText&& action) {
  if (socket_ == nullptr) return;
  env_.metrics.frames_sent->Increment();
  socket_->socket().SendText(std::move(action.text));
}

void Connection::Do(NeedToken&& action) {
  if (tokens_ == nullptr) return;
  if (action.cause == TokenCause::kRefused) env_.metrics.tokens_refused->Increment();
  tokens_->Get(action, [this](TokenResult result) {
    CountFailure(result.kind);
    if (result.kind == TokenResult::Kind::kToken) {
      status_.token_expires_at.reset();
      if (result.expires_at.has_value()) status_.token_expires_at = *result.expires_at * 1000;
    }
    protocol_.OnToken(std::move(result), env_.clock.Now());
    Run();
  });
}

void Connection::CountFailure(TokenResult::Kind kind) {
  using Kind = TokenResult::Kind;
  if (kind == Kind::kRetry || kind == Kind::kTrouble) env_.metrics.tokens_missing->Increment();
  if (kind == Kind::kFatal) env_.metrics.tokens_fatal->Increment();
}

void Connection::Do(PhaseChanged&& action) {
  // What was wrong with the credentials is over when the session goes on; a lost connection is the
  // reason until there is another.
  const bool goes_on = status_.phase == Phase::kWaitingForToken || status_.phase == Phase::kFailed;
  status_.phase = action.phase;
  if (!action.why.ok() || action.phase == Phase::kReady || goes_on) {
    status_.why = std::move(action.why);
  }
  StatusChanged();
}

void Connection::Do(LoggedIn&& action) {
  if (listener_ != nullptr) listener_->OnLoggedIn(action.state_kept);
  protocol_.SendQueued(env_.clock.Now());
}

void Connection::Do(TokenAccepted&& action) {
  env_.metrics.token_refreshes->Increment();
  if (status_.short_token_seconds == action.short_seconds) return;
  status_.short_token_seconds = action.short_seconds;
  StatusChanged();
}

void Connection::Do(FrameReceived&& action) {
  const AckTicket ticket =
      std::make_shared<AckGuard>(self_, action.publish_number, action.socket_generation);
  if (listener_ != nullptr && !action.events.empty()) {
    listener_->OnEvents(std::move(action.events), ticket);
  }
}

void Connection::Do(Completed&& action) { action.done(std::move(action.result)); }

void Connection::Do(ProtocolError&& action) {
  env_.metrics.protocol_errors->Increment();
  const std::string_view session = listener_ != nullptr ? listener_->session_id() : "";
  LogDebug("frame from TalkJS not understood",
           {{"session", session}, {"user", options_.user_id}, {"why", action.what}});
}

void Connection::Do(StateLost&&) {
  if (listener_ != nullptr) listener_->OnLoggedIn(/*state_kept=*/false);
}

void Connection::Do(SubscribedLate&& action) {
  if (listener_ != nullptr) listener_->OnSubscribedLate(action.path);
}

void Connection::StatusChanged() {
  status_.failed_attempts = protocol_.failed_attempts();
  if (listener_ != nullptr) listener_->OnStatusChanged();
}

}  // namespace talkjsd::upstream
