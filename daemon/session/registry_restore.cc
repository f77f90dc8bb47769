#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/registry_impl.h"

namespace talkjsd::session {

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

}  // namespace talkjsd::session
