// The command line and the environment: the same keys as the file's, under names of their own.
#ifndef TALKJSD_CONFIG_FLAGS_H_
#define TALKJSD_CONFIG_FLAGS_H_

#include <absl/status/status.h>

#include <string>
#include <vector>

#include "daemon/config/problems.h"
#include "daemon/config/system.h"
#include "talkjs/sidecar/config/v1/config.pb.h"

namespace talkjsd::config {

enum class Action { kRun, kShowHelp, kShowVersion, kCheckConfig };

// What a command line says that is no key of the file.
struct CommandLine {
  Action action = Action::kRun;
  std::string file;                                        // --config
  std::vector<std::pair<std::string, std::string>> flags;  // name and value, in order
};

// "--name=value" or "--name value", switches as "--name". INVALID_ARGUMENT with one line that names
// the flag that there is not, or whose value is missing.
absl::Status ParseCommandLine(const std::vector<std::string>& arguments, CommandLine* line);

// Sets what the flags say; what they replace is forgotten. A value that cannot be is a problem.
void ApplyFlags(const CommandLine& line, const System& system,
                talkjs::sidecar::config::v1::Config* values, Places* places, Problems* problems);

// The same for environment variables.
void ApplyEnvironment(const System& system, talkjs::sidecar::config::v1::Config* values,
                      Places* places, Problems* problems);

// For --help: every flag and variable with its meaning, unit and default.
std::string HelpText();

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_FLAGS_H_
