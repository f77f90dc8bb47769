// What keys must be beside each other, and their defaults.
#ifndef TALKJSD_CONFIG_RULES_H_
#define TALKJSD_CONFIG_RULES_H_

#include "daemon/config/problems.h"
#include "daemon/config/system.h"
#include "talkjs/sidecar/config/v1/config.pb.h"

namespace talkjsd::config {

// Every value is right by itself; are they so together?
void CheckTogether(const talkjs::sidecar::config::v1::Config& values, const Places& places,
                   Problems* problems);

// Fills in what was given nowhere. Adds a problem where no default can be found.
void FillDefaults(const System& system, talkjs::sidecar::config::v1::Config* values,
                  Problems* problems);

// The files that are named can be read and have something in them, and secret ones are not readable
// by others. For --check-config.
void CheckFiles(const talkjs::sidecar::config::v1::Config& values, const Places& places,
                Problems* problems);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_RULES_H_
