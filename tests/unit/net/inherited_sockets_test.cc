#include "daemon/net/inherited_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace talkjsd::net {
namespace {

class InheritedSocketsTest : public testing::Test {
 protected:
  InheritedSocketsTest() {
    std::string pattern = testing::TempDir() + "/isXXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~InheritedSocketsTest() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }

  int Bind(const std::string& name, int type = SOCK_STREAM, bool listening = true) {
    const int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, Path(name).c_str(), sizeof(address.sun_path) - 1);
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    if (listening) {
      EXPECT_EQ(listen(fd, 8), 0);
    }
    return fd;
  }

  static bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }

  std::string directory_;
};

TEST_F(InheritedSocketsTest, EachIsTakenOnceByItsPath) {
  const int first = Bind("a");
  const int second = Bind("b");
  auto sockets = InheritedSockets::Make({{first, "a.socket"}, {second, "b.socket"}});
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_EQ(sockets->Take(Path("c")), -1);
  EXPECT_EQ(sockets->Take(Path("b")), second);
  EXPECT_EQ(sockets->Take(Path("b")), -1);
  const absl::Status left = sockets->CheckAllTaken();
  EXPECT_EQ(left.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(left.ToString().find("a.socket (" + Path("a") + ")"), std::string::npos) << left;
  EXPECT_EQ(left.ToString().find("b.socket"), std::string::npos) << left;
  EXPECT_EQ(sockets->Take(Path("a")), first);
  EXPECT_TRUE(sockets->CheckAllTaken().ok());
  close(first);
  close(second);
}

TEST_F(InheritedSocketsTest, WhatIsNoListeningUnixStreamIsNamed) {
  const int pipe_or_so = open("/dev/null", O_RDONLY | O_CLOEXEC);
  const int good = Bind("good");
  const int quiet = Bind("quiet", SOCK_STREAM, /*listening=*/false);
  const int packets = Bind("packets", SOCK_SEQPACKET);
  const int internet = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(listen(internet, 1), 0);
  const auto sockets = InheritedSockets::Make({{pipe_or_so, "file"},
                                               {good, "good"},
                                               {quiet, "quiet"},
                                               {packets, "packets"},
                                               {internet, "internet"}});
  ASSERT_EQ(sockets.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(sockets.status().ToString().find("path: file, quiet, packets, internet;"),
            std::string::npos)
      << sockets.status();
  for (const int fd : {pipe_or_so, good, quiet, packets, internet}) EXPECT_FALSE(IsOpen(fd));
}

TEST_F(InheritedSocketsTest, WhatNobodyTookIsClosed) {
  const int fd = Bind("a");
  {
    auto sockets = InheritedSockets::Make({{fd, "a"}});
    ASSERT_TRUE(sockets.ok());
  }
  EXPECT_FALSE(IsOpen(fd));
}

// In a process of its own: the service manager's descriptors have fixed numbers.
int ReadEnvironment(const std::string& directory, const std::string& path) {
  std::filesystem::create_directory(directory);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return 10;
  if (listen(fd, 1) != 0) return 11;
  if (fd != 3 && dup2(fd, 3) != 3) return 12;
  setenv("LISTEN_PID", std::to_string(getpid()).c_str(), 1);
  setenv("LISTEN_FDS", "1", 1);
  setenv("LISTEN_FDNAMES", "talkjsd.socket", 1);
  auto sockets = InheritedSockets::FromServiceManager();
  if (!sockets.ok()) return 13;
  if (std::getenv("LISTEN_FDS") != nullptr) return 14;
  if ((fcntl(3, F_GETFD) & FD_CLOEXEC) == 0) return 15;
  if (sockets->CheckAllTaken().ToString().find("talkjsd.socket (") == std::string::npos) return 16;
  if (sockets->Take(path) != 3) return 17;
  return 0;
}

TEST_F(InheritedSocketsTest, TheServiceManagersEnvironmentIsReadOnce) {
  const pid_t child = fork();
  if (child == 0) _exit(ReadEnvironment(Path("sub"), Path("sub") + "/s"));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(InheritedSocketsEmptyTest, WithoutAServiceManagerThereAreNone) {
  unsetenv("LISTEN_FDS");
  auto sockets = InheritedSockets::FromServiceManager();
  ASSERT_TRUE(sockets.ok()) << sockets.status();
  EXPECT_EQ(sockets->Take("/run/talkjsd/talkjsd.sock"), -1);
  EXPECT_TRUE(sockets->CheckAllTaken().ok());
}

}  // namespace
}  // namespace talkjsd::net
