#include <utility>

#include "daemon/base/log.h"
#include "daemon/session/encoder.h"
#include "daemon/session/registry_impl.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

}  // namespace

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
      waiters = BecomeDestroyed(entry, now);
      last = entry.info;
    }
  }
  if (shard == nullptr || !kept.ok()) {
    done(known ? kept : SessionNotFound());
    return;
  }
  LogInfo("session destroyed", {{"session", session_id}});
  EndSession(*shard, std::move(last), std::move(done));
  for (const auto& ready : waiters) ready();
}

Registry::Impl::Waiters Registry::Impl::BecomeDestroyed(Entry& entry, UnixMillis now) {
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
  return Changed(entry);
}

void Registry::Impl::EndSession(Shard& shard, Info last,
                                std::function<void(const absl::Status&)> done) {
  shard.loop.Post([this, &shard, last = std::move(last), done = std::move(done)] {
    std::vector<journal::NewEvent> events;
    events.push_back(EncodeStateChange(last, env_.clock.WallMillis()));
    env_.journal.Append(std::move(events));
    unreads.Remove(last.session_id);
    const auto it = shard.sessions.find(last.session_id);
    if (it == shard.sessions.end()) {
      done(absl::OkStatus());
      return;
    }
    it->second->Stop(SessionDestroyed(), [&shard, id = last.session_id, done] {
      // Not from within the session's own call.
      shard.loop.Post([&shard, id, done] {
        shard.sessions.erase(id);
        done(absl::OkStatus());
      });
    });
  });
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

}  // namespace talkjsd::session
