// The door: who speaks is let in, who does not is closed, and a want of descriptors passes.
#include "daemon/net/acceptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "daemon/net/tcp_listener.h"
#include "daemon/net/unix_listener.h"
#include "tests/unit/net/test_support.h"

namespace talkjsd::net {
namespace {

struct Arrival {
  size_t listener;
  int fd;
  std::optional<PeerCredentials> process;
};

class AcceptorTest : public testing::Test {
 protected:
  AcceptorTest() {
    std::string pattern = testing::TempDir() + "/acXXXXXX";
    directory_ = mkdtemp(pattern.data());
    auto unix_listener = UnixListener::Open(directory_ + "/s", {});
    EXPECT_TRUE(unix_listener.ok()) << unix_listener.status();
    unix_ = *std::move(unix_listener);
    auto tcp = TcpListener::Open("127.0.0.1", 0);
    EXPECT_TRUE(tcp.ok()) << tcp.status();
    tcp_ = *std::move(tcp);
  }
  ~AcceptorTest() override {
    acceptor_.reset();
    for (const Arrival& arrival : arrivals_) close(arrival.fd);
    for (const int fd : dialed_) close(fd);
    std::filesystem::remove_all(directory_);
  }

  void Start(Acceptor::Options options) {
    acceptor_ = std::make_unique<Acceptor>(options);
    const absl::Status started =
        acceptor_->Start({unix_->fd(), tcp_->fd()}, [this](size_t listener, int fd, auto process) {
          monitor_.Update([&] { arrivals_.push_back({listener, fd, process}); });
        });
    ASSERT_TRUE(started.ok()) << started;
  }
  int Keep(int fd) {
    dialed_.push_back(fd);
    return fd;
  }
  int DialUnix() {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, unix_->path().c_str(), sizeof(address.sun_path) - 1);
    const int fd = Keep(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  int DialTcp() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(tcp_->port());
    const int fd = Keep(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  static void Say(int fd) { EXPECT_EQ(send(fd, "x", 1, MSG_NOSIGNAL), 1); }
  // Whether the other end has closed it, now or soon.
  static bool IsClosed(int fd, int millis = 20'000) {
    pollfd closed{fd, POLLRDHUP, 0};
    return poll(&closed, 1, millis) > 0;
  }
  bool WaitForArrivals(size_t count) {
    return monitor_.Wait([&] { return arrivals_.size() >= count; });
  }

  std::string directory_;
  std::unique_ptr<UnixListener> unix_;
  std::unique_ptr<TcpListener> tcp_;
  std::unique_ptr<Acceptor> acceptor_;
  Monitor monitor_;
  std::vector<Arrival> arrivals_;
  std::vector<int> dialed_;
};

TEST_F(AcceptorTest, LetsInWhoSpeaksAndSaysWhoItIs) {
  Start({});
  const int silent = DialUnix();
  Say(DialUnix());
  ASSERT_TRUE(WaitForArrivals(1));
  Say(DialTcp());
  ASSERT_TRUE(WaitForArrivals(2));
  EXPECT_EQ(arrivals_[0].listener, 0u);
  ASSERT_TRUE(arrivals_[0].process.has_value());
  EXPECT_EQ(arrivals_[0].process->uid, getuid());
  EXPECT_EQ(arrivals_[0].process->gid, getgid());
  EXPECT_EQ(arrivals_[0].process->pid, getpid());
  EXPECT_TRUE(fcntl(arrivals_[0].fd, F_GETFL) & O_NONBLOCK);
  EXPECT_TRUE(fcntl(arrivals_[0].fd, F_GETFD) & FD_CLOEXEC);
  EXPECT_EQ(arrivals_[1].listener, 1u);
  EXPECT_FALSE(arrivals_[1].process.has_value());
  char byte = 0;
  EXPECT_EQ(recv(arrivals_[1].fd, &byte, 1, 0), 1) << "what was said is there to be read";
  EXPECT_TRUE(Eventually([&] { return acceptor_->waiting() == 1; }));
  acceptor_->Stop();
  EXPECT_TRUE(IsClosed(silent));
}

TEST_F(AcceptorTest, ClosesWhoDoesNotSpeakInTime) {
  Start({.patience = std::chrono::milliseconds(50)});
  const int silent = DialUnix();
  EXPECT_TRUE(IsClosed(silent));
  EXPECT_EQ(acceptor_->waiting(), 0u);
  EXPECT_TRUE(arrivals_.empty());
}

TEST_F(AcceptorTest, WhoLeavesWithoutAWordIsForgotten) {
  Start({});
  const int fd = DialUnix();
  ASSERT_TRUE(Eventually([&] { return acceptor_->waiting() == 1; }));
  shutdown(fd, SHUT_RDWR);
  EXPECT_TRUE(Eventually([&] { return acceptor_->waiting() == 0; }));
  EXPECT_TRUE(arrivals_.empty());
}

TEST_F(AcceptorTest, ThousandsThatNeverSpeakMakeRoomForEachOther) {
  Start({.max_waiting = 10});
  const int first = DialUnix();
  for (int i = 0; i < 50; ++i) DialUnix();
  EXPECT_TRUE(IsClosed(first));
  EXPECT_LE(acceptor_->waiting(), 10u);
  Say(DialUnix());
  EXPECT_TRUE(WaitForArrivals(1));
}

TEST_F(AcceptorTest, AWantOfDescriptorsNeitherSpinsNorLasts) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan probes memory through a pipe: without descriptors it reports good objects";
#endif
  Start({});
  Say(DialUnix());
  ASSERT_TRUE(WaitForArrivals(1));
  rlimit old{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  int highest = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    highest = std::max(highest, std::stoi(entry.path().filename()));
  }
  int next = 0;  // none below it is free
  while (next <= highest) next = Keep(open("/dev/null", O_RDONLY | O_CLOEXEC));
  // This one for the client's end; the acceptor's would be the next.
  const rlimit low{static_cast<rlim_t>(next + 2), old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const int late = DialUnix();
  Say(late);
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  getrusage(RUSAGE_SELF, &after);
  const auto used = [](const rusage& usage) {
    return usage.ru_utime.tv_usec + usage.ru_stime.tv_usec +
           1'000'000 * (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
  };
  EXPECT_LT(used(after) - used(before), 100'000) << "microseconds of 300,000: it spins";
  EXPECT_EQ(arrivals_.size(), 1u);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(WaitForArrivals(2)) << "it was not let in when there were descriptors again";
}

}  // namespace
}  // namespace talkjsd::net
