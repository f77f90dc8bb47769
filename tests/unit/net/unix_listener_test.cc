#include "daemon/net/unix_listener.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/unit/net/test_support.h"

namespace talkjsd::net {
namespace {

class UnixListenerTest : public testing::Test {
 protected:
  UnixListenerTest() {
    std::string pattern = testing::TempDir() + "/ulXXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/d.sock";
  }
  ~UnixListenerTest() override { std::filesystem::remove_all(directory_); }

  int Dial(const std::string& path) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
    if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return fd;
    close(fd);
    return -1;
  }

  std::string directory_;
  std::string path_;
};

TEST_F(UnixListenerTest, ReportsThePeersCredentials) {
  auto listener = UnixListener::Open(path_, "");
  ASSERT_TRUE(listener.ok()) << listener.status();
  Monitor monitor;
  std::optional<PeerCredentials> seen;
  int flags = 0;
  int descriptor_flags = 0;
  (*listener)->Start([&](int fd, PeerCredentials peer) {
    flags = fcntl(fd, F_GETFL);
    descriptor_flags = fcntl(fd, F_GETFD);
    close(fd);
    monitor.Update([&] { seen = peer; });
  });
  const int fd = Dial(path_);
  ASSERT_GE(fd, 0);
  ASSERT_TRUE(monitor.Wait([&] { return seen.has_value(); }));
  EXPECT_EQ(seen->uid, getuid());
  EXPECT_EQ(seen->gid, getgid());
  EXPECT_EQ(seen->pid, getpid());
  EXPECT_TRUE(flags & O_NONBLOCK);
  EXPECT_TRUE(descriptor_flags & FD_CLOEXEC);
  close(fd);
}

TEST_F(UnixListenerTest, FileHasMode0660WhateverTheUmask) {
  const mode_t old = umask(0);
  auto listener = UnixListener::Open(path_, "no-such-group-here");
  umask(old);
  ASSERT_TRUE(listener.ok()) << listener.status();
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST_F(UnixListenerTest, StopEndsAcceptingAndDestructionRemovesTheFile) {
  auto listener = UnixListener::Open(path_, "");
  ASSERT_TRUE(listener.ok());
  (*listener)->Start([](int fd, PeerCredentials) { close(fd); });
  (*listener)->Stop();
  (*listener)->Stop();
  EXPECT_EQ(Dial(path_), -1);
  listener->reset();
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixListenerTest, ReplacesAStaleSocket) {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof(address.sun_path) - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  close(fd);
  ASSERT_TRUE(std::filesystem::exists(path_));
  auto listener = UnixListener::Open(path_, "");
  EXPECT_TRUE(listener.ok()) << listener.status();
}

TEST_F(UnixListenerTest, RefusesALiveSocketAndLeavesItAlone) {
  auto first = UnixListener::Open(path_, "");
  ASSERT_TRUE(first.ok());
  const auto second = UnixListener::Open(path_, "");
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.status().ToString().find("another process is listening"), std::string::npos);
  EXPECT_NE(second.status().ToString().find(path_), std::string::npos);
  const int fd = Dial(path_);
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST_F(UnixListenerTest, DoesNotRemoveItsSuccessorsFile) {
  auto first = UnixListener::Open(path_, "");
  ASSERT_TRUE(first.ok());
  (*first)->Stop();
  auto second = UnixListener::Open(path_, "");
  ASSERT_TRUE(second.ok()) << second.status();
  first->reset();
  const int fd = Dial(path_);
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST_F(UnixListenerTest, RefusesAPathThatHoldsAnotherFile) {
  std::ofstream(path_) << "precious";
  const auto listener = UnixListener::Open(path_, "");
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixListenerTest, NamesTheMissingDirectory) {
  const auto listener = UnixListener::Open(directory_ + "/gone/d.sock", "");
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(listener.status().ToString().find("directory " + directory_ + "/gone"),
            std::string::npos);
}

TEST_F(UnixListenerTest, RefusesAPathThatIsTooLong) {
  const auto listener = UnixListener::Open(directory_ + "/" + std::string(108, 'a'), "");
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kFailedPrecondition);
}

// As a service manager makes it.
int ListenOn(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(listen(fd, 8), 0);
  return fd;
}

TEST_F(UnixListenerTest, AnAdoptedSocketStaysOpenForItsOwner) {
  const int owned = ListenOn(path_);
  // Connected before anybody accepts.
  const int early = Dial(path_);
  ASSERT_GE(early, 0);
  for (int round = 0; round < 2; ++round) {
    auto listener = UnixListener::Adopt(dup(owned), path_);
    ASSERT_TRUE(listener.ok()) << listener.status();
    Monitor monitor;
    int accepted = 0;
    (*listener)->Start([&](int fd, PeerCredentials peer) {
      EXPECT_EQ(peer.pid, getpid());
      close(fd);
      monitor.Update([&] { ++accepted; });
    });
    // The early one, then the one that came between the rounds.
    ASSERT_TRUE(monitor.Wait([&] { return accepted == 1; }));
    (*listener)->Stop();
    listener->reset();
    EXPECT_TRUE(std::filesystem::exists(path_));
    const int between = Dial(path_);
    EXPECT_GE(between, 0) << "a client that comes meanwhile is refused";
    close(between);
  }
  close(early);
  close(owned);
}

}  // namespace
}  // namespace talkjsd::net
