#include "daemon/api/dispatcher.h"

#include <pthread.h>

#include <utility>

namespace talkjsd::api {

// Real time on purpose: nothing here decides by the clock but when to look again.
Dispatcher::Dispatcher(int threads, Duration interval, std::function<void()> tick)
    : interval_(interval), tick_(std::move(tick)), tick_at_(SystemClock().Now() + interval) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Loop(); });
}

Dispatcher::~Dispatcher() { Stop(); }

void Dispatcher::Post(std::shared_ptr<Runnable> work) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (stopped_) return;
    queue_.push_back(std::move(work));
    wake = idle_ > 0;
  }
  if (wake) wake_.NotifyOne();
}

void Dispatcher::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  wake_.NotifyAll();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
  // Destroyed without the lock: the last reference to a piece of work may be here.
  std::vector<std::shared_ptr<Runnable>> dropped;
  MutexLock lock(mutex_);
  dropped.swap(queue_);
  next_ = 0;
}

std::shared_ptr<Runnable> Dispatcher::Take(bool* stopped) {
  MutexLock lock(mutex_);
  while (true) {
    if (stopped_) {
      *stopped = true;
      return nullptr;
    }
    if (SystemClock().Now() >= tick_at_) {
      tick_at_ = SystemClock().Now() + interval_;
      return nullptr;
    }
    if (next_ < queue_.size()) {
      std::shared_ptr<Runnable> work = std::move(queue_[next_++]);
      if (next_ == queue_.size()) {
        queue_.clear();
        next_ = 0;
      }
      return work;
    }
    ++idle_;
    wake_.WaitUntil(mutex_, tick_at_);
    --idle_;
  }
}

void Dispatcher::Loop() {
  pthread_setname_np(pthread_self(), "dispatch");
  bool stopped = false;
  while (true) {
    const std::shared_ptr<Runnable> work = Take(&stopped);
    if (stopped) return;
    if (work != nullptr) {
      work->Run();
    } else {
      tick_();
    }
  }
}

}  // namespace talkjsd::api
