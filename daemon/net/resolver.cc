#include "daemon/net/resolver.h"

#include <netdb.h>
#include <pthread.h>
#include <signal.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

namespace talkjsd::net {
namespace {

constexpr int kMaxThreads = 8;

// Where an answer goes: the io_context as long as it lives.
struct Mailbox {
  std::mutex mutex;
  asio::io_context* io;  // guarded by mutex
};

// Tells the mailbox of an io_context that it ends.
class MailboxService : public asio::execution_context::service {
 public:
  static inline asio::execution_context::id id;
  explicit MailboxService(asio::execution_context& context)
      : service(context), box(std::make_shared<Mailbox>()) {
    box->io = static_cast<asio::io_context*>(&context);
  }
  void shutdown() override {
    const std::lock_guard lock(box->mutex);
    box->io = nullptr;
  }
  const std::shared_ptr<Mailbox> box;
};

struct Waiter {
  std::shared_ptr<Mailbox> box;
  std::function<void(Resolved)> done;
};

std::string ErrorText(int code) {
  return code == EAI_SYSTEM ? std::strerror(errno) : gai_strerror(code);
}

Resolved LookUp(const std::string& host, uint16_t port) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  int code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0) {
    // On a machine with nothing but loopback AI_ADDRCONFIG finds nothing.
    hints.ai_flags = 0;
    code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  }
  Resolved result;
  if (code != 0) {
    result.error = ErrorText(code);
    return result;
  }
  for (const addrinfo* info = list; info != nullptr; info = info->ai_next) {
    Tcp::endpoint endpoint;
    if (info->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), info->ai_addr, info->ai_addrlen);
    endpoint.resize(info->ai_addrlen);
    endpoint.port(port);
    result.endpoints.push_back(endpoint);
  }
  freeaddrinfo(list);
  if (result.endpoints.empty()) result.error = "no address";
  return result;
}

// Lives for ever: its threads may still be in getaddrinfo when the process ends.
class Pool {
 public:
  void Add(const std::string& host, uint16_t port, Waiter waiter) {
    const Key key(host, port);
    const std::lock_guard lock(mutex_);
    auto [waiters, is_new] = waiting_.try_emplace(key);
    waiters->second.push_back(std::move(waiter));
    if (!is_new) return;
    queue_.push_back(key);
    if (threads_ == kMaxThreads) return;
    ++threads_;
    std::thread([this] { Work(); }).detach();
  }

 private:
  using Key = std::pair<std::string, uint16_t>;

  void Work() {
    pthread_setname_np(pthread_self(), "resolver");
    sigset_t all;  // signals are for the main thread
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
    std::unique_lock lock(mutex_);
    while (!queue_.empty()) {
      const Key key = std::move(queue_.front());
      queue_.pop_front();
      lock.unlock();
      const Resolved answer = LookUp(key.first, key.second);
      lock.lock();
      auto waiters = waiting_.extract(key);
      lock.unlock();
      for (Waiter& waiter : waiters.mapped()) Deliver(waiter, answer);
      waiters = {};
      lock.lock();
    }
    --threads_;
  }

  static void Deliver(Waiter& waiter, const Resolved& answer) {
    const std::lock_guard lock(waiter.box->mutex);
    if (waiter.box->io == nullptr) return;
    asio::post(*waiter.box->io, [done = std::move(waiter.done), answer] { done(answer); });
  }

  std::mutex mutex_;
  std::map<Key, std::vector<Waiter>> waiting_;  // guarded by mutex_
  std::deque<Key> queue_;                       // guarded by mutex_
  int threads_ = 0;                             // guarded by mutex_
};

}  // namespace

void Resolve(asio::io_context& io, const std::string& host, uint16_t port,
             std::function<void(Resolved)> done) {
  error_code not_numeric;
  const asio::ip::address address = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) {
    Resolved answer;
    answer.endpoints.emplace_back(address, port);
    asio::post(io, [done = std::move(done), answer = std::move(answer)] { done(answer); });
    return;
  }
  static Pool& pool = *new Pool;
  pool.Add(host, port, {asio::use_service<MailboxService>(io).box, std::move(done)});
}

}  // namespace talkjsd::net
