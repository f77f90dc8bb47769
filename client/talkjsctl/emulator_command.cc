// The command line of `talkjsctl emulator ...`.
#include <CLI/CLI.hpp>
#include <algorithm>

#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/emulator_control.h"

namespace talkjsd::talkjsctl {
namespace {

using Command = int (*)(const GlobalOptions&, const EmulatorOptions&);

CLI::App* AddState(CLI::App& group, const char* name, const char* help, Command command,
                   const GlobalOptions& global, EmulatorOptions& options,
                   std::function<int()>& run) {
  CLI::App* added = group.add_subcommand(name, help);
  added->callback([&run, &global, &options, command] {
    run = [&global, &options, command] { return command(global, options); };
  });
  return added;
}

}  // namespace

void AddEmulatorCommands(CLI::App& app, const GlobalOptions& global, EmulatorOptions& options,
                         EmulatorExecOptions& exec, std::function<int()>& run) {
  CLI::App* group =
      app.add_subcommand("emulator", "Control a running talkjs-emulator, or run one for a command");
  group->require_subcommand(1);
  group
      ->add_option("--emulator", options.address,
                   "The emulator (default: $TALKJS_HOST, else 127.0.0.1:7070)")
      ->type_name("HOST:PORT");
  AddState(*group, "reset", "Forget everything, and go back to the seed it was started with",
           EmulatorReset, global, options, run);
  AddState(*group, "seed", "Merge a seed with what is there", EmulatorSeed, global, options, run)
      ->add_option("file", options.file, "The seed, JSON; - reads standard input")
      ->type_name("FILE")
      ->required();
  options.file = "-";
  AddState(*group, "snapshot", "Write everything as one document", EmulatorSnapshot, global,
           options, run)
      ->add_option("file", options.file, "Where to; without it, or for -, standard output")
      ->type_name("FILE");
  AddState(*group, "restore", "Put a snapshot in place of everything", EmulatorRestore, global,
           options, run)
      ->add_option("file", options.file, "The snapshot; - reads standard input")
      ->type_name("FILE")
      ->required();

  AddEmulatorControl(*group, global, options, run);

  CLI::App* command = group->add_subcommand(
      "exec",
      "Run a command with an emulator of its own: talkjsctl emulator exec [EMULATOR FLAGS] -- "
      "COMMAND...; returns the command's exit code");
  command->allow_extras();
  command->fallthrough(false);
  command->callback([&run, &exec, command] {
    exec.emulator_flags = command->remaining();
    run = [&exec] { return EmulatorExec(exec); };
  });
}

std::vector<std::string> TakeExecCommand(std::vector<std::string>& arguments) {
  const auto end = std::find(arguments.begin(), arguments.end(), "--");
  const auto group = std::find(arguments.begin(), end, "emulator");
  const bool is_exec = group != end && std::find(group, end, "exec") != end;
  if (!is_exec || end == arguments.end()) return {};
  std::vector<std::string> command(end + 1, arguments.end());
  arguments.erase(end, arguments.end());
  return command;
}

}  // namespace talkjsd::talkjsctl
