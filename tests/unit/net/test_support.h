// What the tests of net share: a running loop, waiting without sleeping, peers that speak raw
// bytes.
#ifndef TALKJSD_TESTS_UNIT_NET_TEST_SUPPORT_H_
#define TALKJSD_TESTS_UNIT_NET_TEST_SUPPORT_H_

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_server.h"
#include "daemon/net/websocket_client.h"

namespace talkjsd::net {

inline constexpr auto kPatience = std::chrono::seconds(20);

// A condition that threads wait for; false if it did not come true in time.
class Monitor {
 public:
  template <typename Change>
  void Update(Change change) {
    const std::lock_guard lock(mutex_);
    change();
    changed_.notify_all();
  }
  template <typename Predicate>
  bool Wait(Predicate predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, predicate);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

// For what nothing announces: asks again until it is so or patience ends.
template <typename Predicate>
bool Eventually(Predicate predicate) {
  const auto deadline = SystemClock().Now() + kPatience;
  while (SystemClock().Now() < deadline) {
    if (predicate()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

// Records what a client's handler is told. `on_text`, `on_open` and `on_closed` run on the loop,
// after recording.
class Recorder : public WebSocketHandler {
 public:
  void OnOpen() override {
    monitor.Update([&] { opened = true; });
    if (on_open) on_open();
  }
  void OnText(std::string_view text) override {
    monitor.Update([&] { texts.emplace_back(text); });
    if (on_text) on_text(text);
  }
  void OnClosed(absl::Status why) override {
    monitor.Update([&] {
      ++closed_calls;
      closed = why;
    });
    if (on_closed) on_closed();
  }
  bool WaitOpen() {
    return monitor.Wait([&] { return opened || closed.has_value(); }) && opened;
  }
  bool WaitTexts(size_t count) {
    return monitor.Wait([&] { return texts.size() >= count || closed.has_value(); }) &&
           texts.size() >= count;
  }
  absl::Status WaitClosed() {
    if (!monitor.Wait([&] { return closed.has_value(); })) return absl::UnknownError("not closed");
    return *closed;
  }

  std::function<void()> on_open;
  std::function<void(std::string_view)> on_text;
  std::function<void()> on_closed;
  Monitor monitor;
  bool opened = false;
  std::vector<std::string> texts;
  std::optional<absl::Status> closed;
  int closed_calls = 0;
};

// Tests on one running loop. Whatever lives on it is made and destroyed with On().
class LoopTest : public testing::Test {
 protected:
  LoopTest() : loop("test") { loop.Start(); }
  void On(const std::function<void()>& work) { loop.PostAndWait(work); }

  EventLoop loop;
};

// Listens on a port of its own and runs `script` with the first connection, on a thread; then
// closes it.
class RawServer {
 public:
  explicit RawServer(std::function<void(int fd)> script);
  ~RawServer();
  uint16_t port() const { return port_; }

 private:
  uint16_t port_ = 0;
  int listen_fd_;
  std::thread thread_;
};

// A blocking connection to 127.0.0.1:`port`.
class RawClient {
 public:
  explicit RawClient(uint16_t port);
  ~RawClient();
  int fd() const { return fd_; }
  void Send(std::string_view bytes);
  // Reads until `end` was seen, the peer has closed or nothing came for 10 s; returns everything
  // read so far.
  std::string ReadUntil(std::string_view end);
  std::string ReadToEnd() { return ReadUntil(std::string_view("\0never\0", 7)); }

 private:
  int fd_;
};

// Listens, and never accepts.
int ListenOnLoopback(uint16_t* port);
void SendAll(int fd, std::string_view bytes);
std::string ReadUntil(int fd, std::string_view end);
// The server's side of a WebSocket handshake.
void AnswerHandshake(int fd);
// A client's masked frame.
std::string ClientFrame(int opcode, std::string_view payload);

Url LoopbackUrl(uint16_t port, bool tls = false);

}  // namespace talkjsd::net

#endif  // TALKJSD_TESTS_UNIT_NET_TEST_SUPPORT_H_
