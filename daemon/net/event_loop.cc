#include "daemon/net/event_loop.h"

#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <boost/intrusive/set.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "daemon/net/asio.h"

namespace talkjsd::net {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);

// Number of the first tick at or after `when`.
int64_t TickOf(MonoTime when) {
  const auto since = when.time_since_epoch();
  const auto ticks = since / kTick;
  return since % kTick == Duration::zero() ? ticks : ticks + 1;
}

MonoTime TimeOf(int64_t tick) { return MonoTime(kTick * tick); }

// One timer, linked into its loop's set while it is armed.
struct Entry : boost::intrusive::set_base_hook<> {
  int64_t tick = 0;
  std::function<void()> fired;
  friend bool operator<(const Entry& a, const Entry& b) { return a.tick < b.tick; }
};

// All timers of a loop behind one timer of Asio. Arming allocates nothing: entries are linked in
// place.
class TimerSet {
 public:
  void Attach(asio::io_context& io) { alarm_.emplace(io.get_executor()); }
  // What the io_context drops at its end may still disarm timers.
  void Detach() { alarm_.reset(); }

  void Arm(Entry& entry, MonoTime when) {
    if (entry.is_linked()) entries_.erase(entries_.iterator_to(entry));
    if (when == kNever) return;
    // A timer that re-arms itself for "now" must not keep the present wake-up running for ever.
    entry.tick = std::max(TickOf(when), earliest_allowed_);
    entries_.insert(entry);
    SetAlarm();
  }

  void Remove(Entry& entry) {
    if (entry.is_linked()) entries_.erase(entries_.iterator_to(entry));
    if (running_ == &entry) running_ = nullptr;
  }

 private:
  // An alarm that is earlier than needed stays: one idle wake-up is cheaper than moving it at every
  // change.
  void SetAlarm() {
    if (entries_.empty() || firing_ || !alarm_.has_value()) return;
    const int64_t tick = entries_.begin()->tick;
    if (alarm_tick_.has_value() && *alarm_tick_ <= tick) return;
    alarm_tick_ = tick;
    alarm_->expires_at(TimeOf(tick));
    alarm_->async_wait([this](const error_code& error) {
      if (!error) Fire();
    });
  }

  void Fire() {
    const int64_t now = SystemClock().Now().time_since_epoch() / kTick;
    alarm_tick_.reset();
    firing_ = true;
    earliest_allowed_ = now + 1;
    while (!entries_.empty() && entries_.begin()->tick <= now) {
      Entry& entry = *entries_.begin();
      entries_.erase(entries_.begin());
      // The function may destroy its own timer: it runs from here and goes back only if the timer
      // is still there.
      running_ = &entry;
      std::function<void()> fired = std::move(entry.fired);
      fired();
      if (running_ != nullptr) running_->fired = std::move(fired);
      running_ = nullptr;
    }
    firing_ = false;
    earliest_allowed_ = 0;
    SetAlarm();
  }

  std::optional<AsioTimer> alarm_;
  std::optional<int64_t> alarm_tick_;
  boost::intrusive::multiset<Entry> entries_;
  Entry* running_ = nullptr;
  bool firing_ = false;
  int64_t earliest_allowed_ = 0;
};

}  // namespace

struct EventLoop::Impl {
  explicit Impl(std::string thread_name) : name(std::move(thread_name)) { timers.Attach(io); }
  ~Impl() { timers.Detach(); }

  void Run();

  const std::string name;
  TimerSet timers;  // outlives io
  asio::io_context io{1};
  asio::executor_work_guard<Executor> work{io.get_executor()};
  std::thread thread;
  std::atomic<std::thread::id> thread_id{};

  std::mutex mutex;
  std::condition_variable changed;
  bool stopped = false;  // guarded by mutex
};

void EventLoop::Impl::Run() {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  // OpenSSL writes with write(2): to a peer that is gone this would raise SIGPIPE instead of
  // returning EPIPE.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  thread_id = std::this_thread::get_id();
  io.run();
}

EventLoop::EventLoop(std::string name) : impl_(std::make_unique<Impl>(std::move(name))) {
  remote_->loop_ = this;
}

EventLoop::~EventLoop() {
  Stop();
  const std::lock_guard lock(remote_->mutex_);
  remote_->loop_ = nullptr;
}

void EventLoop::Remote::Post(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (loop_ != nullptr) loop_->Post(std::move(work));
}

void EventLoop::Start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->Run(); });
}

void EventLoop::Stop() {
  impl_->io.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
  impl_->thread_id = std::thread::id();
  const std::lock_guard lock(impl_->mutex);
  impl_->stopped = true;
  impl_->changed.notify_all();
}

void EventLoop::Post(std::function<void()> work) { asio::post(impl_->io, std::move(work)); }

void EventLoop::PostAndWait(std::function<void()> work) {
  // Shared: when the loop stops first, the posted function is destroyed long after this call has
  // returned.
  auto done = std::make_shared<bool>(false);
  Post([impl = impl_.get(), done, work = std::move(work)] {
    work();
    const std::lock_guard lock(impl->mutex);
    *done = true;
    impl->changed.notify_all();
  });
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait(lock, [&] { return *done || impl_->stopped; });
}

bool EventLoop::InLoop() const { return impl_->thread_id.load() == std::this_thread::get_id(); }

boost::asio::io_context& EventLoop::io() { return impl_->io; }

struct Timer::State : Entry {
  TimerSet* timers = nullptr;
};

Timer::Timer(EventLoop& loop, std::function<void()> fired) : state_(std::make_unique<State>()) {
  state_->fired = std::move(fired);
  state_->timers = &loop.impl_->timers;
}

Timer::~Timer() { state_->timers->Remove(*state_); }

void Timer::Set(MonoTime when) { state_->timers->Arm(*state_, when); }

}  // namespace talkjsd::net
