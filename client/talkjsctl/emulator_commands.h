// The commands of `talkjsctl emulator`: each part adds its own to the group, with the options that
// it needs.
#ifndef TALKJSD_TALKJSCTL_EMULATOR_COMMANDS_H_
#define TALKJSD_TALKJSCTL_EMULATOR_COMMANDS_H_

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "client/talkjsctl/commands.h"
#include "client/talkjsctl/emulator_http.h"

namespace talkjsd::talkjsctl {

struct FaultOptions {
  std::string on;
  std::string action;
  std::string user;
  std::string path;
  std::string method;
  std::string event;
  std::optional<int64_t> nth;
  std::optional<int64_t> every;
  std::optional<int64_t> times;
  std::optional<double> probability;
  std::optional<int64_t> seed;
  std::optional<int64_t> ms;
  std::optional<int64_t> status;
  std::string error_code;
  std::vector<std::string> reasons;
  std::optional<int64_t> code;
  std::string reason;
  bool renumber = false;
  int64_t id = 0;  // of the rule to delete
};

struct ConnectionOptions {
  std::string action;  // empty: list
  std::string user;
  std::optional<int64_t> id;
  bool all = false;
  std::optional<int64_t> ms;
  std::optional<int64_t> code;
  std::string reason;
  bool reset = false;
};

struct ClockOptions {
  std::optional<int64_t> advance_ms;
  bool freeze = false;
  bool resume = false;
};

struct EmulatorExecOptions {
  std::vector<std::string> emulator_flags;
  std::vector<std::string> command;
};

// What the commands of the group are given. Outlives the parsed command line.
struct EmulatorCommandLine {
  const GlobalOptions* global = nullptr;
  std::string address;  // --emulator
  FaultOptions fault;
  ConnectionOptions connection;
  ClockOptions clock;
  std::string file;  // a document; "-": standard input or output
  EmulatorExecOptions exec;
};

using RunCommand = std::function<int()>;

// Adds the group. The command that is chosen sets `run`.
void AddEmulatorCommands(CLI::App& app, EmulatorCommandLine& line, RunCommand& run);

// By area.
void AddEmulatorFaults(CLI::App& group, EmulatorCommandLine& line, RunCommand& run);
void AddEmulatorConnections(CLI::App& group, EmulatorCommandLine& line, RunCommand& run);
void AddEmulatorClock(CLI::App& group, EmulatorCommandLine& line, RunCommand& run);
void AddEmulatorState(CLI::App& group, EmulatorCommandLine& line, RunCommand& run);
void AddEmulatorExec(CLI::App& group, EmulatorCommandLine& line, RunCommand& run);

// A command line of `emulator exec` is the emulator's flags, "--", and the command; that is taken
// out of `arguments` here, before they are parsed. Empty for any other command line.
std::vector<std::string> TakeExecCommand(std::vector<std::string>& arguments);

// For the commands themselves: one call of the control endpoint (docs/emulator.md). A refusal is
// printed as "talkjsctl: WHAT (CODE): message".
ControlAnswer CallEmulator(const EmulatorCommandLine& line, const std::string& method,
                           const std::string& path, const std::string& body = "");
int FailControl(std::string_view what, const ControlAnswer& answer);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_EMULATOR_COMMANDS_H_
