#include "daemon/session/unreads_board.h"

#include <algorithm>
#include <utility>

namespace talkjsd::session {

void UnreadsBoard::Put(const std::string& session_id, Encoded list) {
  // Waiters are called under the lock: that is what makes Cancel's promise true without waiting for
  // anybody. They only hand over work (contract of NotifyWhenNewer).
  MutexLock lock(mutex_);
  entries_[session_id] = Entry{std::move(list), ++last_version_};
  for (auto it = waiters_.begin(); it != waiters_.end();) {
    const std::vector<std::string>& wanted = it->second.session_ids;
    if (wanted.empty() || std::find(wanted.begin(), wanted.end(), session_id) != wanted.end()) {
      const std::function<void()> ready = std::move(it->second.ready);
      it = waiters_.erase(it);
      ready();
    } else {
      ++it;
    }
  }
}

void UnreadsBoard::Remove(const std::string& session_id) {
  MutexLock lock(mutex_);
  entries_.erase(session_id);
}

std::vector<UnreadsBoard::Encoded> UnreadsBoard::NewerThan(
    const std::vector<std::string>& session_ids, uint64_t* version) const {
  std::vector<const Entry*> found;
  std::vector<Encoded> lists;
  MutexLock lock(mutex_);
  if (session_ids.empty()) {
    for (const auto& [id, entry] : entries_) {
      if (entry.version > *version) found.push_back(&entry);
    }
  } else if (last_version_ > *version) {
    for (const std::string& id : session_ids) {
      const auto it = entries_.find(id);
      if (it != entries_.end() && it->second.version > *version) found.push_back(&it->second);
    }
  }
  std::sort(found.begin(), found.end(),
            [](const Entry* a, const Entry* b) { return a->version < b->version; });
  lists.reserve(found.size());
  for (const Entry* entry : found) lists.push_back(entry->list);
  *version = last_version_;
  return lists;
}

uint64_t UnreadsBoard::NotifyWhenNewer(uint64_t version, std::vector<std::string> session_ids,
                                       std::function<void()> ready) {
  MutexLock lock(mutex_);
  const uint64_t handle = ++last_handle_;
  const auto is_newer = [&](const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = entries_.find(id);
    return it != entries_.end() && it->second.version > version;
  };
  const bool newer =
      last_version_ > version &&
      (session_ids.empty() || std::any_of(session_ids.begin(), session_ids.end(), is_newer));
  if (newer) {
    ready();
  } else {
    waiters_.emplace(handle, Waiter{std::move(session_ids), std::move(ready)});
  }
  return handle;
}

void UnreadsBoard::Cancel(uint64_t handle) {
  MutexLock lock(mutex_);
  waiters_.erase(handle);
}

}  // namespace talkjsd::session
