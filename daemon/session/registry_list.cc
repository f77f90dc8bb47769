#include <prometheus/gauge.h>

#include <algorithm>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/session/registry_impl.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

}  // namespace

absl::Status SessionNotFound() {
  return MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_SESSION_NOT_FOUND,
                   "no session has this id; list the sessions, or create one");
}

absl::Status SessionDestroyed() {
  return MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_SESSION_DESTROYED,
                   "the session was destroyed; create a new one");
}

absl::Status DaemonStopping() {
  return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_DRAINING,
                   "the daemon is stopping; try again when it is back");
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
  if (entry == nullptr) return SessionNotFound();
  if (entry->info.state == State::kDestroyed) return SessionDestroyed();
  return entry;
}

absl::StatusOr<Info> Registry::Impl::Get(const std::string& session_id) const {
  MutexLock lock(mutex_);
  const Entry* entry = Find(session_id);
  if (entry == nullptr) return SessionNotFound();
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

}  // namespace talkjsd::session
