// The commands of `talkjsctl emulator` that make things go wrong: status, fault, connections,
// clock.
#ifndef TALKJSD_TALKJSCTL_EMULATOR_CONTROL_H_
#define TALKJSD_TALKJSCTL_EMULATOR_CONTROL_H_

#include <functional>

#include "client/talkjsctl/emulator_commands.h"

namespace talkjsd::talkjsctl {

// Adds them to the group; parsing one of them sets `run`. What is given outlives it.
void AddEmulatorControl(CLI::App& group, const GlobalOptions& global,
                        const EmulatorOptions& options, std::function<int()>& run);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_EMULATOR_CONTROL_H_
