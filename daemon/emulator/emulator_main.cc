// talkjs-emulator: the emulator as a program of its own.
//
// Exit codes: 0 after SIGTERM or SIGINT; 1 if it cannot start; 2 for a command line that is not
// understood.
#include <absl/flags/flag.h>
#include <absl/flags/reflection.h>
#include <absl/strings/numbers.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

#include "daemon/base/descriptor_limit.h"
#include "daemon/base/error.h"
#include "daemon/base/version.h"
#include "daemon/emulator/emulator.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:7070", "HOST:PORT to listen on; port 0 picks one");
ABSL_FLAG(std::string, app_id, "demo", "id of the emulated app");
ABSL_FLAG(std::string, secret_key_file, "",
          "file that holds the app's secret key; without it TALKJS_SECRET_KEY, else sk_test_demo");
ABSL_FLAG(bool, allow_remote_clients, false,
          "listen on an address that is not loopback; the emulator has no access control");
ABSL_FLAG(bool, users_may_send_links, false, "accept link and action nodes in users' messages");
ABSL_FLAG(bool, rest_rate_limits, false,
          "limit the REST API's calls to the rate that TalkJS allows");
ABSL_FLAG(std::string, data_dir, "",
          "directory that keeps the state across restarts; without it the state is in memory");
ABSL_FLAG(std::string, seed, "",
          "JSON file with users and conversations to begin with, and to go back to at a reset");
ABSL_FLAG(std::string, ui_settings, "",
          "JSON file with the features and permissions that TalkJS's UI components are told");

namespace {

constexpr const char* kFlags[] = {"listen",
                                  "app_id",
                                  "secret_key_file",
                                  "allow_remote_clients",
                                  "users_may_send_links",
                                  "rest_rate_limits",
                                  "data_dir",
                                  "seed",
                                  "ui_settings"};
constexpr int kExitUsage = 2;

// Flags are written with dashes and defined with underscores.
std::string Swap(std::string name, char from, char to) {
  std::replace(name.begin(), name.end(), from, to);
  return name;
}

void PrintHelp() {
  std::printf("talkjs-emulator: the TalkJS backend in small, for development and tests\n\n");
  for (const char* name : kFlags) {
    const absl::CommandLineFlag* flag = absl::FindCommandLineFlag(name);
    std::printf("  --%-22s %s (default: %s)\n", Swap(name, '_', '-').c_str(), flag->Help().c_str(),
                flag->DefaultValue().empty() ? "none" : flag->DefaultValue().c_str());
  }
  std::printf("  --%-22s print this\n  --%-22s print the version\n", "help", "version");
}

[[noreturn]] void ExitUsage(const std::string& message) {
  std::fprintf(stderr, "talkjs-emulator: %s (see --help)\n", message.c_str());
  std::exit(kExitUsage);
}

// --name=value, --name value, and --name for true.
void ParseFlags(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    if (name == "--help") {
      PrintHelp();
      std::exit(0);
    }
    if (name == "--version") {
      std::printf("talkjs-emulator %s\n", TALKJSD_VERSION);
      std::exit(0);
    }
    if (!name.starts_with("--")) ExitUsage("unexpected argument: " + argument);
    const std::string known = Swap(name.substr(2), '-', '_');
    if (std::find(std::begin(kFlags), std::end(kFlags), known) == std::end(kFlags)) {
      ExitUsage("unknown flag: " + name);
    }
    absl::CommandLineFlag* flag = absl::FindCommandLineFlag(known);
    std::string value;
    if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (flag->IsOfType<bool>()) {
      value = "true";
    } else if (i + 1 < argc) {
      value = argv[++i];
    } else {
      ExitUsage(name + " needs a value");
    }
    std::string error;
    if (!flag->ParseFrom(value, &error)) ExitUsage(name + ": " + error);
  }
}

void ParseListen(const std::string& listen, talkjsd::emulator::Emulator::Options& options) {
  const size_t colon = listen.rfind(':');
  uint32_t port = 0;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(listen.substr(colon + 1), &port) || port > 65535) {
    ExitUsage("--listen: expected HOST:PORT, not " + listen);
  }
  options.host = listen.substr(0, colon);
  if (options.host.starts_with('[') && options.host.ends_with(']')) {
    options.host = options.host.substr(1, options.host.size() - 2);
  }
  options.port = static_cast<uint16_t>(port);
}

// The key file's first line, or the environment's, or nothing.
std::optional<talkjsd::Secret> ReadKey() {
  const std::string path = absl::GetFlag(FLAGS_secret_key_file);
  if (!path.empty()) {
    std::ifstream file(path);
    std::string key;
    std::getline(file, key);
    if (!file && key.empty()) ExitUsage("--secret-key-file: cannot read a key from " + path);
    while (!key.empty() && (key.back() == '\r' || key.back() == ' ')) key.pop_back();
    return talkjsd::Secret(std::move(key));
  }
  const char* variable = std::getenv("TALKJS_SECRET_KEY");
  if (variable != nullptr && *variable != '\0') return talkjsd::Secret(variable);
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  // Before any thread: all of them inherit the mask, and the signal is taken by sigwait below.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // A file that has reached the size limit is an error of the write, as on a full disk.
  signal(SIGXFSZ, SIG_IGN);

  ParseFlags(argc, argv);
  talkjsd::emulator::Emulator::Options options;
  ParseListen(absl::GetFlag(FLAGS_listen), options);
  options.app_id = absl::GetFlag(FLAGS_app_id);
  options.allow_remote_clients = absl::GetFlag(FLAGS_allow_remote_clients);
  options.users_may_send_links = absl::GetFlag(FLAGS_users_may_send_links);
  options.rest_rate_limits = absl::GetFlag(FLAGS_rest_rate_limits);
  options.data_dir = absl::GetFlag(FLAGS_data_dir);
  options.seed_file = absl::GetFlag(FLAGS_seed);
  options.ui_settings_file = absl::GetFlag(FLAGS_ui_settings);
  if (auto key = ReadKey()) options.secret_key = *std::move(key);
  const std::string shown_host =
      options.host.find(':') == std::string::npos ? options.host : "[" + options.host + "]";

  talkjsd::RaiseDescriptorLimit();
  talkjsd::emulator::Emulator emulator(std::move(options));
  if (absl::Status status = emulator.Start(); !status.ok()) {
    std::fprintf(stderr, "talkjs-emulator: %s\n", std::string(talkjsd::MessageOf(status)).c_str());
    return status.code() == absl::StatusCode::kInvalidArgument ? kExitUsage : 1;
  }
  std::printf("talkjs-emulator listening on %s:%d\n", shown_host.c_str(), emulator.port());
  std::fflush(stdout);
  int received = 0;
  sigwait(&signals, &received);
  return 0;
}
