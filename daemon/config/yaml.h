// YAML into a message: keys are the fields' names.
#ifndef TALKJSD_CONFIG_YAML_H_
#define TALKJSD_CONFIG_YAML_H_

#include <google/protobuf/message.h>

#include <string>

#include "daemon/config/problems.h"
#include "daemon/config/system.h"

namespace talkjsd::config {

// Reads `text` into `message`, and where each key was given into `places`, as "`name`:LINE".
// Whatever the text is, problems are all that can go wrong; what is right beside them is set. Keys
// without a value are as if they were not there where they stand for a mapping or a list.
void ReadYaml(const std::string& text, const std::string& name, const System& system,
              google::protobuf::Message* message, Places* places, Problems* problems);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_YAML_H_
