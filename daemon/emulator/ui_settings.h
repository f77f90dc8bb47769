// What TalkJS's components ask for before they show anything: features and permissions of the app.
// For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_UI_SETTINGS_H_
#define TALKJSD_EMULATOR_UI_SETTINGS_H_

#include <absl/status/statusor.h>

#include <string_view>

#include "daemon/wire/json.h"

namespace talkjsd::emulator {

// The answer for every role: all features on and TalkJS's own configuration, except for what
// `changes` says. Its `features` and `configuration` take the place of those, its `appMetadata` is
// put over the rest. BAD_REQUEST naming a property that is wrong or unknown: the components show
// nothing, and say nothing, when they get settings that they cannot read.
absl::StatusOr<wire::json::object> UiSettings(std::string_view app_id,
                                              const wire::json::object& changes);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_UI_SETTINGS_H_
