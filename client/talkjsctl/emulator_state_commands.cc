// reset, seed, snapshot, restore.
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "client/talkjsctl/emulator_commands.h"
#include "client/talkjsctl/text.h"

namespace talkjsd::talkjsctl {
namespace {

// Posts and prints the answer, which says what is there now.
int Post(const GlobalOptions& global, const EmulatorOptions& options, const std::string& path,
         const std::string& body) {
  std::string answer;
  const int code = CallEmulator(global, options, "POST", path, body, &answer);
  if (code != kExitOk) return code;
  std::cout << answer << "\n";
  return FinishOutput();
}

int PostFile(const GlobalOptions& global, const EmulatorOptions& options, const std::string& path) {
  std::ifstream file;
  if (options.file != "-") file.open(options.file, std::ios::binary);
  std::istream& input = options.file == "-" ? std::cin : file;
  const std::string document((std::istreambuf_iterator<char>(input)),
                             std::istreambuf_iterator<char>());
  if (!file || input.bad()) return FailUsage("cannot read " + options.file);
  if (document.empty()) return FailUsage(options.file + " is empty");
  return Post(global, options, path, document);
}

}  // namespace

int EmulatorReset(const GlobalOptions& global, const EmulatorOptions& options) {
  return Post(global, options, "reset", "{}");
}

int EmulatorSeed(const GlobalOptions& global, const EmulatorOptions& options) {
  return PostFile(global, options, "seed");
}

int EmulatorRestore(const GlobalOptions& global, const EmulatorOptions& options) {
  return PostFile(global, options, "restore");
}

int EmulatorSnapshot(const GlobalOptions& global, const EmulatorOptions& options) {
  std::string document;
  const int code = CallEmulator(global, options, "GET", "snapshot", "", &document);
  if (code != kExitOk) return code;
  document.push_back('\n');
  if (options.file == "-") {
    std::cout << document;
    return FinishOutput();
  }
  std::ofstream file(options.file, std::ios::binary | std::ios::trunc);
  file << document;
  file.close();
  if (file) return kExitOk;
  std::cerr << "talkjsctl: cannot write " << Escape(options.file) << "\n";
  return kExitRefused;
}

}  // namespace talkjsd::talkjsctl
