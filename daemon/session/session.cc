#include "daemon/session/session.h"

#include <prometheus/counter.h>

#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/encoder.h"
#include "daemon/upstream/file_token_source.h"
#include "daemon/upstream/http_token_source.h"
#include "daemon/upstream/provider_token_source.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {

namespace v1 = talkjs::sidecar::v1;

Session::Session(Options options, Environment environment, std::function<void(const Info&)> changed)
    : info_(std::move(options.first)),
      spec_(std::move(options.spec)),
      user_to_write_(spec_->user_attributes.has_value()),
      push_at_login_(std::move(options.push_at_login)),
      urls_(std::move(options.urls)),
      env_(environment),
      changed_(std::move(changed)),
      connection_(
          {urls_, info_.app_id, *info_.user_id, options.first_connection_is_paced},
          {env_.loop, env_.http, env_.tls, env_.clock, env_.random, env_.metrics, env_.pacer},
          MakeTokens(), this),
      inbox_({info_.session_id, *info_.user_id, options.message_subscriptions}, this, env_.clock,
             env_.random),
      inbox_timer_(env_.loop, [this] { inbox_.Tick(); }),
      self_(std::make_shared<Session*>(this)) {
  if (options.restored != nullptr) inbox_.Restore(std::move(*options.restored));
}

Session::~Session() = default;

std::unique_ptr<upstream::TokenSource> Session::MakeTokens() {
  const Credentials& credentials = spec_->credentials;
  std::unique_ptr<upstream::TokenSource> tokens;
  switch (credentials.kind) {
    case CredentialKind::kToken:
      return upstream::MakeStaticTokenSource(credentials.secret, env_.clock);
    case CredentialKind::kSignature:
    case CredentialKind::kNone:
      return upstream::MakeBokenTokenSource(urls_.internal, info_.app_id, *info_.user_id,
                                            credentials.secret, env_.loop, env_.http);
    case CredentialKind::kSigningKey:
      tokens = upstream::MakeSigningKeyTokenSource(info_.app_id, *info_.user_id, credentials.secret,
                                                   credentials.token_lifetime, env_.clock);
      break;
    case CredentialKind::kHttpFetcher:
    case CredentialKind::kFileFetcher:
    case CredentialKind::kProviderFetcher:
      tokens = MakeFetcher();
      break;
  }
  if (credentials.first_token.empty()) return tokens;
  return upstream::MakeFirstTokenSource(credentials.first_token, std::move(tokens), env_.clock);
}

std::unique_ptr<upstream::TokenSource> Session::MakeFetcher() {
  const upstream::TokenFetcher& fetcher = spec_->credentials.fetcher;
  const upstream::TokenOwner owner{info_.app_id, *info_.user_id, env_.clock};
  const auto news = [this] { connection_.AskForNewToken(); };
  if (const auto* file = std::get_if<upstream::FileFetcher>(&fetcher)) {
    return upstream::MakeFileTokenSource(*file, owner, env_.token_files, env_.loop, news);
  }
  if (const auto* provider = std::get_if<upstream::ProviderFetcher>(&fetcher)) {
    return upstream::MakeProviderTokenSource(*provider, info_.session_id, owner, env_.token_broker,
                                             env_.loop, news);
  }
  return upstream::MakeHttpTokenSource(std::get<upstream::HttpFetcher>(fetcher), owner, env_.loop,
                                       env_.http);
}

void Session::Start() {
  started_ = true;
  connection_.Start();
  inbox_.Start();
}

void Session::Stop(const absl::Status& why, std::function<void()> closed) {
  started_ = false;
  connection_.Stop(why, std::move(closed));
}

void Session::ReplaceCredentials(std::shared_ptr<const Spec> spec) {
  spec_ = std::move(spec);
  info_.credential_kind = spec_->credentials.kind;
  connection_.ReplaceTokens(MakeTokens());
  Publish();
}

void Session::CallUpstream(upstream::Request request, Duration timeout, upstream::CallDone done) {
  connection_.Call(std::move(request), timeout, std::move(done));
}

void Session::OnLoggedIn(bool state_kept) {
  if (user_to_write_) WriteUser();
  if (push_at_login_ != nullptr) WritePush();
  inbox_.OnLoggedIn(state_kept);
}

void Session::OnSubscribedLate(const std::string& path) { inbox_.OnSubscribedLate(path); }

// `me` was given with attributes: they overwrite TalkJS's, once, before anything is read
// (session-api.md section 2).
void Session::WriteUser() {
  connection_.CallFirst(upstream::SetUser(*info_.user_id, *spec_->user_attributes),
                        [this](absl::StatusOr<upstream::Reply> reply) {
                          if (!reply.ok()) {
                            user_to_write_ = true;  // with the next login
                            return;
                          }
                          user_trouble_ = upstream::ParseDone(*reply, "writing the session's user");
                          if (user_trouble_.ok()) {
                            env_.keeper.DropUserAttributes(info_.session_id);
                          } else {
                            LogWarning(
                                "TalkJS did not take the user's attributes",
                                {{"session", info_.session_id}, {"why", MessageOf(user_trouble_)}});
                          }
                          Publish();
                        });
  user_to_write_ = false;
}

// After the user, whom it needs (session-api.md section 2).
void Session::WritePush() {
  connection_.CallFirst(upstream::Request(*push_at_login_),
                        [this](const absl::StatusOr<upstream::Reply>& reply) {
                          if (!reply.ok()) return;  // again with the next login
                          push_at_login_.reset();
                          const absl::Status done =
                              upstream::ParseDone(*reply, "writing the device's push registration");
                          if (!done.ok()) {
                            push_trouble_ = std::make_unique<std::string>(MessageOf(done));
                            LogWarning("TalkJS did not take the device's push registration",
                                       {{"session", info_.session_id}, {"why", MessageOf(done)}});
                          }
                          Publish();
                        });
}

void Session::OnEvents(std::vector<wire::Event> events, const upstream::AckTicket& ticket) {
  inbox_.OnEvents(std::move(events), ticket);
}

void Session::OnStatusChanged() {
  if (connection_.status().phase != upstream::Phase::kReady) {
    synced_ = false;
    inbox_.OnDisconnected();
  }
  Publish();
}

// What cannot be stored is not taken from TalkJS: it is read back when the journal has room again.
absl::Status Session::Room() const {
  if (!env_.journal.congested()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_JOURNAL_UNAVAILABLE,
                   std::string("the journal cannot be written and too much waits for it: ")
                       .append(MessageOf(env_.journal.health()))
                       .append("; what TalkJS has meanwhile is fetched afterwards"));
}

SessionStore::Progress Session::ProgressOf(const Coverage& coverage) const {
  SessionStore::Progress progress;
  progress.session_id = info_.session_id;
  progress.baseline_at = *info_.baseline_at;
  progress.checkpoint.coverage = coverage;
  progress.checkpoint.taken_at = env_.clock.WallMillis();
  return progress;
}

std::optional<SessionStore::Progress> Session::TakeProgress() {
  if (!info_.baseline_at.has_value()) return std::nullopt;
  const std::optional<Coverage> coverage = inbox_.TakeCoverage();
  if (!coverage.has_value()) return std::nullopt;
  return ProgressOf(*coverage);
}

// What is promised from the first complete login on is not said before it is stored: a crash must
// not take it back.
void Session::OnSynced() {
  info_.last_sync_at = env_.clock.WallMillis();
  if (info_.baseline_at.has_value()) {
    BecomeConnected();
    return;
  }
  info_.baseline_at = info_.last_sync_at;
  env_.keeper.Put({ProgressOf(inbox_.coverage())},
                  [self = std::weak_ptr<Session*>(self_), loop = env_.loop.remote()] {
                    loop->Post([self] {
                      if (const auto session = self.lock(); session != nullptr)
                        (*session)->BecomeConnected();
                    });
                  });
}

void Session::BecomeConnected() {
  if (!inbox_.synced()) return;  // lost meanwhile
  synced_ = true;
  was_connected_ = true;
  Publish();
}

State Session::StateOf(const upstream::Connection::Status& status) const {
  switch (status.phase) {
    case upstream::Phase::kWaitingForToken:
      return State::kWaitingForToken;
    case upstream::Phase::kFailed:
      return State::kFailed;
    case upstream::Phase::kReady:
      if (synced_) return State::kConnected;
      break;
    case upstream::Phase::kStopped:
    case upstream::Phase::kConnecting:
    case upstream::Phase::kWaiting:
      break;
  }
  return was_connected_ ? State::kReconnecting : State::kConnecting;
}

void Session::Publish() {
  const upstream::Connection::Status& status = connection_.status();
  const State state = StateOf(status);
  if (state != info_.state) {
    info_.state = state;
    info_.state_since = env_.clock.WallMillis();
  }
  absl::Status trouble = status.why;
  if (trouble.ok() && state == State::kConnected) {
    trouble = user_trouble_;
    if (trouble.ok() && inbox_.MyUserIsAbsent()) {
      trouble = MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_USER_NOT_FOUND,
                          "TalkJS has no user with this id: create it, or create the session with "
                          "the user's attributes");
    }
  }
  info_.reason = ReasonOf(trouble);
  if (!trouble.ok() && info_.reason == v1::ERROR_REASON_UNSPECIFIED) {
    info_.reason = v1::ERROR_REASON_INTERNAL;
  }
  info_.reason_message = trouble.ok() ? "" : std::string(MessageOf(trouble));
  info_.connect_attempts = state == State::kConnected ? 0 : status.failed_attempts;
  info_.next_attempt_at = status.next_attempt_at;
  info_.token_expires_at = status.token_expires_at;
  info_.warnings.clear();
  if (status.short_token_seconds.has_value()) {
    info_.warnings.push_back("TalkJS gives the token a lifetime of only " +
                             std::to_string(*status.short_token_seconds) +
                             " s: supply tokens that live for 30 minutes or more");
  }
  if (push_trouble_ != nullptr) info_.warnings.push_back(*push_trouble_);
  changed_(info_);
}

void Session::Call(upstream::Request request, upstream::CallDone done) {
  connection_.Enqueue(std::move(request), std::move(done));
}

void Session::Subscribe(std::string path) { connection_.Subscribe(std::move(path)); }

void Session::Unsubscribe(const std::string& path) { connection_.Unsubscribe(path); }

void Session::SubscribeUsers(const std::vector<std::string>& ids) {
  connection_.SubscribeUsers(ids);
}

void Session::UnsubscribeUser(const std::string& id) { connection_.UnsubscribeUser(id); }

void Session::Append(journal::NewEvent event) {
  if (!started_) return;
  std::vector<journal::NewEvent> events;
  events.push_back(std::move(event));
  env_.journal.Append(std::move(events));
}

void Session::PutUnreads(std::string encoded) {
  if (!started_) return;
  env_.unreads.Put(info_.session_id, std::make_shared<const std::string>(std::move(encoded)));
}

void Session::WakeInboxAt(MonoTime when) { inbox_timer_.Set(when); }

void Session::CountRecovered(int messages) { env_.metrics.gaps_filled->Increment(messages); }

void Session::CountSwept(int conversations) {
  env_.metrics.sweeps->Increment();
  env_.metrics.sweep_finds->Increment(conversations);
}

}  // namespace talkjsd::session
