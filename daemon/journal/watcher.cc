#include "daemon/journal/watcher.h"

#include <utility>

namespace talkjsd::journal {

void Watcher::Swap(std::function<void()>& ready) {
  MutexLock lock(mutex_);
  ready_.swap(ready);
}

void Watcher::Fire() {
  std::function<void()> ready;
  {
    MutexLock lock(mutex_);
    if (!ready_) return;
    ready.swap(ready_);
    calling_ = std::this_thread::get_id();
  }
  ready();
  // What it captured must be gone when Stop returns.
  ready = nullptr;
  MutexLock lock(mutex_);
  calling_ = {};
  idle_.NotifyAll();
}

void Watcher::Stop() {
  std::function<void()> dropped;
  MutexLock lock(mutex_);
  dropped.swap(ready_);
  while (calling_ != std::thread::id() && calling_ != std::this_thread::get_id()) {
    idle_.Wait(mutex_);
  }
}

}  // namespace talkjsd::journal
