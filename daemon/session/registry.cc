#include "daemon/session/registry.h"

#include <absl/base/thread_annotations.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <map>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/mutex.h"
#include "daemon/net/event_loop.h"
#include "daemon/session/check.h"
#include "daemon/session/encoder.h"
#include "daemon/session/extras.h"
#include "daemon/session/keeper.h"
#include "daemon/session/restore.h"
#include "daemon/session/session.h"
#include "daemon/upstream/pacer.h"
#include "daemon/upstream/token_check.h"
#include "daemon/upstream/token_files.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

// design.md section 5: sessions without `me` end after this; destroyed ones are remembered for that
// (issue: destroy).
constexpr UnixMillis kAwaitingMeMillis = 10 * 60 * 1000;
constexpr UnixMillis kRememberDestroyedMillis = 60 * 60 * 1000;
constexpr Duration kHousekeeping = std::chrono::seconds(10);

// How often what the sessions have followed is stored.
constexpr Duration kProgressInterval = std::chrono::seconds(10);

// At the daemon's end, sockets get this long for their closing handshake.
constexpr Duration kStopPatience = std::chrono::seconds(1);

absl::Status NotFound() {
  return MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_SESSION_NOT_FOUND,
                   "no session has this id; list the sessions, or create one");
}

absl::Status Destroyed() {
  return MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_SESSION_DESTROYED,
                   "the session was destroyed; create a new one");
}

absl::Status Draining() {
  return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_DRAINING,
                   "the daemon is stopping; try again when it is back");
}

}  // namespace

// Held by shared_ptr, so that work posted to shards finds out whether the registry is still there.
class Registry::Impl : public std::enable_shared_from_this<Registry::Impl> {
 public:
  Impl(Options options, Environment environment)
      : options_(std::move(options)),
        env_(environment),
        urls_(wire::UrlsForHost(options_.upstream_host)),
        pacer_(options_.connects_per_second_share),
        keeper_(env_.store, env_.journal, env_.clock),
        token_files_(options_.token_file_interval),
        token_broker_(environment.clock, options_.token_answer_timeout) {
    for (int i = 0; i < options_.shards; ++i) {
      shards_.push_back(std::make_unique<Shard>("shard-" + std::to_string(i)));
    }
  }

  void Start();
  absl::Status Restore();
  absl::StatusOr<Created> Create(CreateRequest request);
  absl::StatusOr<Info> SetMe(const std::string& session_id, const std::string& user_id,
                             std::optional<upstream::UserWrite> attributes);
  absl::StatusOr<Info> SetToken(const std::string& session_id, Secret token);
  absl::Status CheckProvider(const std::string& session_id, const std::string& provider_name) const;
  absl::StatusOr<Info> Get(const std::string& session_id) const;
  std::vector<Info> List() const;
  void Destroy(const std::string& session_id, std::function<void(const absl::Status&)> done);
  void Call(const std::string& session_id, upstream::Request request, Duration timeout,
            CallDone done);
  void CheckApp(const std::string& app_id, Duration timeout, upstream::AppCheckDone done) {
    upstream::CheckApp(env_.http, urls_.internal, app_id, timeout, std::move(done));
  }
  void KeepAvailability(const std::string& session_id, const std::string& user_id,
                        std::optional<std::string> text);
  std::optional<std::string> Availability(const std::string& session_id,
                                          const std::string& user_id) const;
  std::optional<upstream::PushDevice> Device(const std::string& session_id) const;
  std::vector<Info> ChangesSince(uint64_t* version) const;
  uint64_t NotifyOfChange(uint64_t version, std::function<void()> ready);
  void Cancel(uint64_t handle);
  void Stop();

  UnreadsBoard unreads;
  upstream::TokenBroker& token_broker() { return token_broker_; }

 private:
  struct Shard {
    explicit Shard(std::string name) : loop(std::move(name)) {}
    // Declared before the loop's users: sessions are destroyed on the loop before it stops.
    net::EventLoop loop;
    // On the loop's thread only.
    std::map<std::string, std::unique_ptr<Session>> sessions;
    std::unique_ptr<net::Timer> progress;
  };
  struct Entry {
    Info info;
    std::shared_ptr<const Spec> spec;  // null once destroyed
    Shard* shard = nullptr;
    uint64_t order = 0;
    UnixMillis forget_at = 0;  // 0: never
    // Its credentials cannot be read: what it starts from when it gets others.
    bool is_unstarted = false;
    std::shared_ptr<Restored> unstarted;
    std::unique_ptr<Extras> extras;  // null: none
  };
  using Waiters = std::vector<std::function<void()>>;

  std::string KeyOf(const std::string& app_id, const std::string& user_id) const {
    return app_id + '\n' + user_id;
  }
  // Null: there are none.
  const Extras* FindExtras(const std::string& session_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<Created> Repeat(const std::string& session_id, CreateRequest request)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  absl::StatusOr<Info> ReplaceCredentials(const std::string& session_id, Credentials credentials)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  // Writes down a session that has a user; `extras` null: none.
  absl::Status Store(const Info& info, const Spec& spec, const Extras* extras)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(change_mutex_);
  Entry& Enter(Info info, std::shared_ptr<const Spec> spec) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  size_t Alive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Null: there is none, or its hour after the destruction is over.
  const Entry* Find(const std::string& session_id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<const Entry*> FindAlive(const std::string& session_id) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RestoreOne(StoredSession stored, std::shared_ptr<Restored> restored);
  // `is_paced`: its first connection too.
  void StartSession(Shard& shard, const std::string& id, std::shared_ptr<Restored> restored,
                    bool is_paced = false);
  std::vector<SessionStore::Progress> TakeProgress(Shard& shard);
  void OnSessionChanged(const Info& info);
  Waiters Changed(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetState(Entry& entry, State state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Count(State state, int by);
  void Housekeeping();
  bool IsStopped() const {
    MutexLock lock(mutex_);
    return stopped_;
  }
  Environment env() const { return env_; }

  const Options options_;
  const Environment env_;
  const wire::BaseUrls urls_;
  upstream::Pacer pacer_;
  Keeper keeper_;
  upstream::TokenFiles token_files_;
  upstream::TokenBroker token_broker_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::unique_ptr<net::Timer> housekeeping_;  // on the first shard

  // Held while the store and the list are changed together; taken before mutex_.
  Mutex change_mutex_;
  mutable Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> id_of_key_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::string> id_of_version_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, std::function<void()>> waiters_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_order_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_handle_ ABSL_GUARDED_BY(mutex_) = 0;
};

void Registry::Impl::Start() {
  for (const auto& shard : shards_) {
    shard->loop.Start();
    shard->loop.PostAndWait([this, &shard = *shard] {
      shard.progress = std::make_unique<net::Timer>(shard.loop, [this, &shard] {
        if (auto progress = TakeProgress(shard); !progress.empty()) {
          keeper_.Put(std::move(progress), [] {});
        }
        shard.progress->Set(env_.clock.Now() + kProgressInterval);
      });
      if (env_.store != nullptr) shard.progress->Set(env_.clock.Now() + kProgressInterval);
    });
  }
  net::EventLoop& loop = shards_.front()->loop;
  loop.PostAndWait([this, &loop] {
    housekeeping_ = std::make_unique<net::Timer>(loop, [this] { Housekeeping(); });
    housekeeping_->Set(env_.clock.Now() + kHousekeeping);
  });
}

// On the shard.
std::vector<SessionStore::Progress> Registry::Impl::TakeProgress(Shard& shard) {
  std::vector<SessionStore::Progress> all;
  for (const auto& [id, session] : shard.sessions) {
    if (auto progress = session->TakeProgress(); progress.has_value()) {
      all.push_back(*std::move(progress));
    }
  }
  return all;
}

void Registry::Impl::Count(State state, int by) {
  const auto it = env_.metrics.sessions.find(std::string(StateName(state)));
  if (it != env_.metrics.sessions.end()) it->second->Increment(by);
}

void Registry::Impl::SetState(Entry& entry, State state) {
  if (entry.info.state == state) return;
  Count(entry.info.state, -1);
  Count(state, 1);
  entry.info.state = state;
}

// Gives the entry the newest version and takes out everybody who waits for a change; call them
// without the lock.
Registry::Impl::Waiters Registry::Impl::Changed(Entry& entry) {
  id_of_version_.erase(entry.info.version);
  entry.info.version = ++last_version_;
  id_of_version_[entry.info.version] = entry.info.session_id;
  Waiters waiters;
  for (auto& [handle, ready] : std::exchange(waiters_, {})) waiters.push_back(std::move(ready));
  return waiters;
}

size_t Registry::Impl::Alive() const {
  return static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), [](const auto& entry) {
    return entry.second.info.state != State::kDestroyed;
  }));
}

// Enters it in every list; the version is up to Changed.
Registry::Impl::Entry& Registry::Impl::Enter(Info info, std::shared_ptr<const Spec> spec) {
  Entry& entry = entries_[info.session_id];
  entry.order = ++last_order_;
  if (info.state != State::kDestroyed) entry.spec = std::move(spec);
  entry.shard = shards_[last_order_ % shards_.size()].get();
  Count(info.state, 1);
  if (info.user_id.has_value() && info.state != State::kDestroyed) {
    id_of_key_[KeyOf(info.app_id, *info.user_id)] = info.session_id;
  }
  entry.forget_at = info.expires_at.value_or(0);
  entry.info = std::move(info);
  pacer_.SetSessions(Alive());
  return entry;
}

absl::StatusOr<Registry::Created> Registry::Impl::Create(CreateRequest request) {
  const absl::Status checked = CheckCreate(request, env_.clock.WallMillis());
  if (!checked.ok()) return checked;
  const MutexLock changing(change_mutex_);
  std::string known_id;
  Info first;
  {
    MutexLock lock(mutex_);
    if (stopped_) return Draining();
    if (request.user_id.has_value()) {
      const auto known = id_of_key_.find(KeyOf(request.app_id, *request.user_id));
      if (known != id_of_key_.end()) known_id = known->second;
    }
    const size_t alive = Alive();
    if (known_id.empty() && alive >= static_cast<size_t>(options_.max_sessions)) {
      return MakeError(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_LIMIT_EXCEEDED,
                       "the daemon holds " + std::to_string(alive) +
                           " sessions, its limit: destroy some, or raise --max-sessions");
    }
  }
  if (!known_id.empty()) return Repeat(known_id, std::move(request));
  const UnixMillis now = env_.clock.WallMillis();
  first.session_id = "ses_" + env_.random.Text(22);
  first.app_id = request.app_id;
  first.user_id = request.user_id;
  first.state = request.user_id.has_value() ? State::kConnecting : State::kAwaitingMe;
  first.state_since = first.created_at = now;
  first.credential_kind = request.credentials.kind;
  if (!request.user_id.has_value()) first.expires_at = now + kAwaitingMeMillis;
  std::unique_ptr<Extras> extras = MakeExtras(request);
  const auto spec = std::make_shared<const Spec>(std::move(request));
  if (const absl::Status stored = Store(first, *spec, extras.get()); !stored.ok()) return stored;
  Waiters waiters;
  Shard* shard = nullptr;
  {
    MutexLock lock(mutex_);
    Entry& entry = Enter(std::move(first), spec);
    entry.extras = std::move(extras);
    waiters = Changed(entry);
    shard = entry.shard;
    first = entry.info;
  }
  for (const auto& ready : waiters) ready();
  if (spec->user_id.has_value()) StartSession(*shard, first.session_id, nullptr);
  return Created{first, true};
}

absl::Status Registry::Impl::Store(const Info& info, const Spec& spec, const Extras* extras) {
  if (!info.user_id.has_value() || env_.store == nullptr) return absl::OkStatus();
  StoredSession stored;
  stored.session_id = info.session_id;
  stored.app_id = info.app_id;
  stored.user_id = *info.user_id;
  stored.created_at = info.created_at;
  stored.credentials = spec.credentials;
  stored.user_attributes = spec.user_attributes;
  if (extras != nullptr) stored.extras = *extras;
  return env_.store->Add(stored);
}

absl::Status Registry::Impl::Restore() {
  if (env_.store == nullptr) return absl::OkStatus();
  auto stored = env_.store->Load();
  if (!stored.ok()) return stored.status();
  auto restored = ReadBack(env_.journal, *stored);
  if (!restored.ok()) return restored.status();
  for (StoredSession& session : *stored) {
    const auto known = restored->find(session.session_id);
    RestoreOne(std::move(session), known == restored->end()
                                       ? nullptr
                                       : std::make_shared<Restored>(std::move(known->second)));
  }
  if (!stored->empty()) LogInfo("sessions restored", {{"sessions", stored->size()}});
  return absl::OkStatus();
}

void Registry::Impl::RestoreOne(StoredSession stored, std::shared_ptr<Restored> restored) {
  const UnixMillis now = env_.clock.WallMillis();
  Info info;
  info.session_id = stored.session_id;
  info.app_id = stored.app_id;
  info.user_id = stored.user_id;
  info.created_at = stored.created_at;
  info.baseline_at = stored.baseline_at;
  if (stored.baseline_at.has_value()) info.last_sync_at = stored.checkpoint.taken_at;
  info.state_since = now;
  info.credential_kind = stored.credentials.kind;
  if (stored.destroyed_at.has_value()) {
    info.state = State::kDestroyed;
    info.state_since = *stored.destroyed_at;
    info.expires_at = *stored.destroyed_at + kRememberDestroyedMillis;
  } else if (!stored.trouble.ok()) {
    LogError("the credentials of a session cannot be read",
             {{"session", info.session_id}, {"why", MessageOf(stored.trouble)}});
    info.state = State::kFailed;
    info.reason = ReasonOf(stored.trouble);
    info.reason_message = MessageOf(stored.trouble);
  }
  Spec spec;
  spec.app_id = info.app_id;
  spec.user_id = info.user_id;
  spec.user_attributes = std::move(stored.user_attributes);
  spec.credentials = std::move(stored.credentials);
  Shard* shard = nullptr;
  {
    MutexLock lock(mutex_);
    Entry& entry = Enter(std::move(info), std::make_shared<const Spec>(std::move(spec)));
    if (stored.extras != Extras()) entry.extras = std::make_unique<Extras>(stored.extras);
    if (!stored.trouble.ok()) {
      entry.is_unstarted = true;
      entry.unstarted = restored;
    }
    (void)Changed(entry);
    shard = entry.shard;
    info = entry.info;
  }
  if (info.state == State::kConnecting) {
    StartSession(*shard, info.session_id, std::move(restored), /*is_paced=*/true);
  }
}

// design.md section 5: an existing pair is returned; credentials of the same kind replace the
// stored ones, those of another kind only if asked to.
absl::StatusOr<Registry::Created> Registry::Impl::Repeat(const std::string& session_id,
                                                         CreateRequest request) {
  Credentials& wanted = request.credentials;
  {
    MutexLock lock(mutex_);
    const Entry& entry = entries_.at(session_id);
    const Info& info = entry.info;
    const Credentials& present = entry.spec->credentials;
    if (wanted.kind != info.credential_kind && !request.replace_credentials) {
      return WithMetadata(
          MakeError(absl::StatusCode::kAlreadyExists, v1::ERROR_REASON_SESSION_ALREADY_EXISTS,
                    "session " + info.session_id +
                        " has this app and user with another kind of credentials: use it, or "
                        "set replace_credentials"),
          "session_id", info.session_id);
    }
    // A token that SetToken brought is no reason to begin anew.
    if (wanted.kind == present.kind && wanted.first_token.empty()) {
      wanted.first_token = present.first_token;
    }
    const bool replace =
        wanted != present || info.state == State::kFailed || info.state == State::kWaitingForToken;
    if (!replace) return Created{info, false};
  }
  absl::StatusOr<Info> replaced = ReplaceCredentials(session_id, std::move(wanted));
  if (!replaced.ok()) return replaced.status();
  return Created{*std::move(replaced), false};
}

// Stored first, then used.
absl::StatusOr<Info> Registry::Impl::ReplaceCredentials(const std::string& session_id,
                                                        Credentials credentials) {
  bool is_stored = false;
  {
    MutexLock lock(mutex_);
    is_stored = env_.store != nullptr && entries_.at(session_id).info.user_id.has_value();
  }
  if (is_stored) {
    const absl::Status stored = env_.store->ReplaceCredentials(session_id, credentials);
    if (!stored.ok()) return stored;
  }
  Info info;
  Shard* shard = nullptr;
  std::shared_ptr<Restored> unstarted;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_.at(session_id);
    Spec spec = *entry.spec;
    spec.credentials = std::move(credentials);
    entry.info.credential_kind = spec.credentials.kind;
    entry.spec = std::make_shared<const Spec>(std::move(spec));
    shard = entry.shard;
    if (!std::exchange(entry.is_unstarted, false)) {
      shard->loop.Post([shard, session_id, replacing = entry.spec] {
        // A session that has not begun yet begins with what is in the entry then.
        const auto it = shard->sessions.find(session_id);
        if (it != shard->sessions.end()) it->second->ReplaceCredentials(replacing);
      });
      return entry.info;
    }
    unstarted = std::exchange(entry.unstarted, nullptr);
    SetState(entry, State::kConnecting);
    entry.info.reason = v1::ERROR_REASON_UNSPECIFIED;
    entry.info.reason_message.clear();
    info = entry.info;
  }
  StartSession(*shard, session_id, std::move(unstarted));
  return info;
}

absl::StatusOr<Info> Registry::Impl::SetMe(const std::string& session_id,
                                           const std::string& user_id,
                                           std::optional<upstream::UserWrite> attributes) {
  if (const absl::Status checked = CheckUserId(user_id); !checked.ok()) return checked;
  const MutexLock changing(change_mutex_);
  Info info;
  std::shared_ptr<const Spec> spec;
  std::unique_ptr<Extras> extras;
  {
    MutexLock lock(mutex_);
    if (stopped_) return Draining();
    const auto alive = FindAlive(session_id);
    if (!alive.ok()) return alive.status();
    info = (*alive)->info;
    if ((*alive)->extras != nullptr) extras = std::make_unique<Extras>(*(*alive)->extras);
    if (info.user_id.has_value()) {
      return MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_ME_ALREADY_SET,
                       "the session has its user already, and it cannot change: create another "
                       "session for another user");
    }
    const auto known = id_of_key_.find(KeyOf(info.app_id, user_id));
    if (known != id_of_key_.end()) {
      return WithMetadata(
          MakeError(absl::StatusCode::kAlreadyExists, v1::ERROR_REASON_SESSION_ALREADY_EXISTS,
                    "session " + known->second + " has this app and user: use it"),
          "session_id", known->second);
    }
    Spec with_user = *(*alive)->spec;
    with_user.user_id = user_id;
    with_user.user_attributes = std::move(attributes);
    const absl::Status checked = CheckCreate(with_user, env_.clock.WallMillis());
    // A token that has expired since is the session's trouble, which SetToken ends.
    if (!checked.ok() && ReasonOf(checked) != v1::ERROR_REASON_TOKEN_EXPIRED) return checked;
    spec = std::make_shared<const Spec>(std::move(with_user));
  }
  info.user_id = user_id;
  info.expires_at.reset();
  info.state_since = env_.clock.WallMillis();
  if (const absl::Status stored = Store(info, *spec, extras.get()); !stored.ok()) return stored;
  Waiters waiters;
  Shard* shard = nullptr;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_.at(session_id);
    info.version = entry.info.version;
    entry.info = info;
    entry.spec = spec;
    entry.forget_at = 0;
    id_of_key_[KeyOf(info.app_id, user_id)] = session_id;
    SetState(entry, State::kConnecting);
    waiters = Changed(entry);
    info = entry.info;
    shard = entry.shard;
  }
  for (const auto& ready : waiters) ready();
  LogInfo("session got its user", {{"session", session_id}, {"user", user_id}});
  std::vector<journal::NewEvent> events;
  events.push_back(EncodeStateChange(info, info.state_since));
  env_.journal.Append(std::move(events));
  StartSession(*shard, session_id, nullptr);
  return info;
}

absl::StatusOr<Info> Registry::Impl::SetToken(const std::string& session_id, Secret token) {
  const MutexLock changing(change_mutex_);
  Credentials credentials;
  {
    MutexLock lock(mutex_);
    if (stopped_) return Draining();
    const auto alive = FindAlive(session_id);
    if (!alive.ok()) return alive.status();
    const Spec& spec = *(*alive)->spec;
    credentials = spec.credentials;
    if (credentials.kind == CredentialKind::kNone ||
        credentials.kind == CredentialKind::kSignature) {
      return MakeError(absl::StatusCode::kFailedPrecondition,
                       v1::ERROR_REASON_WRONG_CREDENTIAL_KIND,
                       "the session has no token to replace, but a signature or no credentials: "
                       "create it again with the token and replace_credentials");
    }
    std::optional<std::string_view> user_id;
    if (spec.user_id.has_value()) user_id = *spec.user_id;
    const absl::Status checked =
        upstream::CheckToken(token.Expose(), spec.app_id, user_id, env_.clock.WallMillis());
    if (!checked.ok()) return checked;
  }
  const std::optional<int64_t> expiry = upstream::TokenExpiry(token.Expose());
  const bool is_fixed = credentials.kind == CredentialKind::kToken;
  (is_fixed ? credentials.secret : credentials.first_token) = std::move(token);
  absl::StatusOr<Info> info = ReplaceCredentials(session_id, std::move(credentials));
  if (!info.ok()) return info.status();
  Waiters waiters;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_.at(session_id);
    entry.info.token_expires_at.reset();
    if (expiry.has_value()) entry.info.token_expires_at = *expiry * 1000;
    waiters = Changed(entry);
    info = entry.info;
  }
  for (const auto& ready : waiters) ready();
  LogInfo("session got a token", {{"session", session_id}});
  return info;
}

absl::Status Registry::Impl::CheckProvider(const std::string& session_id,
                                           const std::string& provider_name) const {
  MutexLock lock(mutex_);
  const auto alive = FindAlive(session_id);
  if (!alive.ok()) return alive.status();
  const Credentials& credentials = (*alive)->spec->credentials;
  const auto* provider = std::get_if<upstream::ProviderFetcher>(&credentials.fetcher);
  if (credentials.kind == CredentialKind::kProviderFetcher && provider != nullptr &&
      provider->provider_name == provider_name) {
    return absl::OkStatus();
  }
  return MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_WRONG_CREDENTIAL_KIND,
                   "session " + session_id +
                       " does not get its tokens from clients on ProvideTokens under this name: "
                       "register under the name it was created with");
}

void Registry::Impl::StartSession(Shard& shard, const std::string& id,
                                  std::shared_ptr<Restored> restored, bool is_paced) {
  shard.loop.Post([this, &shard, id, restored = std::move(restored), is_paced]() mutable {
    Session::Options options;
    options.first_connection_is_paced = is_paced;
    {
      MutexLock lock(mutex_);
      const auto it = entries_.find(id);
      if (stopped_ || it == entries_.end() || it->second.info.state == State::kDestroyed) return;
      const Entry& entry = it->second;
      options.first = entry.info;
      options.spec = entry.spec;
      const bool writes_push = entry.extras != nullptr && entry.extras->device.has_value() &&
                               entry.extras->enable_push.has_value();
      if (!entry.info.baseline_at.has_value() && writes_push) {
        options.push_at_login = std::make_shared<const upstream::Request>(upstream::SetPushDevice(
            *entry.info.user_id, *entry.extras->device, *entry.extras->enable_push));
      }
    }
    options.restored = std::move(restored);
    options.urls = urls_;
    options.message_subscriptions = options_.message_subscriptions_per_session;
    Session::Environment environment{shard.loop, env_.journal, unreads,      env_.http,
                                     env_.tls,   env_.clock,   env_.random,  env_.metrics,
                                     pacer_,     keeper_,      token_files_, token_broker_};
    auto session = std::make_unique<Session>(std::move(options), environment,
                                             [this](const Info& info) { OnSessionChanged(info); });
    Session* started = session.get();
    shard.sessions[id] = std::move(session);
    started->Start();
  });
}

// On the session's shard.
void Registry::Impl::OnSessionChanged(const Info& info) {
  Waiters waiters;
  bool new_state = false;
  bool new_reason = false;
  {
    MutexLock lock(mutex_);
    const auto it = entries_.find(info.session_id);
    if (it == entries_.end() || it->second.info.state == State::kDestroyed) return;
    Entry& entry = it->second;
    new_state = entry.info.state != info.state;
    new_reason = entry.info.reason != info.reason;
    SetState(entry, info.state);
    const uint64_t version = entry.info.version;
    entry.info = info;
    entry.info.version = version;
    waiters = Changed(entry);
  }
  if (new_state || new_reason) {
    LogInfo(new_state ? "session changed state" : "session has another reason",
            {{"session", info.session_id},
             {"state", StateName(info.state)},
             {"why", info.reason_message}});
  }
  if (new_state) {
    std::vector<journal::NewEvent> events;
    events.push_back(EncodeStateChange(info, env_.clock.WallMillis()));
    env_.journal.Append(std::move(events));
  }
  for (const auto& ready : waiters) ready();
}

const Registry::Impl::Entry* Registry::Impl::Find(const std::string& session_id) const {
  const auto it = entries_.find(session_id);
  if (it == entries_.end()) return nullptr;
  const Entry& entry = it->second;
  const bool is_over = entry.info.state == State::kDestroyed && entry.forget_at != 0 &&
                       entry.forget_at <= env_.clock.WallMillis();
  return is_over ? nullptr : &entry;
}

absl::StatusOr<const Registry::Impl::Entry*> Registry::Impl::FindAlive(
    const std::string& session_id) const {
  const Entry* entry = Find(session_id);
  if (entry == nullptr) return NotFound();
  if (entry->info.state == State::kDestroyed) return Destroyed();
  return entry;
}

absl::StatusOr<Info> Registry::Impl::Get(const std::string& session_id) const {
  MutexLock lock(mutex_);
  const Entry* entry = Find(session_id);
  if (entry == nullptr) return NotFound();
  return entry->info;
}

std::vector<Info> Registry::Impl::List() const {
  std::vector<std::pair<uint64_t, Info>> found;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, entry] : entries_) {
      if (entry.info.state != State::kDestroyed) found.emplace_back(entry.order, entry.info);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Info> infos;
  for (auto& [order, info] : found) infos.push_back(std::move(info));
  return infos;
}

void Registry::Impl::Destroy(const std::string& session_id,
                             std::function<void(const absl::Status&)> done) {
  bool known = false;
  Info last;
  Shard* shard = nullptr;
  absl::Status kept = absl::OkStatus();
  Waiters waiters;
  {
    const MutexLock changing(change_mutex_);
    bool stored = false;
    {
      MutexLock lock(mutex_);
      const Entry* const found = Find(session_id);
      known = found != nullptr;
      if (known && found->info.state != State::kDestroyed) shard = found->shard;
      stored = shard != nullptr && found->info.user_id.has_value() && env_.store != nullptr;
    }
    const UnixMillis now = env_.clock.WallMillis();
    if (stored) kept = env_.store->Destroy(session_id, now);
    if (shard != nullptr && kept.ok()) {
      MutexLock lock(mutex_);
      Entry& entry = entries_.at(session_id);
      SetState(entry, State::kDestroyed);
      entry.spec.reset();
      entry.extras.reset();
      entry.info.token_expires_at.reset();
      entry.info.next_attempt_at.reset();
      entry.info.state_since = now;
      entry.info.reason = v1::ERROR_REASON_UNSPECIFIED;
      entry.info.reason_message.clear();
      entry.forget_at = now + kRememberDestroyedMillis;
      entry.info.expires_at = entry.forget_at;
      if (entry.info.user_id.has_value()) {
        id_of_key_.erase(KeyOf(entry.info.app_id, *entry.info.user_id));
      }
      waiters = Changed(entry);
      last = entry.info;
    }
  }
  if (shard == nullptr || !kept.ok()) {
    done(known ? kept : NotFound());
    return;
  }
  LogInfo("session destroyed", {{"session", session_id}});
  shard->loop.Post([this, shard, last, done = std::move(done)] {
    std::vector<journal::NewEvent> events;
    events.push_back(EncodeStateChange(last, env_.clock.WallMillis()));
    env_.journal.Append(std::move(events));
    unreads.Remove(last.session_id);
    const auto it = shard->sessions.find(last.session_id);
    if (it == shard->sessions.end()) {
      done(absl::OkStatus());
      return;
    }
    it->second->Stop(Destroyed(), [shard, id = last.session_id, done] {
      // Not from within the session's own call.
      shard->loop.Post([shard, id, done] {
        shard->sessions.erase(id);
        done(absl::OkStatus());
      });
    });
  });
  for (const auto& ready : waiters) ready();
}

void Registry::Impl::Call(const std::string& session_id, upstream::Request request,
                          Duration timeout, CallDone done) {
  Shard* shard = nullptr;
  absl::Status refused = absl::OkStatus();
  {
    MutexLock lock(mutex_);
    const auto alive = FindAlive(session_id);
    if (stopped_) {
      refused = Draining();
    } else if (!alive.ok()) {
      refused = alive.status();
    } else if ((*alive)->info.state == State::kAwaitingMe) {
      refused = MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_ME_NOT_SET,
                          "the session has no user yet: use SetMe first");
    } else {
      shard = (*alive)->shard;
    }
  }
  if (shard == nullptr) {
    done(refused);
    return;
  }
  shard->loop.Post([this, shard, session_id, request = std::move(request), timeout,
                    done = std::move(done)]() mutable {
    const auto it = shard->sessions.find(session_id);
    if (it == shard->sessions.end()) {
      // Where the daemon stopped first, the session was not even begun.
      done(IsStopped() ? Draining() : Destroyed());
      return;
    }
    it->second->CallUpstream(std::move(request), timeout, std::move(done));
  });
}

const Extras* Registry::Impl::FindExtras(const std::string& session_id) const {
  const auto it = entries_.find(session_id);
  return it == entries_.end() ? nullptr : it->second.extras.get();
}

void Registry::Impl::KeepAvailability(const std::string& session_id, const std::string& user_id,
                                      std::optional<std::string> text) {
  MutexLock lock(mutex_);
  const auto it = entries_.find(session_id);
  if (it == entries_.end() || it->second.info.state == State::kDestroyed) return;
  std::unique_ptr<Extras>& extras = it->second.extras;
  session::KeepAvailability(extras, user_id, std::move(text));
  // Under the lock, so that the newest is written last.
  if (extras != nullptr) keeper_.PutExtras(session_id, *extras);
}

std::optional<std::string> Registry::Impl::Availability(const std::string& session_id,
                                                        const std::string& user_id) const {
  MutexLock lock(mutex_);
  const Extras* extras = FindExtras(session_id);
  if (extras == nullptr) return std::nullopt;
  const auto found = extras->availability.find(user_id);
  if (found == extras->availability.end()) return std::nullopt;
  return found->second;
}

std::optional<upstream::PushDevice> Registry::Impl::Device(const std::string& session_id) const {
  MutexLock lock(mutex_);
  const Extras* extras = FindExtras(session_id);
  if (extras == nullptr) return std::nullopt;
  return extras->device;
}

std::vector<Info> Registry::Impl::ChangesSince(uint64_t* version) const {
  std::vector<Info> changed;
  MutexLock lock(mutex_);
  for (auto it = id_of_version_.upper_bound(*version); it != id_of_version_.end(); ++it) {
    changed.push_back(entries_.at(it->second).info);
  }
  *version = last_version_;
  return changed;
}

uint64_t Registry::Impl::NotifyOfChange(uint64_t version, std::function<void()> ready) {
  uint64_t handle = 0;
  {
    MutexLock lock(mutex_);
    handle = ++last_handle_;
    if (last_version_ <= version) {
      waiters_[handle] = std::move(ready);
      return handle;
    }
  }
  ready();
  return handle;
}

void Registry::Impl::Cancel(uint64_t handle) {
  MutexLock lock(mutex_);
  waiters_.erase(handle);
}

void Registry::Impl::Housekeeping() {
  const UnixMillis now = env_.clock.WallMillis();
  std::vector<std::string> ended;
  std::vector<std::string> forgotten;
  {
    MutexLock lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      Entry& entry = it->second;
      if (entry.forget_at == 0 || entry.forget_at > now) {
        ++it;
        continue;
      }
      if (entry.info.state != State::kDestroyed) {
        ended.push_back(it->first);
        ++it;
        continue;
      }
      id_of_version_.erase(entry.info.version);
      forgotten.push_back(it->first);
      it = entries_.erase(it);
    }
  }
  for (const std::string& id : forgotten) keeper_.Forget(id);
  for (const std::string& id : ended) Destroy(id, [](const absl::Status&) {});
  housekeeping_->Set(env_.clock.Now() + kHousekeeping);
}

void Registry::Impl::Stop() {
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    stopped_ = true;
    waiters_.clear();
  }
  struct Open {
    Mutex mutex;
    CondVar closed;
    size_t sockets ABSL_GUARDED_BY(mutex) = 0;
  };
  const auto open = std::make_shared<Open>();
  std::vector<SessionStore::Progress> last;
  for (const auto& shard : shards_) {
    shard->loop.PostAndWait([this, &shard = *shard, &last, open] {
      for (auto& progress : TakeProgress(shard)) last.push_back(std::move(progress));
      {
        MutexLock lock(open->mutex);
        open->sockets += shard.sessions.size();
      }
      for (const auto& [id, session] : shard.sessions) {
        session->Stop(Draining(), [open] {
          MutexLock lock(open->mutex);
          if (--open->sockets == 0) open->closed.NotifyAll();
        });
      }
    });
  }
  {
    const MonoTime deadline = SystemClock().Now() + kStopPatience;
    MutexLock lock(open->mutex);
    while (open->sockets > 0 && open->closed.WaitUntil(open->mutex, deadline)) {
    }
  }
  for (const auto& shard : shards_) {
    shard->loop.PostAndWait([this, &shard = *shard] {
      shard.sessions.clear();
      shard.progress.reset();
      if (&shard == shards_.front().get()) housekeeping_.reset();
    });
    shard->loop.Stop();
  }
  keeper_.Stop(std::move(last));
}

// --- the face ---

Registry::Registry(Options options, Environment environment)
    : impl_(std::make_shared<Impl>(std::move(options), environment)) {
  impl_->Start();
}

Registry::~Registry() { Stop(); }

absl::Status Registry::Restore() { return impl_->Restore(); }

absl::StatusOr<Registry::Created> Registry::Create(CreateRequest request) {
  return impl_->Create(std::move(request));
}
absl::StatusOr<Info> Registry::SetMe(const std::string& session_id, const std::string& user_id,
                                     std::optional<upstream::UserWrite> attributes) {
  return impl_->SetMe(session_id, user_id, std::move(attributes));
}
absl::StatusOr<Info> Registry::SetToken(const std::string& session_id, Secret token) {
  return impl_->SetToken(session_id, std::move(token));
}
absl::Status Registry::CheckProvider(const std::string& session_id,
                                     const std::string& provider_name) const {
  return impl_->CheckProvider(session_id, provider_name);
}
absl::StatusOr<Info> Registry::Get(const std::string& session_id) const {
  return impl_->Get(session_id);
}
absl::StatusOr<Info> Registry::GetAlive(const std::string& session_id) const {
  auto info = impl_->Get(session_id);
  if (info.ok() && info->state == State::kDestroyed) return Destroyed();
  return info;
}
std::vector<Info> Registry::List() const { return impl_->List(); }
void Registry::Destroy(const std::string& session_id,
                       std::function<void(const absl::Status&)> done) {
  impl_->Destroy(session_id, std::move(done));
}
void Registry::Call(const std::string& session_id, upstream::Request request, Duration timeout,
                    CallDone done) {
  impl_->Call(session_id, std::move(request), timeout, std::move(done));
}
void Registry::CheckApp(const std::string& app_id, Duration timeout, upstream::AppCheckDone done) {
  impl_->CheckApp(app_id, timeout, std::move(done));
}
void Registry::KeepAvailability(const std::string& session_id, const std::string& user_id,
                                std::optional<std::string> text) {
  impl_->KeepAvailability(session_id, user_id, std::move(text));
}
std::optional<std::string> Registry::Availability(const std::string& session_id,
                                                  const std::string& user_id) const {
  return impl_->Availability(session_id, user_id);
}
std::optional<upstream::PushDevice> Registry::Device(const std::string& session_id) const {
  return impl_->Device(session_id);
}
std::vector<Info> Registry::ChangesSince(uint64_t* version) const {
  return impl_->ChangesSince(version);
}
uint64_t Registry::NotifyOfChange(uint64_t version, std::function<void()> ready) {
  return impl_->NotifyOfChange(version, std::move(ready));
}
void Registry::Cancel(uint64_t handle) { impl_->Cancel(handle); }
UnreadsBoard& Registry::unreads() { return impl_->unreads; }
upstream::TokenBroker& Registry::token_broker() { return impl_->token_broker(); }
void Registry::Stop() { impl_->Stop(); }

}  // namespace talkjsd::session
