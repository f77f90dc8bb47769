#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/check.h"
#include "daemon/session/encoder.h"
#include "daemon/session/registry_impl.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

// design.md section 5: sessions without `me` end after this.
constexpr UnixMillis kAwaitingMeMillis = 10 * 60 * 1000;

}  // namespace

absl::StatusOr<Registry::Created> Registry::Impl::Create(CreateRequest request) {
  const absl::Status checked = CheckCreate(request, env_.clock.WallMillis());
  if (!checked.ok()) return checked;
  const MutexLock changing(change_mutex_);
  std::string known_id;
  Info first;
  {
    MutexLock lock(mutex_);
    if (stopped_) return DaemonStopping();
    if (request.user_id.has_value()) {
      const auto known = id_of_key_.find(KeyOf(request.app_id, *request.user_id));
      if (known != id_of_key_.end()) known_id = known->second;
    }
    const size_t alive = Alive();
    if (known_id.empty() && alive >= static_cast<size_t>(max_sessions_.load())) {
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
    if (stopped_) return DaemonStopping();
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

}  // namespace talkjsd::session
