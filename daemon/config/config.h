// What the operator can set.
#ifndef TALKJSD_CONFIG_CONFIG_H_
#define TALKJSD_CONFIG_CONFIG_H_

#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/base/secret.h"

namespace talkjsd::config {

// Checked: every value makes sense by itself and beside the others.
struct Config {
  enum class Action { kRun, kShowHelp, kShowVersion };
  Action action = Action::kRun;

  std::string listen;     // unix:///path
  std::string state_dir;  // absolute

  bool emulator = false;
  std::string emulator_listen = "127.0.0.1:0";
  std::string emulator_app_id = "demo";
  Secret emulator_secret_key{"sk_test_demo"};
  std::string upstream_host;  // the SDK's `host` option; empty: TalkJS production

  enum class Durability { kOs, kDisk };
  Durability journal_durability = Durability::kOs;
  Duration journal_retention_age = std::chrono::hours(24 * 7);
  int64_t journal_retention_bytes = int64_t{1} << 30;

  std::string metrics;  // "127.0.0.1:9464"; empty: none
  std::string ca_file;  // empty: the system's certificates

  int message_subscriptions_per_session = 30;
  int max_sessions = 10'000;
  int shards = 1;

  LogLevel log_level = LogLevel::kInfo;
  LogFormat log_format = LogFormat::kText;
};

// Where defaults come from.
struct System {
  std::function<std::string(const char* variable)> environment;  // empty if not set
  bool is_root = false;
};
// The process's own.
System ThisProcess();

// Flags as "--name=value" or "--name value", switches as "--name". INVALID_ARGUMENT with one line
// that names the flag. Reads the file of --emulator-secret-key-file; touches nothing else. Secrets
// are never flags.
absl::StatusOr<Config> ParseFlags(const std::vector<std::string>& arguments, const System& system);

// For --help: every flag with its meaning, unit and default.
std::string HelpText();

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_CONFIG_H_
