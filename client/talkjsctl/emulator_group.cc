#include <iostream>

#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

int ShowOverview(const EmulatorCommandLine& line) {
  const ControlAnswer answer = CallEmulator(line, "GET", "");
  if (!answer.ok) return FailControl("cannot ask the emulator", answer);
  if (line.global->json) {
    std::cout << ToJsonText(answer.json) << "\n";
    return FinishOutput();
  }
  std::vector<std::vector<std::string>> rows = {{"address", EmulatorAddress(line.address)}};
  for (const char* name : {"app_id", "connections", "users", "faults"}) {
    const auto found = answer.json.fields().find(name);
    if (found != answer.json.fields().end()) rows.push_back({name, Show(found->second)});
  }
  std::cout << Table(rows);
  return FinishOutput();
}

}  // namespace

void AddEmulatorCommands(CLI::App& app, EmulatorCommandLine& line, RunCommand& run) {
  CLI::App* group = app.add_subcommand(
      "emulator",
      "Control a running talkjs-emulator: faults, connections, clock, state; or run one");
  group->require_subcommand(1);
  group
      ->add_option("--emulator", line.address,
                   "The emulator (default: $TALKJS_HOST, else 127.0.0.1:7070)")
      ->type_name("HOST:PORT");
  group->add_subcommand("status", "Show what the emulator is and holds")->callback([&line, &run] {
    run = [&line] { return ShowOverview(line); };
  });
  AddEmulatorFaults(*group, line, run);
  AddEmulatorConnections(*group, line, run);
  AddEmulatorClock(*group, line, run);
  AddEmulatorState(*group, line, run);
  AddEmulatorExec(*group, line, run);
}

ControlAnswer CallEmulator(const EmulatorCommandLine& line, const std::string& method,
                           const std::string& path, const std::string& body) {
  const std::chrono::milliseconds timeout(
      static_cast<int64_t>(line.global->timeout_seconds * 1000));
  return CallControl(EmulatorAddress(line.address), method, path, body, timeout);
}

int FailControl(std::string_view what, const ControlAnswer& answer) {
  std::cout.flush();
  std::cerr << "talkjsctl: " << Escape(what) << " (" << Escape(answer.code)
            << "): " << Escape(answer.message) << "\n";
  return answer.unreachable ? kExitUnreachable : kExitRefused;
}

}  // namespace talkjsd::talkjsctl
