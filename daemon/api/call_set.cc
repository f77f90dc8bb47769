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

void CallSet::SetMax(size_t max) {
  MutexLock lock(mutex_);
  max_ = max;
}

void CallSet::Remove(const LiveCall* call) {
  std::shared_ptr<LiveCall> removed;  // destroyed without the lock
  std::vector<std::function<void()>> gone;
  {
    MutexLock lock(mutex_);
    const auto it = calls_.find(call);
    if (it == calls_.end()) return;
    removed = std::move(it->second);
    calls_.erase(it);
    for (auto wait = waits_.begin(); wait != waits_.end();) {
      wait->left.erase(call);
      if (wait->left.empty()) {
        gone.push_back(std::move(wait->gone));
        wait = waits_.erase(wait);
      } else {
        ++wait;
      }
    }
    if (calls_.empty()) emptied_.NotifyAll();
  }
  for (const auto& tell : gone) tell();
}

void CallSet::WhenGone(const std::string& session_id, MonoTime deadline,
                       std::function<void()> gone) {
  {
    MutexLock lock(mutex_);
    Wait wait{{}, deadline, std::move(gone)};
    for (const auto& [key, call] : calls_) {
      if (call->IsOverAlone(session_id)) wait.left.insert(key);
    }
    if (!wait.left.empty()) {
      waits_.push_back(std::move(wait));
      return;
    }
    gone = std::move(wait.gone);
  }
  gone();
}

void CallSet::Tick(MonoTime now) {
  std::vector<std::function<void()>> overdue;
  {
    MutexLock lock(mutex_);
    for (auto wait = waits_.begin(); wait != waits_.end();) {
      if (wait->deadline > now) {
        ++wait;
        continue;
      }
      overdue.push_back(std::move(wait->gone));
      wait = waits_.erase(wait);
    }
  }
  for (const auto& tell : overdue) tell();
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
