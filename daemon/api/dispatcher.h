// A small pool of threads for work that must not run where it was noticed: on the journal's writer,
// on a shard.
#ifndef TALKJSD_API_DISPATCHER_H_
#define TALKJSD_API_DISPATCHER_H_

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd::api {

// What a Dispatcher runs.
class Runnable {
 public:
  virtual ~Runnable() = default;
  virtual void Run() = 0;
};

// Thread-safe. Runs posted work in order of posting, several at a time, and one tick at a fixed
// interval.
class Dispatcher {
 public:
  // `tick` runs about every `interval` on one of the threads.
  Dispatcher(int threads, Duration interval, std::function<void()> tick);
  ~Dispatcher();  // Stop
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // Work posted after Stop is dropped.
  void Post(std::shared_ptr<Runnable> work);

  // Ends the threads; what is queued does not run. Not from one of them. Idempotent.
  void Stop();

 private:
  void Loop();
  // The next piece of work; nullptr: the tick is due, or (with *stopped) the end has come.
  std::shared_ptr<Runnable> Take(bool* stopped);

  const Duration interval_;
  const std::function<void()> tick_;
  Mutex mutex_;
  CondVar wake_;
  // A ring would save allocations; a vector with a read position is as good while it is emptied
  // often.
  std::vector<std::shared_ptr<Runnable>> queue_ ABSL_GUARDED_BY(mutex_);
  size_t next_ ABSL_GUARDED_BY(mutex_) = 0;
  int idle_ ABSL_GUARDED_BY(mutex_) = 0;
  MonoTime tick_at_ ABSL_GUARDED_BY(mutex_);
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_DISPATCHER_H_
