#include "daemon/config/config.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/config/loopback.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::config {
namespace {

absl::Status Bad(const std::string& message) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD, message);
}

// What the flags say, before files are read and values are compared with each other.
struct Parsed {
  Config config;
  std::string secret_key_file;
  bool emulator_detail = false;  // some --emulator-... flag was given
};

using Apply = absl::Status (*)(std::string_view value, Parsed& parsed);

struct Flag {
  std::string_view name;
  std::string_view value;  // its name in the help; empty: a switch
  std::string_view help;
  std::string_view fallback;  // the default, in words
  Apply apply;
};

// The smallest and largest value of a flag that is a number.
template <int Config::*field, int min, int max>
absl::Status Number(std::string_view text, Parsed& parsed) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc() || result.ptr != end || value < min || value > max) {
    return Bad("must be a number from " + std::to_string(min) + " to " + std::to_string(max));
  }
  parsed.config.*field = value;
  return absl::OkStatus();
}

template <std::string Config::*field>
absl::Status Text(std::string_view text, Parsed& parsed) {
  if (text.empty()) return Bad("must not be empty");
  parsed.config.*field = std::string(text);
  return absl::OkStatus();
}

template <std::string Config::*field>
absl::Status Loopback(std::string_view text, Parsed& parsed) {
  const absl::StatusOr<HostPort> address = ParseLoopback(text);
  if (!address.ok()) return address.status();
  parsed.config.*field = std::string(text);
  return absl::OkStatus();
}

absl::Status Durability(std::string_view text, Parsed& parsed) {
  if (text != "os" && text != "disk") return Bad("must be os or disk");
  parsed.config.journal_durability =
      text == "disk" ? Config::Durability::kDisk : Config::Durability::kOs;
  return absl::OkStatus();
}

struct Unit {
  std::string_view name;
  int64_t factor;
};

// A whole number and one of the units, as "7d". Nothing if it is not, or not in [min, max].
template <size_t count>
std::optional<int64_t> Amount(std::string_view text, const Unit (&units)[count], int64_t min,
                              int64_t max) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (text.empty() || result.ec != std::errc() || number < 0) return std::nullopt;
  const std::string_view rest(result.ptr, static_cast<size_t>(end - result.ptr));
  for (const Unit& unit : units) {
    if (rest != unit.name) continue;
    if (number > max / unit.factor || number * unit.factor < min) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

absl::Status RetentionAge(std::string_view text, Parsed& parsed) {
  constexpr int64_t kDay = 86'400;
  constexpr Unit kUnits[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", kDay}};
  const std::optional<int64_t> seconds = Amount(text, kUnits, 60, 3650 * kDay);
  if (!seconds.has_value()) {
    return Bad("must be a number with s, m, h or d, from 60s to 3650d, such as 7d");
  }
  parsed.config.journal_retention_age = std::chrono::seconds(*seconds);
  return absl::OkStatus();
}

absl::Status RetentionSize(std::string_view text, Parsed& parsed) {
  constexpr int64_t kMiB = 1 << 20;
  constexpr Unit kUnits[] = {{"MiB", kMiB}, {"GiB", 1024 * kMiB}, {"TiB", 1024 * 1024 * kMiB}};
  const std::optional<int64_t> bytes = Amount(text, kUnits, 16 * kMiB, 1024 * 1024 * kMiB);
  if (!bytes.has_value()) {
    return Bad("must be a number with MiB, GiB or TiB, from 16MiB to 1TiB, such as 1GiB");
  }
  parsed.config.journal_retention_bytes = *bytes;
  return absl::OkStatus();
}

absl::Status UpstreamHost(std::string_view text, Parsed& parsed) {
  const bool odd = std::any_of(text.begin(), text.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '/' || c == '@';
  });
  if (text.empty() || odd) return Bad("must be a host, or host:port, without scheme and path");
  parsed.config.upstream_host = std::string(text);
  return absl::OkStatus();
}

absl::Status Level(std::string_view text, Parsed& parsed) {
  constexpr std::pair<std::string_view, LogLevel> kLevels[] = {{"debug", LogLevel::kDebug},
                                                               {"info", LogLevel::kInfo},
                                                               {"warning", LogLevel::kWarning},
                                                               {"error", LogLevel::kError}};
  for (const auto& [name, level] : kLevels) {
    if (text != name) continue;
    parsed.config.log_level = level;
    return absl::OkStatus();
  }
  return Bad("must be debug, info, warning or error");
}

absl::Status Format(std::string_view text, Parsed& parsed) {
  if (text != "text" && text != "json") return Bad("must be text or json");
  parsed.config.log_format = text == "json" ? LogFormat::kJson : LogFormat::kText;
  return absl::OkStatus();
}

template <Config::Action action>
absl::Status Show(std::string_view, Parsed& parsed) {
  parsed.config.action = action;
  return absl::OkStatus();
}

absl::Status Emulator(std::string_view, Parsed& parsed) {
  parsed.config.emulator = true;
  return absl::OkStatus();
}

template <Apply apply>
absl::Status OfEmulator(std::string_view text, Parsed& parsed) {
  parsed.emulator_detail = true;
  return apply(text, parsed);
}

absl::Status SecretKeyFile(std::string_view text, Parsed& parsed) {
  if (text.empty()) return Bad("must not be empty");
  parsed.secret_key_file = std::string(text);
  return absl::OkStatus();
}

constexpr Flag kFlags[] = {
    {"listen", "ADDRESS", "where local clients connect, as unix:///path",
     "unix:///run/talkjsd/talkjsd.sock as root, else unix://$XDG_RUNTIME_DIR/talkjsd/talkjsd.sock",
     Text<&Config::listen>},
    {"state-dir", "DIR", "where the daemon keeps what must outlive it; one daemon a directory",
     "$STATE_DIRECTORY, else /var/lib/talkjsd as root, else ~/.local/state/talkjsd",
     Text<&Config::state_dir>},
    {"journal-durability", "MODE",
     "what stored events survive: os, any end of the daemon; disk, power loss too", "os",
     Durability},
    {"journal-retention-age", "AGE", "how long events are kept, with s, m, h or d; 60s to 3650d",
     "7d", RetentionAge},
    {"journal-retention-size", "SIZE",
     "bytes beyond which the oldest events go earlier, with MiB, GiB or TiB; 16MiB to 1TiB", "1GiB",
     RetentionSize},
    {"emulator", "", "start the built-in TalkJS emulator and use it as TalkJS", "off", Emulator},
    {"emulator-listen", "HOST:PORT", "loopback address of the emulator; port 0 picks one",
     "127.0.0.1:0", OfEmulator<Loopback<&Config::emulator_listen>>},
    {"emulator-app-id", "ID", "the app that the emulator serves", "demo",
     OfEmulator<Text<&Config::emulator_app_id>>},
    {"emulator-secret-key-file", "FILE", "file with that app's secret key",
     "$TALKJS_SECRET_KEY, else the key sk_test_demo", OfEmulator<SecretKeyFile>},
    {"upstream-host", "HOST", "what to use as TalkJS, as the SDK's host option", "TalkJS itself",
     UpstreamHost},
    {"metrics", "HOST:PORT", "loopback address that serves /metrics and /healthz", "off",
     Loopback<&Config::metrics>},
    {"message-subscriptions-per-session", "N",
     "conversations of a session followed at a time, 1 to 1000", "30",
     Number<&Config::message_subscriptions_per_session, 1, 1000>},
    {"max-sessions", "N", "sessions at most, 1 to 1000000", "10000",
     Number<&Config::max_sessions, 1, 1'000'000>},
    {"shards", "N", "threads that sessions are spread over, 1 to 64", "1",
     Number<&Config::shards, 1, 64>},
    {"ca-file", "FILE", "PEM certificates to trust instead of the system's",
     "the system's certificates", Text<&Config::ca_file>},
    {"log-level", "LEVEL", "debug, info, warning or error", "info", Level},
    {"log-format", "FORMAT", "text or json, on stderr", "text", Format},
    {"version", "", "print the version and exit", "", Show<Config::Action::kShowVersion>},
    {"help", "", "print this and exit", "", Show<Config::Action::kShowHelp>},
};

absl::Status ParseArguments(const std::vector<std::string>& arguments, Parsed& parsed) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (!argument.starts_with("--")) {
      return Bad("unexpected argument '" + arguments[i] + "': flags begin with --; see --help");
    }
    const size_t equals = argument.find('=');
    const std::string_view name =
        argument.substr(2, equals == std::string_view::npos ? equals : equals - 2);
    const auto* const flag = std::find_if(std::begin(kFlags), std::end(kFlags),
                                          [&](const Flag& entry) { return entry.name == name; });
    if (flag == std::end(kFlags)) {
      return Bad("unknown flag --" + std::string(name) + "; see --help");
    }
    std::string_view value;
    if (equals != std::string_view::npos) {
      if (flag->value.empty()) return Bad("--" + std::string(name) + " takes no value");
      value = argument.substr(equals + 1);
    } else if (!flag->value.empty()) {
      if (i + 1 == arguments.size()) return Bad("--" + std::string(name) + " needs a value");
      value = arguments[++i];
    }
    if (const absl::Status applied = flag->apply(value, parsed); !applied.ok()) {
      return WithContext(applied, "--" + std::string(name));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Secret> ReadSecretFile(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (!file) return Bad("--emulator-secret-key-file: cannot read " + path);
  const auto is_space = [](char c) { return c == '\n' || c == '\r' || c == ' ' || c == '\t'; };
  while (!text.empty() && is_space(text.back())) text.pop_back();
  if (text.empty()) return Bad("--emulator-secret-key-file: " + path + " is empty");
  return Secret(std::move(text));
}

absl::Status FillDefaults(const System& system, Config& config) {
  if (config.listen.empty()) {
    const std::string runtime = system.environment("XDG_RUNTIME_DIR");
    if (!system.is_root && runtime.empty()) {
      return Bad("--listen is needed: XDG_RUNTIME_DIR is not set");
    }
    config.listen = "unix://" + (system.is_root ? "/run" : runtime) + "/talkjsd/talkjsd.sock";
  }
  if (config.state_dir.empty()) {
    const std::string given = system.environment("STATE_DIRECTORY");  // systemd: a list with ":"
    const std::string home = system.environment("HOME");
    if (!given.empty()) {
      config.state_dir = given.substr(0, given.find(':'));
    } else if (system.is_root) {
      config.state_dir = "/var/lib/talkjsd";
    } else if (!home.empty()) {
      config.state_dir = home + "/.local/state/talkjsd";
    } else {
      return Bad("--state-dir is needed: HOME is not set");
    }
  }
  return absl::OkStatus();
}

}  // namespace

System ThisProcess() {
  System system;
  system.environment = [](const char* variable) {
    const char* value = std::getenv(variable);
    return std::string(value != nullptr ? value : "");
  };
  system.is_root = ::geteuid() == 0;
  return system;
}

absl::StatusOr<Config> ParseFlags(const std::vector<std::string>& arguments, const System& system) {
  Parsed parsed;
  Config& config = parsed.config;
  if (const absl::Status status = ParseArguments(arguments, parsed); !status.ok()) return status;
  if (config.action != Config::Action::kRun) return config;
  if (config.emulator && !config.upstream_host.empty()) {
    return Bad("--emulator and --upstream-host exclude each other: both name what plays TalkJS");
  }
  if (parsed.emulator_detail && !config.emulator) {
    return Bad("flags that begin with --emulator- need --emulator");
  }
  if (!parsed.secret_key_file.empty()) {
    absl::StatusOr<Secret> key = ReadSecretFile(parsed.secret_key_file);
    if (!key.ok()) return key.status();
    config.emulator_secret_key = *std::move(key);
  } else if (std::string key = system.environment("TALKJS_SECRET_KEY"); !key.empty()) {
    config.emulator_secret_key = Secret(std::move(key));
  }
  if (const absl::Status status = FillDefaults(system, config); !status.ok()) return status;
  if (config.state_dir.front() != '/') return Bad("--state-dir: must be an absolute path");
  return config;
}

std::string HelpText() {
  std::string text =
      "talkjsd holds TalkJS sessions and streams their messages to local clients over gRPC.\n\n"
      "usage: talkjsd [flags]\n\n";
  for (const Flag& flag : kFlags) {
    text.append("  --").append(flag.name);
    if (!flag.value.empty()) text.append(" ").append(flag.value);
    text.append("\n        ").append(flag.help);
    if (!flag.fallback.empty()) text.append("\n        default: ").append(flag.fallback);
    text.append("\n");
  }
  text +=
      "\nExit codes: 0 ended as asked, 1 cannot start or go on, 2 flags that make no sense.\n"
      "Secrets are never flags: they come in files, over the API or in the environment.\n";
  return text;
}

}  // namespace talkjsd::config
