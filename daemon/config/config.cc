#include "daemon/config/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/config/problems.h"
#include "daemon/config/proxy_environment.h"
#include "daemon/config/rules.h"
#include "daemon/config/yaml.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::config {
namespace {

namespace v1 = talkjs::sidecar::config::v1;

constexpr size_t kMaxFileBytes = 1 << 20;

absl::Status Bad(const std::string& message) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD, message);
}

// The whole of a file of up to kMaxFileBytes.
absl::StatusOr<std::string> ReadFile(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return Bad(path + ": " + std::strerror(errno));
  if (S_ISDIR(info.st_mode)) return Bad(path + " is a directory");
  std::ifstream file(path, std::ios::binary);
  if (!file) return Bad(path + ": " + std::strerror(errno));
  std::string text(kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) return Bad(path + ": cannot be read");
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes) return Bad(path + " has more than 1 MiB");
  return text;
}

// --emulator-secret-key-file or its key, else the environment, else the well-known key.
void FillEmulatorKey(const System& system, const Places& places, Config* config,
                     Problems* problems) {
  const std::string& path = config->values.emulator().secret_key_file();
  if (!path.empty()) {
    absl::StatusOr<Secret> key = ReadSecretFile(path);
    if (key.ok()) {
      config->emulator_secret_key = *std::move(key);
    } else {
      constexpr std::string_view kKey = "emulator.secret_key_file";
      problems->Add(places.Find(kKey), kKey, MessageOf(key.status()));
    }
  } else if (std::string key = system.environment("TALKJS_SECRET_KEY"); !key.empty()) {
    config->emulator_secret_key = Secret(std::move(key));
  }
}

void ReadProxyCredentials(const Places& places, Config* config, Problems* problems) {
  constexpr std::string_view kKey = "upstream.proxy_credentials_file";
  const std::string& path = config->values.upstream().proxy_credentials_file();
  if (path.empty()) return;
  absl::StatusOr<Secret> credentials = ReadSecretFile(path);
  if (!credentials.ok()) {
    problems->Add(places.Find(kKey), kKey, MessageOf(credentials.status()));
  } else if (credentials->Expose().find(':') == std::string_view::npos) {
    problems->Add(places.Find(kKey), kKey, path + " does not hold user:password");
  } else {
    config->proxy_credentials = *std::move(credentials);
  }
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

absl::StatusOr<Config> Load(const std::vector<std::string>& arguments, const System& system) {
  CommandLine line;
  if (const absl::Status parsed = ParseCommandLine(arguments, &line); !parsed.ok()) return parsed;
  Config config;
  config.action = line.action;
  if (line.action == Action::kShowHelp || line.action == Action::kShowVersion) return config;
  Places places;
  Problems problems;
  config.file = line.file.empty() ? system.environment("TALKJSD_CONFIG") : line.file;
  if (!config.file.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(config.file);
    if (!text.ok()) return text.status();
    ReadYaml(*text, config.file, system, &config.values, &places, &problems);
  }
  ApplyEnvironment(system, &config.values, &places, &problems);
  ApplyFlags(line, system, &config.values, &places, &problems);
  CheckTogether(config.values, places, &problems);
  FillDefaults(system, &config.values, &problems);
  FillProxy(system, config.values.mutable_upstream(), &config.proxy_credentials, &problems);
  if (config.action == Action::kCheckConfig) {
    CheckFiles(config.values, places, &problems);
  } else {
    FillEmulatorKey(system, places, &config, &problems);
    ReadProxyCredentials(places, &config, &problems);
  }
  if (!problems.empty()) return problems.ToStatus();
  return config;
}

Duration ToDuration(const google::protobuf::Duration& duration) {
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

LogLevel ToLogLevel(v1::LogLevel level) {
  switch (level) {
    case v1::LOG_LEVEL_DEBUG:
      return LogLevel::kDebug;
    case v1::LOG_LEVEL_WARNING:
      return LogLevel::kWarning;
    case v1::LOG_LEVEL_ERROR:
      return LogLevel::kError;
    default:
      return LogLevel::kInfo;
  }
}

LogFormat ToLogFormat(v1::LogFormat format) {
  return format == v1::LOG_FORMAT_JSON ? LogFormat::kJson : LogFormat::kText;
}

absl::StatusOr<Secret> ReadSecretFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) return text.status();
  constexpr std::string_view kSpace = " \t\r\n";
  const size_t begin = text->find_first_not_of(kSpace);
  if (begin == std::string::npos) return Bad(path + " is empty");
  Secret secret(text->substr(begin, text->find_last_not_of(kSpace) + 1 - begin));
  Secret(*std::move(text));  // overwritten
  return secret;
}

}  // namespace talkjsd::config
