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

TEST_F(UnixListenerTest, FileHasMode0660WhateverTheUmask) {
  const mode_t old = umask(0);
  auto listener = UnixListener::Open(path_, {.group = "no-such-group-here"});
  umask(old);
  ASSERT_TRUE(listener.ok()) << listener.status();
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0660u);
}

TEST_F(UnixListenerTest, TheFileHasTheModeAndGroupThatAreAskedFor) {
  const std::string own = std::to_string(getgid());
  auto listener = UnixListener::Open(path_, {.mode = 0600, .group = own, .group_required = true});
  ASSERT_TRUE(listener.ok()) << listener.status();
  struct stat info;
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(info.st_gid, getgid());
}

TEST_F(UnixListenerTest, AGroupThatIsRequiredMustExist) {
  const auto listener =
      UnixListener::Open(path_, {.group = "no-such-group-here", .group_required = true});
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(listener.status().ToString().find("no-such-group-here"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(UnixListenerTest, CloseEndsListeningAndDestructionRemovesTheFile) {
  auto listener = UnixListener::Open(path_, {});
  ASSERT_TRUE(listener.ok());
  (*listener)->Close();
  (*listener)->Close();
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
  auto listener = UnixListener::Open(path_, {});
  EXPECT_TRUE(listener.ok()) << listener.status();
}

TEST_F(UnixListenerTest, RefusesALiveSocketAndLeavesItAlone) {
  auto first = UnixListener::Open(path_, {});
  ASSERT_TRUE(first.ok());
  const auto second = UnixListener::Open(path_, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.status().ToString().find("another process is listening"), std::string::npos);
  EXPECT_NE(second.status().ToString().find(path_), std::string::npos);
  const int fd = Dial(path_);
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST_F(UnixListenerTest, DoesNotRemoveItsSuccessorsFile) {
  auto first = UnixListener::Open(path_, {});
  ASSERT_TRUE(first.ok());
  (*first)->Close();
  auto second = UnixListener::Open(path_, {});
  ASSERT_TRUE(second.ok()) << second.status();
  first->reset();
  const int fd = Dial(path_);
  EXPECT_GE(fd, 0);
  close(fd);
}

TEST_F(UnixListenerTest, RefusesAPathThatHoldsAnotherFile) {
  std::ofstream(path_) << "precious";
  const auto listener = UnixListener::Open(path_, {});
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(std::filesystem::exists(path_));
}

TEST_F(UnixListenerTest, NamesTheMissingDirectory) {
  const auto listener = UnixListener::Open(directory_ + "/gone/d.sock", {});
  EXPECT_EQ(listener.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(listener.status().ToString().find("directory " + directory_ + "/gone"),
            std::string::npos);
}

TEST_F(UnixListenerTest, RefusesAPathThatIsTooLong) {
  const auto listener = UnixListener::Open(directory_ + "/" + std::string(108, 'a'), {});
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
    EXPECT_TRUE(fcntl((*listener)->fd(), F_GETFL) & O_NONBLOCK);
    EXPECT_TRUE(fcntl((*listener)->fd(), F_GETFD) & FD_CLOEXEC);
    // The early one, then the one that came between the rounds.
    const int accepted = accept((*listener)->fd(), nullptr, nullptr);
    EXPECT_GE(accepted, 0);
    close(accepted);
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
