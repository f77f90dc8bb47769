// reset, seed, snapshot, restore.
#include <fstream>
#include <iostream>
#include <iterator>

#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

constexpr char kStandardStream[] = "-";

// Posts, and shows what is there now.
int Post(const EmulatorCommandLine& line, const std::string& path, const std::string& body) {
  const ControlAnswer answer = CallEmulator(line, "POST", path, body);
  if (!answer.ok) return FailControl("cannot " + path, answer);
  if (line.global->json) {
    std::cout << ToJsonText(answer.json) << "\n";
    return FinishOutput();
  }
  std::vector<std::vector<std::string>> rows;
  for (const char* name : {"users", "conversations", "messages"}) {
    const auto found = answer.json.fields().find(name);
    if (found != answer.json.fields().end()) rows.push_back({name, Show(found->second)});
  }
  std::cout << Table(rows);
  return FinishOutput();
}

int PostFile(const EmulatorCommandLine& line, const std::string& path) {
  std::ifstream file;
  const bool from_standard_input = line.file == kStandardStream;
  if (!from_standard_input) file.open(line.file, std::ios::binary);
  std::istream& input = from_standard_input ? std::cin : file;
  const std::string document((std::istreambuf_iterator<char>(input)),
                             std::istreambuf_iterator<char>());
  if (!file || input.bad()) return FailUsage("cannot read " + line.file);
  if (document.empty()) return FailUsage(line.file + " is empty");
  return Post(line, path, document);
}

int WriteSnapshot(const EmulatorCommandLine& line) {
  const ControlAnswer answer = CallEmulator(line, "GET", "snapshot");
  if (!answer.ok) return FailControl("cannot take a snapshot", answer);
  if (line.file.empty() || line.file == kStandardStream) {
    std::cout << answer.text << "\n";
    return FinishOutput();
  }
  std::ofstream file(line.file, std::ios::binary | std::ios::trunc);
  file << answer.text << "\n";
  file.close();
  if (file) return kExitOk;
  std::cerr << "talkjsctl: cannot write " << Escape(line.file) << "\n";
  return kExitRefused;
}

}  // namespace

void AddEmulatorState(CLI::App& group, EmulatorCommandLine& line, RunCommand& run) {
  group.add_subcommand("reset", "Forget everything, and go back to the seed it was started with")
      ->callback([&line, &run] { run = [&line] { return Post(line, "reset", "{}"); }; });

  CLI::App* seed = group.add_subcommand("seed", "Merge a seed with what is there");
  seed->add_option("file", line.file, "The seed, JSON; - reads standard input")
      ->type_name("FILE")
      ->required();
  seed->callback([&line, &run] { run = [&line] { return PostFile(line, "seed"); }; });

  CLI::App* snapshot = group.add_subcommand("snapshot", "Write everything as one document");
  snapshot->add_option("file", line.file, "Where to; without it, or for -, standard output")
      ->type_name("FILE");
  snapshot->callback([&line, &run] { run = [&line] { return WriteSnapshot(line); }; });

  CLI::App* restore = group.add_subcommand("restore", "Put a snapshot in place of everything");
  restore->add_option("file", line.file, "The snapshot; - reads standard input")
      ->type_name("FILE")
      ->required();
  restore->callback([&line, &run] { run = [&line] { return PostFile(line, "restore"); }; });
}

}  // namespace talkjsd::talkjsctl
