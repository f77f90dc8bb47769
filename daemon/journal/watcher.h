// How the journal's writer tells a waiting reader that there is something to read.
#ifndef TALKJSD_JOURNAL_WATCHER_H_
#define TALKJSD_JOURNAL_WATCHER_H_

#include <functional>
#include <memory>
#include <thread>

#include "daemon/base/mutex.h"

namespace talkjsd::journal {

// A reader's wish to be told, once. It is shared by the reader and a notification under way; it
// stays in the lists of the ring for the reader's life, so that waiting again costs no
// registration.
//
// `armed` belongs to the lock of the ring: the reader sets it when it has found nothing under that
// lock, the writer clears it when it makes something visible under that lock. So no wish is lost
// between the two. Fire runs without it.
class Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  bool armed = false;

  // Exchanges the function to call; an empty one takes the wish back.
  void Swap(std::function<void()>& ready);

  // Calls the function, if there is still one, and forgets it. On the writer's thread only, without
  // any lock.
  void Fire();

  // After it has returned the function is not called any more. Waits for a call under way on
  // another thread.
  void Stop();

 private:
  Mutex mutex_;
  CondVar idle_;
  std::function<void()> ready_ ABSL_GUARDED_BY(mutex_);
  std::thread::id calling_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_WATCHER_H_
