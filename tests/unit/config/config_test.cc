#include "daemon/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "daemon/base/error.h"
#include "daemon/config/loopback.h"
#include "daemon/config/state_dir.h"

namespace talkjsd::config {
namespace {

using testing::HasSubstr;

System User(std::map<std::string, std::string> variables = {{"XDG_RUNTIME_DIR", "/run/user/7"},
                                                            {"HOME", "/home/u"}}) {
  System system;
  system.environment = [variables](const char* name) {
    const auto it = variables.find(name);
    return it == variables.end() ? std::string() : it->second;
  };
  return system;
}

std::string ErrorOf(const std::vector<std::string>& arguments, const System& system = User()) {
  const auto config = ParseFlags(arguments, system);
  EXPECT_TRUE(absl::IsInvalidArgument(config.status())) << config.status();
  const std::string message(MessageOf(config.status()));
  EXPECT_EQ(message.find('\n'), std::string::npos) << "more than one line";
  return message;
}

class ConfigTest : public testing::Test {
 protected:
  ConfigTest()
      : dir_(std::filesystem::temp_directory_path() / ("config_test." + std::to_string(getpid()))) {
    std::filesystem::create_directory(dir_);
  }
  ~ConfigTest() override { std::filesystem::remove_all(dir_); }
  std::string Write(const std::string& text) const {
    std::ofstream(dir_ / "file") << text;
    return dir_ / "file";
  }
  const std::filesystem::path dir_;
};

TEST_F(ConfigTest, DefaultsOfAUser) {
  const auto config = ParseFlags({}, User());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->listen, "unix:///run/user/7/talkjsd/talkjsd.sock");
  EXPECT_EQ(config->state_dir, "/home/u/.local/state/talkjsd");
  EXPECT_EQ(config->upstream_host, "");
  EXPECT_EQ(config->message_subscriptions_per_session, 30);
}

TEST_F(ConfigTest, DefaultsOfRootAndOfSystemd) {
  System root = User({});
  root.is_root = true;
  EXPECT_EQ(ParseFlags({}, root)->listen, "unix:///run/talkjsd/talkjsd.sock");
  EXPECT_EQ(ParseFlags({}, root)->state_dir, "/var/lib/talkjsd");
  System service = User({{"XDG_RUNTIME_DIR", "/r"}, {"STATE_DIRECTORY", "/var/lib/a:/var/lib/b"}});
  EXPECT_EQ(ParseFlags({}, service)->state_dir, "/var/lib/a");
}

TEST_F(ConfigTest, TakesValuesInBothForms) {
  const auto config = ParseFlags(
      {"--shards=4", "--max-sessions", "7", "--log-format", "json", "--listen=unix:///x/y",
       "--upstream-host", "localhost:1", "--metrics=127.0.0.1:0"},
      User());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->shards, 4);
  EXPECT_EQ(config->max_sessions, 7);
  EXPECT_EQ(config->log_format, LogFormat::kJson);
  EXPECT_EQ(config->listen, "unix:///x/y");
  EXPECT_EQ(config->upstream_host, "localhost:1");
  EXPECT_EQ(config->metrics, "127.0.0.1:0");
}

TEST_F(ConfigTest, TheJournalsFlags) {
  const auto defaults = ParseFlags({}, User());
  EXPECT_EQ(defaults->journal_durability, Config::Durability::kOs);
  EXPECT_EQ(defaults->journal_retention_age, std::chrono::hours(7 * 24));
  EXPECT_EQ(defaults->journal_retention_bytes, 1 << 30);
  const auto config = ParseFlags({"--journal-durability=disk", "--journal-retention-age", "90m",
                                  "--journal-retention-size=256MiB"},
                                 User());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->journal_durability, Config::Durability::kDisk);
  EXPECT_EQ(config->journal_retention_age, std::chrono::minutes(90));
  EXPECT_EQ(config->journal_retention_bytes, 256 << 20);
  EXPECT_EQ(ParseFlags({"--journal-retention-size=1TiB"}, User())->journal_retention_bytes,
            int64_t{1} << 40);
  EXPECT_THAT(ErrorOf({"--journal-durability=full"}), HasSubstr("must be os or disk"));
  for (const char* age : {"", "7", "d", "59s", "3651d", "-7d", "7 d", "99999999999999999999d"}) {
    EXPECT_THAT(ErrorOf({std::string("--journal-retention-age=") + age}), HasSubstr("such as 7d"));
  }
  for (const char* size : {"", "1", "1GB", "15MiB", "2TiB", "-1GiB", "9999999999999TiB"}) {
    EXPECT_THAT(ErrorOf({std::string("--journal-retention-size=") + size}),
                HasSubstr("such as 1GiB"));
  }
}

TEST_F(ConfigTest, WhatMakesNoSenseIsOneLineThatNamesTheFlag) {
  EXPECT_THAT(ErrorOf({"--shard=1"}), HasSubstr("unknown flag --shard"));
  EXPECT_THAT(ErrorOf({"run"}), HasSubstr("unexpected argument 'run'"));
  EXPECT_THAT(ErrorOf({"--listen"}), HasSubstr("--listen needs a value"));
  EXPECT_THAT(ErrorOf({"--emulator=yes"}), HasSubstr("--emulator takes no value"));
  for (const char* number : {"", "0", "65", "x", "4x", "-1", "99999999999999999999"}) {
    EXPECT_THAT(ErrorOf({std::string("--shards=") + number}), HasSubstr("--shards")) << number;
  }
  EXPECT_THAT(ErrorOf({"--message-subscriptions-per-session=1001"}), HasSubstr("1 to 1000"));
  EXPECT_THAT(ErrorOf({"--log-level=loud"}), HasSubstr("--log-level"));
  EXPECT_THAT(ErrorOf({"--upstream-host=http://x"}), HasSubstr("--upstream-host"));
  EXPECT_THAT(ErrorOf({"--emulator", "--upstream-host=x"}), HasSubstr("exclude each other"));
  EXPECT_THAT(ErrorOf({"--emulator-app-id=x"}), HasSubstr("need --emulator"));
  EXPECT_THAT(ErrorOf({"--metrics=0.0.0.0:80"}), HasSubstr("loopback"));
  EXPECT_THAT(ErrorOf({"--emulator", "--emulator-listen=1.2.3.4:1"}), HasSubstr("loopback"));
  EXPECT_THAT(ErrorOf({"--state-dir=relative"}), HasSubstr("absolute"));
  EXPECT_THAT(ErrorOf({}, User({})), HasSubstr("--listen is needed"));
}

TEST_F(ConfigTest, TheEmulatorsKeyComesFromAFileOrTheEnvironment) {
  EXPECT_EQ(ParseFlags({"--emulator"}, User())->emulator_secret_key.Expose(), "sk_test_demo");
  EXPECT_EQ(
      ParseFlags({"--emulator"},
                 User({{"XDG_RUNTIME_DIR", "/r"}, {"HOME", "/h"}, {"TALKJS_SECRET_KEY", "sk_env"}}))
          ->emulator_secret_key.Expose(),
      "sk_env");
  const std::string file = Write("sk_file\n");
  EXPECT_EQ(ParseFlags({"--emulator", "--emulator-secret-key-file", file}, User())
                ->emulator_secret_key.Expose(),
            "sk_file");
  EXPECT_THAT(ErrorOf({"--emulator", "--emulator-secret-key-file", Write(" \n")}),
              HasSubstr("is empty"));
  EXPECT_THAT(ErrorOf({"--emulator", "--emulator-secret-key-file", "/nonexistent"}),
              HasSubstr("cannot read /nonexistent"));
}

TEST_F(ConfigTest, HelpAndVersionNeedNothingElse) {
  EXPECT_EQ(ParseFlags({"--help"}, User({}))->action, Config::Action::kShowHelp);
  EXPECT_EQ(ParseFlags({"--version"}, User({}))->action, Config::Action::kShowVersion);
  EXPECT_THAT(HelpText(), HasSubstr("--message-subscriptions-per-session N"));
}

TEST_F(ConfigTest, LoopbackAddresses) {
  EXPECT_EQ(ParseLoopback("127.0.0.1:80")->port, 80);
  EXPECT_EQ(ParseLoopback("127.9.9.9:80")->host, "127.9.9.9");
  EXPECT_EQ(ParseLoopback("localhost:1")->host, "127.0.0.1");
  EXPECT_EQ(ParseLoopback("[::1]:1")->host, "::1");
  for (const char* bad : {"", "80", ":80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536",
                          "127.0.0.1:x", "[::]:1", "10.0.0.1:1", "example.com:1"}) {
    EXPECT_FALSE(ParseLoopback(bad).ok()) << bad;
  }
}

TEST_F(ConfigTest, AStateDirectoryIsMadePrivateAndBelongsToOneDaemon) {
  const std::string path = dir_ / "deep" / "state";
  auto first = StateDir::Open(path);
  ASSERT_TRUE(first.ok()) << first.status();
  using std::filesystem::perms;
  EXPECT_EQ(std::filesystem::status(path).permissions(), perms::owner_all);
  const auto second = StateDir::Open(path);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_THAT(std::string(MessageOf(second.status())), HasSubstr(path));
  first->reset();
  EXPECT_TRUE(StateDir::Open(path).ok());
}

TEST_F(ConfigTest, AStateDirectoryThatCannotBeMadeIsNamed) {
  const auto failed = StateDir::Open(Write("a file") + "/state");
  EXPECT_THAT(std::string(MessageOf(failed.status())), HasSubstr("/file/state"));
}

}  // namespace
}  // namespace talkjsd::config
