// `talkjsctl emulator ...`: a running talkjs-emulator through its control endpoint, and a command
// with an emulator of its own. Functions block and return the exit code, as those of commands.h.
#ifndef TALKJSD_TALKJSCTL_EMULATOR_COMMANDS_H_
#define TALKJSD_TALKJSCTL_EMULATOR_COMMANDS_H_

#include <functional>
#include <string>
#include <vector>

#include "client/talkjsctl/commands.h"

namespace CLI {
class App;
}

namespace talkjsd::talkjsctl {

struct EmulatorOptions {
  std::string address;  // HOST:PORT; empty: $TALKJS_HOST, else 127.0.0.1:7070
  std::string file;     // a document; "-": standard input or output
};

struct EmulatorExecOptions {
  std::vector<std::string> emulator_flags;
  std::vector<std::string> command;
};

// The group with its commands; parsing one of them sets `run`.
void AddEmulatorCommands(CLI::App& app, const GlobalOptions& global, EmulatorOptions& options,
                         EmulatorExecOptions& exec, std::function<int()>& run);

int EmulatorReset(const GlobalOptions& global, const EmulatorOptions& options);
int EmulatorSeed(const GlobalOptions& global, const EmulatorOptions& options);
int EmulatorSnapshot(const GlobalOptions& global, const EmulatorOptions& options);
int EmulatorRestore(const GlobalOptions& global, const EmulatorOptions& options);

// Starts an emulator, runs the command with TALKJS_HOST and TALKJS_APP_ID, stops the emulator, and
// returns the command's exit code: 128 + n for signal n, 127 if there is no such command. Passes
// signals on to the command. Before any thread is started.
int EmulatorExec(const EmulatorExecOptions& options);

// A command line from `emulator exec` on is the emulator's flags, "--", and the command, which is
// taken out of `arguments` here.
std::vector<std::string> TakeExecCommand(std::vector<std::string>& arguments);

// One call of the control endpoint: `path` is what follows /_emulator/v1/. kExitOk with the
// answer's JSON in `answer`, or the exit code after a complaint.
int CallEmulator(const GlobalOptions& global, const EmulatorOptions& options,
                 const std::string& method, const std::string& path, const std::string& body,
                 std::string* answer);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_EMULATOR_COMMANDS_H_
