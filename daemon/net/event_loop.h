// A thread with one event loop: the home of a shard's sessions, of the emulator, of the admin
// listener.
#ifndef TALKJSD_NET_EVENT_LOOP_H_
#define TALKJSD_NET_EVENT_LOOP_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "daemon/base/clock.h"

namespace boost::asio {
class io_context;
}

namespace talkjsd::net {

// Runs posted functions and timers on its own thread, from Start until Stop.
//
// Post may be called from any thread; everything else, and all objects living on the loop, belong
// to its thread (or to any one thread before Start and after Stop). Destroy the objects that live
// on it before the loop.
class EventLoop {
 public:
  // `name` is the thread's name, at most 15 characters.
  explicit EventLoop(std::string name);
  ~EventLoop();  // stops
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void Start();
  // Lets the running function end, drops what is queued, joins. Idempotent. Not from the loop's own
  // thread.
  void Stop();

  void Post(std::function<void()> work);

  // Posts for those who may outlive the loop, such as a transfer of another thread's: work for a
  // loop that is gone is dropped. Thread-safe.
  class Remote {
   public:
    void Post(std::function<void()> work);

   private:
    friend class EventLoop;
    std::mutex mutex_;
    EventLoop* loop_ = nullptr;  // guarded by mutex_
  };
  std::shared_ptr<Remote> remote() const { return remote_; }

  // Posts and waits until it has run. Not from the loop's own thread. Returns without running it if
  // the loop is stopped.
  void PostAndWait(std::function<void()> work);
  bool InLoop() const;

  // For the drivers in net/ only.
  boost::asio::io_context& io();

 private:
  friend class Timer;
  struct Impl;
  std::unique_ptr<Impl> impl_;
  const std::shared_ptr<Remote> remote_ = std::make_shared<Remote>();
};

// A coarse timer: its function runs on the loop at the given time or up to 50 ms later, so that
// many due timers share one wake-up; a thousand idle sessions cost one. Lives on the loop's thread.
// Destruction disarms.
class Timer {
 public:
  Timer(EventLoop& loop, std::function<void()> fired);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces an earlier time. kNever disarms.
  void Set(MonoTime when);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_EVENT_LOOP_H_
