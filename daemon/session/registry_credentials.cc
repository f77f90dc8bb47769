#include <utility>
#include <variant>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/registry_impl.h"
#include "daemon/upstream/token_check.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

}  // namespace

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

absl::StatusOr<Info> Registry::Impl::SetToken(const std::string& session_id, Secret token) {
  const MutexLock changing(change_mutex_);
  Credentials credentials;
  {
    MutexLock lock(mutex_);
    if (stopped_) return DaemonStopping();
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

}  // namespace talkjsd::session
