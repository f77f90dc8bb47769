#include "daemon/api/call_set.h"

#include <utility>

#include "daemon/api/errors.h"

namespace talkjsd::api {

absl::Status CallSet::Add(std::shared_ptr<LiveCall> call) {
  MutexLock lock(mutex_);
  if (draining_) return Draining();
  if (max_ > 0 && calls_.size() >= max_) {
    return LimitExceeded(limit_, "the daemon's limit of " + std::to_string(max_) +
                                     " open streams is reached; close some or raise the limit");
  }
  const LiveCall* key = call.get();
  calls_.emplace(key, std::move(call));
  return absl::OkStatus();
}

void CallSet::Remove(const LiveCall* call) {
  std::shared_ptr<LiveCall> removed;  // destroyed without the lock
  MutexLock lock(mutex_);
  const auto it = calls_.find(call);
  if (it == calls_.end()) return;
  removed = std::move(it->second);
  calls_.erase(it);
  if (calls_.empty()) emptied_.NotifyAll();
}

size_t CallSet::size() const {
  MutexLock lock(mutex_);
  return calls_.size();
}

std::vector<std::shared_ptr<LiveCall>> CallSet::All() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<LiveCall>> all;
  all.reserve(calls_.size());
  for (const auto& [key, call] : calls_) all.push_back(call);
  return all;
}

void CallSet::Drain() {
  {
    MutexLock lock(mutex_);
    draining_ = true;
  }
  for (const auto& call : All()) call->End(Draining());
}

bool CallSet::WaitUntilEmpty(MonoTime deadline) {
  MutexLock lock(mutex_);
  while (!calls_.empty()) {
    if (!emptied_.WaitUntil(mutex_, deadline)) return calls_.empty();
  }
  return true;
}

}  // namespace talkjsd::api
