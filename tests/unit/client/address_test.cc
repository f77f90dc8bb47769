#include "client/cpp/src/address.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace talkjsd::client {
namespace {

struct Machine {
  std::map<std::string, std::string> variables;
  std::set<std::string> sockets;
  bool is_root = false;

  std::string Default() const {
    AddressEnvironment environment;
    environment.variable = [this](const char* name) {
      const auto found = variables.find(name);
      return found == variables.end() ? std::string() : found->second;
    };
    environment.exists = [this](const std::string& path) { return sockets.count(path) != 0; };
    environment.is_root = is_root;
    return DefaultAddress(environment);
  }
};

constexpr char kSystem[] = "/run/talkjsd/talkjsd.sock";
constexpr char kOwn[] = "/run/user/1000/talkjsd/talkjsd.sock";

TEST(DefaultAddressTest, TheVariableWinsOverEverything) {
  const Machine machine{
      {{"TALKJSD_ADDRESS", "127.0.0.1:7000"}, {"XDG_RUNTIME_DIR", "/run/user/0"}}, {kSystem}, true};
  EXPECT_EQ(machine.Default(), "127.0.0.1:7000");
}

TEST(DefaultAddressTest, AnEmptyVariableIsAsNone) {
  const Machine machine{{{"TALKJSD_ADDRESS", ""}}, {}, true};
  EXPECT_EQ(machine.Default(), "unix:///run/talkjsd/talkjsd.sock");
}

TEST(DefaultAddressTest, RootUsesTheSystemSocketEvenWithARuntimeDirectory) {
  const Machine machine{{{"XDG_RUNTIME_DIR", "/run/user/1000"}}, {kOwn}, true};
  EXPECT_EQ(machine.Default(), "unix:///run/talkjsd/talkjsd.sock");
}

TEST(DefaultAddressTest, OthersUseTheirOwnSocketWhenBothExist) {
  const Machine machine{{{"XDG_RUNTIME_DIR", "/run/user/1000"}}, {kOwn, kSystem}, false};
  EXPECT_EQ(machine.Default(), "unix:///run/user/1000/talkjsd/talkjsd.sock");
}

TEST(DefaultAddressTest, OthersUseTheSystemSocketWhenOnlyThatExists) {
  const Machine machine{{{"XDG_RUNTIME_DIR", "/run/user/1000"}}, {kSystem}, false};
  EXPECT_EQ(machine.Default(), "unix:///run/talkjsd/talkjsd.sock");
}

TEST(DefaultAddressTest, OthersUseTheirOwnSocketWhenNoneExistsYet) {
  const Machine machine{{{"XDG_RUNTIME_DIR", "/run/user/1000"}}, {}, false};
  EXPECT_EQ(machine.Default(), "unix:///run/user/1000/talkjsd/talkjsd.sock");
}

TEST(DefaultAddressTest, WithoutARuntimeDirectoryThereIsOnlyTheSystemSocket) {
  EXPECT_EQ((Machine{{}, {}, false}).Default(), "unix:///run/talkjsd/talkjsd.sock");
}

TEST(NormalizeAddressTest, AnAbsolutePathIsAUnixSocketAndTheRestStays) {
  EXPECT_EQ(NormalizeAddress("/tmp/a.sock"), "unix:///tmp/a.sock");
  EXPECT_EQ(NormalizeAddress("unix:a.sock"), "unix:a.sock");
  EXPECT_EQ(NormalizeAddress("localhost:1"), "localhost:1");
}

TEST(UnixSocketPathTest, KnowsBothFormsAndNothingElse) {
  EXPECT_EQ(UnixSocketPath("unix:///tmp/a.sock"), "/tmp/a.sock");
  EXPECT_EQ(UnixSocketPath("unix:a.sock"), "a.sock");
  EXPECT_EQ(UnixSocketPath("localhost:1"), "");
}

}  // namespace
}  // namespace talkjsd::client
