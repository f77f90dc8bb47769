#include "tests/unit/simulation/sim_session.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "daemon/base/error.h"

namespace talkjsd::simulation {

class SimSession::AckGuard {
 public:
  AckGuard(const std::shared_ptr<SimSession*>& session, int64_t publish_number, int64_t generation)
      : session_(session), publish_number_(publish_number), generation_(generation) {}
  ~AckGuard() {
    if (const auto session = session_.lock()) {
      (*session)->protocol_.Acknowledge(publish_number_, generation_);
      (*session)->Run();
    }
  }

 private:
  std::weak_ptr<SimSession*> session_;
  int64_t publish_number_;
  int64_t generation_;
};

SimSession::SimSession(Options options, Environment environment, Observed* observed)
    : options_(std::move(options)),
      env_(std::move(environment)),
      observed_(observed),
      credentials_(options_.credentials),
      baseline_at_(options_.baseline_at),
      tokens_(MakeTokens()),
      protocol_(env_.random),
      turn_(env_.pacer),
      protocol_timer_(env_.schedule,
                      [this] {
                        protocol_.Tick(env_.clock.Now());
                        Run();
                      }),
      open_timer_(env_.schedule, [this] { OpenInTurn(); }),
      inbox_timer_(env_.schedule, [this] { inbox_.Tick(); }),
      inbox_({options_.session_id, options_.user, 30}, this, env_.clock, env_.random),
      self_(std::make_shared<SimSession*>(this)) {
  if (options_.restored.has_value()) inbox_.Restore(*options_.restored);
}

// As the daemon's end by SIGKILL: nobody is told anything.
SimSession::~SimSession() {
  self_.reset();
  if (socket_ != nullptr) socket_->Abandon();
}

std::unique_ptr<upstream::TokenSource> SimSession::MakeTokens() const {
  if (credentials_.kind == session::CredentialKind::kToken) {
    return upstream::MakeStaticTokenSource(credentials_.secret, env_.clock);
  }
  return upstream::MakeSigningKeyTokenSource(kAppId, options_.user, credentials_.secret,
                                             credentials_.token_lifetime, env_.clock);
}

void SimSession::Start() {
  protocol_.Start(env_.clock.Now());
  Run();
  inbox_.Start();
}

void SimSession::ReplaceCredentials(session::Credentials credentials) {
  credentials_ = std::move(credentials);
  tokens_ = MakeTokens();
  lost_at_.reset();
  protocol_.OnCredentialsReplaced(env_.clock.Now());
  Run();
}

void SimSession::CallUpstream(upstream::Request request, Duration timeout,
                              upstream::CallDone done) {
  const MonoTime now = env_.clock.Now();
  protocol_.Call(std::move(request), now + timeout, std::move(done), now);
  Run();
}

session::SessionStore::Progress SimSession::ProgressOf(const session::Coverage& coverage) const {
  session::SessionStore::Progress progress;
  progress.session_id = options_.session_id;
  progress.baseline_at = *baseline_at_;
  progress.checkpoint.coverage = coverage;
  progress.checkpoint.taken_at = env_.clock.WallMillis();
  return progress;
}

std::optional<session::SessionStore::Progress> SimSession::TakeProgress() {
  if (!baseline_at_.has_value()) return std::nullopt;
  const std::optional<session::Coverage> coverage = inbox_.TakeCoverage();
  if (!coverage.has_value()) return std::nullopt;
  return ProgressOf(*coverage);
}

// --- the socket ---

void SimSession::OnSocketOpen() {
  lost_at_.reset();
  protocol_.OnSocketOpen(env_.clock.Now());
  Run();
}

void SimSession::OnSocketText(std::string_view text) {
  protocol_.OnText(text, env_.clock.Now());
  Run();
}

void SimSession::OnSocketClosed(const absl::Status& why) {
  socket_ = nullptr;
  lost_at_ = env_.clock.Now();
  protocol_.OnSocketClosed(why, env_.clock.Now());
  Run();
}

void SimSession::Run() {
  if (running_) return;
  running_ = true;
  for (std::vector<upstream::Action> actions = protocol_.TakeActions(); !actions.empty();
       actions = protocol_.TakeActions()) {
    for (upstream::Action& action : actions) {
      std::visit([this](auto& one) { Do(std::move(one)); }, action);
    }
  }
  running_ = false;
  protocol_timer_.Set(protocol_.NextDeadline());
}

void SimSession::Do(upstream::OpenSocket&& action) {
  const bool is_paced =
      connected_before_ || options_.first_connection_is_paced || action.delay > Duration::zero();
  if (!is_paced) {
    OpenSocketNow();
    return;
  }
  turn_.Want(env_.clock.Now() + action.delay);
  OpenInTurn();
}

void SimSession::OpenInTurn() {
  if (turn_.HasCome(env_.clock.Now())) {
    OpenSocketNow();
  } else {
    open_timer_.Set(turn_.when());
  }
}

void SimSession::OpenSocketNow() {
  connected_before_ = true;
  const MonoTime now = env_.clock.Now();
  observed_->opens.push_back(now);
  if (lost_at_.has_value()) {
    observed_->waits.push_back({now - *lost_at_, protocol_.failed_attempts() == 1});
  }
  socket_ = env_.upstream.Connect(options_.user, this);
}

void SimSession::Do(upstream::CloseSocket&&) {
  open_timer_.Set(kNever);
  if (socket_ == nullptr) return;
  lost_at_ = env_.clock.Now();
  socket_->Abandon();
  socket_ = nullptr;
}

void SimSession::Do(upstream::AbortSocket&&) { Do(upstream::CloseSocket{}); }

void SimSession::Do(upstream::SendText&& action) {
  if (socket_ == nullptr) return;
  NoteSent(action.text);
  socket_->Send(std::move(action.text));
}

// A request is [number,"METHOD","/path",...].
void SimSession::NoteSent(std::string_view text) {
  text.remove_prefix(std::min(text.size(), text.find(',') + 1));
  for (const char* other : {"\"ACK\"", "\"SUBSCRIBE\"", "\"UNSUBSCRIBE\"", "\"GET\",\"/ping\"",
                            "\"POST\",\"/session/renew\""}) {
    if (text.starts_with(other)) return;
  }
  observed_->logins.back().calls.push_back(env_.clock.Now());
}

void SimSession::Do(upstream::NeedToken&& action) {
  tokens_->Get(action, [this](upstream::TokenResult result) {
    protocol_.OnToken(std::move(result), env_.clock.Now());
    Run();
  });
}

void SimSession::Do(upstream::PhaseChanged&& action) {
  EXPECT_NE(action.phase, upstream::Phase::kFailed) << options_.user << ": " << action.why;
  if (action.phase == upstream::Phase::kWaitingForToken) ++observed_->times_without_token;
  if (action.phase != upstream::Phase::kReady) inbox_.OnDisconnected();
}

void SimSession::Do(upstream::LoggedIn&& action) {
  EXPECT_FALSE(action.state_kept);
  observed_->logins.push_back({.at = env_.clock.Now(), .calls = {}});
  inbox_.OnLoggedIn(action.state_kept);
  protocol_.SendQueued(env_.clock.Now());
}

void SimSession::Do(upstream::FrameReceived&& action) {
  const upstream::AckTicket ticket =
      std::make_shared<AckGuard>(self_, action.publish_number, action.socket_generation);
  if (!action.events.empty()) inbox_.OnEvents(std::move(action.events), ticket);
}

void SimSession::Do(upstream::Completed&& action) { action.done(std::move(action.result)); }

void SimSession::Do(upstream::ProtocolError&& action) { ADD_FAILURE() << action.what; }

void SimSession::Do(upstream::StateLost&&) { inbox_.OnLoggedIn(/*state_kept=*/false); }

void SimSession::Do(upstream::SubscribedLate&& action) { inbox_.OnSubscribedLate(action.path); }

// --- the inbox ---

void SimSession::Call(upstream::Request request, upstream::CallDone done) {
  protocol_.Call(std::move(request), kNever, std::move(done), env_.clock.Now());
  Run();
}

void SimSession::Subscribe(std::string path) {
  protocol_.Subscribe(std::move(path), env_.clock.Now());
  Run();
}

void SimSession::Unsubscribe(const std::string& path) {
  protocol_.Unsubscribe(path, env_.clock.Now());
  Run();
}

void SimSession::SubscribeUsers(const std::vector<std::string>& ids) {
  protocol_.SubscribeUsers(ids, env_.clock.Now());
  Run();
}

void SimSession::UnsubscribeUser(const std::string& id) {
  protocol_.UnsubscribeUser(id, env_.clock.Now());
  Run();
}

void SimSession::OnSynced() {
  observed_->synced_at = env_.clock.Now();
  if (baseline_at_.has_value()) return;
  baseline_at_ = env_.clock.WallMillis();
  env_.store(ProgressOf(inbox_.coverage()));
}

}  // namespace talkjsd::simulation
