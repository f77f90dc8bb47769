#include "daemon/config/flags.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/config/field.h"
#include "daemon/config/text_rules.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::config {
namespace {

namespace v1 = talkjs::sidecar::config::v1;

struct Flag {
  std::string_view name;
  std::string_view value;  // its name in the help; empty: a switch
  std::string_view help;
  std::string_view fallback;  // the default, in words
  std::string_view key;       // of the file; empty: none
};

constexpr Flag kFlags[] = {
    {"config", "FILE", "the configuration file; flags win over it", "$TALKJSD_CONFIG, else none",
     ""},
    {"check-config", "", "say all that is wrong with the configuration, and exit", "", ""},
    {"listen", "ADDRESS",
     "where local clients connect, as unix:///path; replaces the listeners of the file",
     "$RUNTIME_DIRECTORY/talkjsd.sock, else /run/talkjsd/talkjsd.sock as root, else "
     "$XDG_RUNTIME_DIR/talkjsd/talkjsd.sock",
     "listeners"},
    {"state-dir", "DIR", "where the daemon keeps what must outlive it; one daemon a directory",
     "$STATE_DIRECTORY, else /var/lib/talkjsd as root, else ~/.local/state/talkjsd",
     "state.directory"},
    {"journal-durability", "MODE",
     "what stored events survive: os, any end of the daemon; disk, power loss too", "os",
     "state.journal_durability"},
    {"journal-retention-age", "AGE", "how long events are kept, with s, m, h or d; 60s to 3650d",
     "7d", "state.journal_retention_age"},
    {"journal-retention-size", "SIZE",
     "bytes beyond which the oldest events go earlier, with MiB, GiB or TiB; 16MiB to 1TiB", "1GiB",
     "state.journal_retention_bytes"},
    {"emulator", "", "start the built-in TalkJS emulator and use it as TalkJS", "off",
     "emulator.enabled"},
    {"emulator-listen", "HOST:PORT", "loopback address of the emulator; port 0 picks one",
     "127.0.0.1:0", "emulator.listen"},
    {"emulator-app-id", "ID", "the app that the emulator serves", "demo", "emulator.app_id"},
    {"emulator-secret-key-file", "FILE", "file with that app's secret key",
     "$TALKJS_SECRET_KEY, else the key sk_test_demo", "emulator.secret_key_file"},
    {"upstream-host", "HOST", "what to use as TalkJS, as the SDK's host option", "TalkJS itself",
     "upstream.host"},
    {"metrics", "ADDRESS",
     "loopback HOST:PORT or unix:///path that serves the status page, /metrics and /healthz", "off",
     "admin.listen"},
    {"message-subscriptions-per-session", "N",
     "conversations of a session followed at a time, 1 to 1000", "30",
     "message_subscriptions_per_session"},
    {"max-sessions", "N", "sessions at most, 1 to 1000000", "10000", "limits.sessions"},
    {"shards", "N", "threads that sessions are spread over, 1 to 64", "1", "shards"},
    {"ca-file", "FILE", "PEM certificates to trust instead of the system's",
     "the system's certificates", "upstream.ca_file"},
    {"log-level", "LEVEL", "debug, info, warning or error", "info", "log.level"},
    {"log-format", "FORMAT", "text or json, on stderr", "text", "log.format"},
    {"version", "", "print the version and exit", "", ""},
    {"help", "", "print this and exit", "", ""},
};

struct Variable {
  const char* name;
  std::string_view key;
};

// For containers, which set nothing else. Empty ones count as not set.
constexpr Variable kVariables[] = {
    {"TALKJSD_LISTEN", "listeners"},          {"TALKJSD_STATE_DIR", "state.directory"},
    {"TALKJSD_ADMIN_LISTEN", "admin.listen"}, {"TALKJSD_UPSTREAM_HOST", "upstream.host"},
    {"TALKJSD_CA_FILE", "upstream.ca_file"},  {"TALKJSD_LOG_LEVEL", "log.level"},
    {"TALKJSD_LOG_FORMAT", "log.format"},
};

absl::Status BadFlag(const std::string& message) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD, message);
}

const Flag* Find(std::string_view name) {
  const auto* const flag = std::find_if(std::begin(kFlags), std::end(kFlags),
                                        [&](const Flag& entry) { return entry.name == name; });
  return flag == std::end(kFlags) ? nullptr : flag;
}

// Sets `key`, which is in no list.
void Set(std::string_view key, const std::string& text, const std::string& place,
         const System& system, v1::Config* values, Places* places, Problems* problems) {
  google::protobuf::Message* message = values;
  places->Drop(key);
  places->Set(key, place);
  if (key == "listeners") {  // one in place of all
    if (!IsUnixAddress(text)) {
      problems->Add(place, "", "must be unix:///path; listeners on TCP are declared in the file");
      return;
    }
    values->clear_listeners();
    message = values->add_listeners();
    places->Set("listeners[0].address", place);
    key = "address";
  }
  for (size_t dot = key.find('.'); dot != std::string_view::npos; dot = key.find('.')) {
    const auto* const field =
        message->GetDescriptor()->FindFieldByName(std::string(key.substr(0, dot)));
    message = message->GetReflection()->MutableMessage(message, field);
    key = key.substr(dot + 1);
  }
  const auto& field = *message->GetDescriptor()->FindFieldByName(std::string(key));
  Scalar scalar;
  scalar.text = text;
  // A shell's user means the directory that he is in.
  std::error_code error;
  if (field.name().ends_with("_file") && !text.empty()) {
    scalar.text = std::filesystem::absolute(text, error);
  }
  const std::string problem = SetField(field, scalar, system, message);
  if (!problem.empty()) problems->Add(place, "", problem);
}

}  // namespace

absl::Status ParseCommandLine(const std::vector<std::string>& arguments, CommandLine* line) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (!argument.starts_with("--")) {
      return BadFlag("unexpected argument '" + arguments[i] + "': flags begin with --; see --help");
    }
    const size_t equals = argument.find('=');
    const std::string name(
        argument.substr(2, equals == std::string_view::npos ? equals : equals - 2));
    const Flag* const flag = Find(name);
    if (flag == nullptr) return BadFlag("unknown flag --" + name + "; see --help");
    std::string value = "true";
    if (equals != std::string_view::npos) {
      if (flag->value.empty()) return BadFlag("--" + name + " takes no value");
      value = argument.substr(equals + 1);
    } else if (!flag->value.empty()) {
      if (i + 1 == arguments.size()) return BadFlag("--" + name + " needs a value");
      value = arguments[++i];
    }
    if (name == "config" && value.empty()) return BadFlag("--config: must not be empty");
    if (name == "config") line->file = value;
    if (name == "check-config" && line->action == Action::kRun) line->action = Action::kCheckConfig;
    if (name == "version" && line->action != Action::kShowHelp) line->action = Action::kShowVersion;
    if (name == "help") line->action = Action::kShowHelp;
    if (!flag->key.empty()) line->flags.emplace_back(name, value);
  }
  return absl::OkStatus();
}

void ApplyFlags(const CommandLine& line, const System& system, v1::Config* values, Places* places,
                Problems* problems) {
  std::string of_emulator;
  for (const auto& [name, value] : line.flags) {
    if (name.starts_with("emulator-")) of_emulator = "--" + name;
    Set(Find(name)->key, value, "--" + name, system, values, places, problems);
  }
  if (!of_emulator.empty() && !values->emulator().enabled()) {
    problems->Add("", "", of_emulator + ": flags that begin with --emulator- need --emulator");
  }
}

void ApplyEnvironment(const System& system, v1::Config* values, Places* places,
                      Problems* problems) {
  for (const Variable& variable : kVariables) {
    const std::string value = system.environment(variable.name);
    if (value.empty()) continue;
    Set(variable.key, value, std::string("$") + variable.name, system, values, places, problems);
  }
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
  text += "\nEnvironment variables, which flags win over and which win over the file:\n\n";
  for (const Variable& variable : kVariables) {
    text.append("  ").append(variable.name).append("  ").append(variable.key).append("\n");
  }
  text +=
      "\nExit codes: 0 ended as asked, 1 cannot start or go on, 2 flags or a file that make no "
      "sense.\n"
      "Secrets are never flags: they come in files, over the API or in the environment.\n";
  return text;
}

}  // namespace talkjsd::config
