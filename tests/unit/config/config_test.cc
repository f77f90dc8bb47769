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

namespace v1 = talkjs::sidecar::config::v1;

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
  const auto config = Load(arguments, system);
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
  const auto config = Load({}, User());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->values.listeners(0).address(), "unix:///run/user/7/talkjsd/talkjsd.sock");
  EXPECT_EQ(config->values.state().directory(), "/home/u/.local/state/talkjsd");
  EXPECT_EQ(config->values.upstream().host(), "");
  EXPECT_EQ(config->values.message_subscriptions_per_session(), 30);
}

TEST_F(ConfigTest, DefaultsOfRootAndOfSystemd) {
  System root = User({});
  root.is_root = true;
  EXPECT_EQ(Load({}, root)->values.listeners(0).address(), "unix:///run/talkjsd/talkjsd.sock");
  EXPECT_EQ(Load({}, root)->values.state().directory(), "/var/lib/talkjsd");
  System service = User({{"XDG_RUNTIME_DIR", "/r"},
                         {"STATE_DIRECTORY", "/var/lib/a:/var/lib/b"},
                         {"RUNTIME_DIRECTORY", "/run/a:/run/b"}});
  EXPECT_EQ(Load({}, service)->values.listeners(0).address(), "unix:///run/a/talkjsd.sock");
  EXPECT_EQ(Load({}, service)->values.state().directory(), "/var/lib/a");
}

TEST_F(ConfigTest, TakesValuesInBothForms) {
  const auto config =
      Load({"--shards=4", "--max-sessions", "7", "--log-format", "json", "--listen=unix:///x/y",
            "--upstream-host", "localhost:1", "--metrics=127.0.0.1:0"},
           User());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->values.shards(), 4);
  EXPECT_EQ(config->values.limits().sessions(), 7);
  EXPECT_EQ(config->values.log().format(), v1::LOG_FORMAT_JSON);
  EXPECT_EQ(config->values.listeners(0).address(), "unix:///x/y");
  EXPECT_EQ(config->values.upstream().host(), "localhost:1");
  EXPECT_EQ(config->values.admin().listen(), "127.0.0.1:0");
}

TEST_F(ConfigTest, TheJournalsFlags) {
  const auto defaults = Load({}, User());
  EXPECT_EQ(defaults->values.state().journal_durability(), v1::DURABILITY_OS);
  EXPECT_EQ(ToDuration(defaults->values.state().journal_retention_age()),
            std::chrono::hours(7 * 24));
  EXPECT_EQ(defaults->values.state().journal_retention_bytes(), 1 << 30);
  const auto config = Load({"--journal-durability=disk", "--journal-retention-age", "90m",
                            "--journal-retention-size=256MiB"},
                           User());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->values.state().journal_durability(), v1::DURABILITY_DISK);
  EXPECT_EQ(ToDuration(config->values.state().journal_retention_age()), std::chrono::minutes(90));
  EXPECT_EQ(config->values.state().journal_retention_bytes(), 256 << 20);
  EXPECT_EQ(
      Load({"--journal-retention-size=1TiB"}, User())->values.state().journal_retention_bytes(),
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
  EXPECT_THAT(ErrorOf({}, User({{"HOME", "/h"}})), HasSubstr("--listen is needed"));
}

TEST_F(ConfigTest, TheEmulatorsKeyComesFromAFileOrTheEnvironment) {
  EXPECT_EQ(Load({"--emulator"}, User())->emulator_secret_key.Expose(), "sk_test_demo");
  EXPECT_EQ(Load({"--emulator"},
                 User({{"XDG_RUNTIME_DIR", "/r"}, {"HOME", "/h"}, {"TALKJS_SECRET_KEY", "sk_env"}}))
                ->emulator_secret_key.Expose(),
            "sk_env");
  const std::string file = Write("sk_file\n");
  EXPECT_EQ(Load({"--emulator", "--emulator-secret-key-file", file}, User())
                ->emulator_secret_key.Expose(),
            "sk_file");
  EXPECT_THAT(ErrorOf({"--emulator", "--emulator-secret-key-file", Write(" \n")}),
              HasSubstr("is empty"));
  EXPECT_THAT(ErrorOf({"--emulator", "--emulator-secret-key-file", "/nonexistent"}),
              HasSubstr("/nonexistent: No such file"));
}

TEST_F(ConfigTest, HelpAndVersionNeedNothingElse) {
  EXPECT_EQ(Load({"--help"}, User({}))->action, Action::kShowHelp);
  EXPECT_EQ(Load({"--version"}, User({}))->action, Action::kShowVersion);
  EXPECT_THAT(HelpText(), HasSubstr("--message-subscriptions-per-session N"));
}

TEST_F(ConfigTest, FlagsWinOverTheEnvironmentAndThisOverTheFile) {
  const std::string file = Write(
      "state: {directory: /file}\nlog: {level: error, format: json}\nshards: 2\n"
      "listeners: [{address: 'unix:///a'}, {address: 'unix:///b'}]\n");
  const auto only_file = Load({"--config", file}, User());
  ASSERT_TRUE(only_file.ok()) << only_file.status();
  EXPECT_EQ(only_file->file, file);
  EXPECT_EQ(only_file->values.listeners_size(), 2);
  EXPECT_EQ(only_file->values.listeners(1).policies(0).name(), "default");
  EXPECT_EQ(only_file->values.state().directory(), "/file");
  const System system = User({{"TALKJSD_CONFIG", file},
                              {"TALKJSD_STATE_DIR", "/variable"},
                              {"TALKJSD_LOG_LEVEL", "debug"},
                              {"TALKJSD_LISTEN", "unix:///c"}});
  const auto config = Load({"--log-level=warning"}, system);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->values.log().level(), v1::LOG_LEVEL_WARNING);
  EXPECT_EQ(config->values.log().format(), v1::LOG_FORMAT_JSON);
  EXPECT_EQ(config->values.state().directory(), "/variable");
  EXPECT_EQ(config->values.shards(), 2);
  ASSERT_EQ(config->values.listeners_size(), 1);
  EXPECT_EQ(config->values.listeners(0).address(), "unix:///c");
  EXPECT_EQ(config->values.limits().streams(), 10'000);
  EXPECT_EQ(config->values.limits().memory_bytes(), 0);
}

TEST_F(ConfigTest, AProblemSaysWhereItsValueCameFrom) {
  EXPECT_EQ(ErrorOf({"--config=/nonexistent"}), "/nonexistent: No such file or directory");
  EXPECT_THAT(ErrorOf({"--config=/"}), HasSubstr("is a directory"));
  EXPECT_EQ(ErrorOf({}, User({{"XDG_RUNTIME_DIR", "/r"}, {"HOME", "/h"}, {"TALKJSD_LISTEN", "x"}})),
            "$TALKJSD_LISTEN: must be unix:///path; listeners on TCP are declared in the file");
  EXPECT_EQ(ErrorOf({"--listen=unix:///"}),
            "--listen: must have an absolute path with three slashes, as unix:///path");
  EXPECT_EQ(ErrorOf({"--listen=127.0.0.1:1", "--config", Write("shards: 2")}).substr(0, 8),
            "--listen");
  const std::string file = Write("shards: 0\nlimits:\n  sessions: x\n");
  const auto both = Load({"--config", file, "--log-level=x"}, User());
  EXPECT_EQ(std::string(MessageOf(both.status())),
            file + ":1: shards: must be a number from 1 to 64\n" + file +
                ":3: limits.sessions: must be a number from 1 to 1000000\n" +
                "--log-level: must be debug, info, warning or error");
  EXPECT_THAT(ErrorOf({"--config", Write(std::string((1 << 20) + 1, '#'))}),
              HasSubstr("more than 1 MiB"));
}

TEST_F(ConfigTest, CheckConfigLooksAtTheFilesToo) {
  const std::string secret = Write("x");
  std::ofstream(dir_ / "empty");
  std::filesystem::permissions(
      secret, std::filesystem::perms::owner_all | std::filesystem::perms::others_read);
  std::ofstream(dir_ / "c.yaml") << "upstream: {ca_file: " << (dir_ / "none").string() << "}\n"
                                 << "listeners:\n- address: localhost:0\n  tls:\n    "
                                 << "certificate_file: " << secret << "\n    key_file: " << secret
                                 << "\n  policies: [{name: a}]\n"
                                 << "sessions:\n- {app_id: a, user_id: b, token_file: "
                                 << (dir_ / "empty").string() << "}\n";
  const std::string file = dir_ / "c.yaml";
  const auto checked = Load({"--check-config", "--config", file}, User());
  EXPECT_EQ(std::string(MessageOf(checked.status())),
            file + ":6: listeners[0].tls.key_file: " + secret +
                " can be read or written by everybody; chmod o= it\n" + file +
                ":1: upstream.ca_file: " + (dir_ / "none").string() +
                ": No such file or directory\n" + file +
                ":9: sessions[0].token_file: " + (dir_ / "empty").string() + " is empty");
  EXPECT_TRUE(Load({"--config", file}, User()).ok());
  EXPECT_EQ(Load({"--check-config"}, User())->action, Action::kCheckConfig);
}

TEST_F(ConfigTest, ASecretFileIsReadWithoutTheSpaceAroundIt) {
  EXPECT_EQ(ReadSecretFile(Write(" abc def\r\n\n"))->Expose(), "abc def");
  EXPECT_FALSE(ReadSecretFile(Write("\n")).ok());
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
