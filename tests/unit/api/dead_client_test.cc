// Clients that are gone without a word, and such that only do not read.
#include <poll.h>
#include <prometheus/gauge.h>
#include <sys/un.h>

#include <array>
#include <thread>

#include "server_testing.h"

namespace talkjsd::api {
namespace {

using std::chrono::milliseconds;

// Carries one connection to the server until it freezes: then both ends stay open and hear nothing.
class Relay {
 public:
  Relay(const std::string& path, const std::string& target) : listener_(Socket()) {
    const sockaddr_un here = Address(path);
    EXPECT_EQ(::bind(listener_, Generic(here), sizeof(here)), 0);
    EXPECT_EQ(::listen(listener_, 1), 0);
    thread_ = std::thread([this, target] { Carry(target); });
  }
  ~Relay() {
    frozen_ = true;
    thread_.join();
    for (const int fd : {listener_, client_, server_}) ::close(fd);
  }
  void Freeze() { frozen_ = true; }

 private:
  static int Socket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0); }
  static sockaddr_un Address(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    return address;
  }
  static const sockaddr* Generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
  }
  void Carry(const std::string& target) {
    client_ = ::accept(listener_, nullptr, nullptr);
    server_ = Socket();
    const sockaddr_un there = Address(target);
    EXPECT_EQ(::connect(server_, Generic(there), sizeof(there)), 0);
    std::array<char, 65536> buffer;
    while (!frozen_) {
      std::array<pollfd, 2> fds{{{client_, POLLIN, 0}, {server_, POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), 10) <= 0) continue;
      for (size_t i = 0; i < fds.size(); ++i) {
        if (frozen_ || fds[i].revents == 0) continue;
        const ssize_t size = ::read(fds[i].fd, buffer.data(), buffer.size());
        if (size <= 0) return;
        EXPECT_EQ(::write(fds[1 - i].fd, buffer.data(), static_cast<size_t>(size)), size);
      }
    }
  }

  std::atomic<bool> frozen_ = false;
  const int listener_;
  int client_ = -1;
  int server_ = -1;
  std::thread thread_;
};

class DeadClientTest : public ServerTest {
 protected:
  DeadClientTest() {
    server_.reset();
    options_.keepalive_time = milliseconds(200);
    options_.keepalive_timeout = milliseconds(200);
    StartServer();
  }

  // A client dies that would have taken `window` bytes at a time; another only does not read.
  void Try(int window) {
    const std::string path = (dir_ / "relay.sock").string();
    Relay relay(path, (dir_ / "s.sock").string());
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, window);
    const auto stub = v1::EventService::NewStub(
        grpc::CreateCustomChannel("unix://" + path, grpc::InsecureChannelCredentials(), arguments));
    MessageReader dead(*stub, {});
    ASSERT_TRUE(dead.Next()->has_opened());
    MessageReader idle(*events_, {});
    ASSERT_TRUE(idle.Next()->has_opened());
    relay.Freeze();
    constexpr int kEvents = 2000;
    for (int i = 0; i < kEvents; i += 100) Append("s", i, 100, 5000);

    const MonoTime patience = SystemClock().Now() + std::chrono::seconds(20);
    while (metrics_.message_streams->Value() > 1 && SystemClock().Now() < patience) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_EQ(metrics_.message_streams->Value(), 1);
    // The other one has been asked by now as well, and its gRPC has answered.
    EXPECT_EQ(idle.Ids(kEvents).size(), static_cast<size_t>(kEvents));
  }
};

TEST_F(DeadClientTest, IsFoundByKeepaliveAndOneThatOnlyDoesNotReadIsSpared) { Try(64 << 10); }

// The socket is full of what it does not take, so that no question reaches it.
TEST_F(DeadClientTest, IsFoundBehindAFullSocket) { Try(8 << 20); }

}  // namespace
}  // namespace talkjsd::api
