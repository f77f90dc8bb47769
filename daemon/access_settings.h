// The configuration's listeners, policies and limits, as the API takes them.
#ifndef TALKJSD_ACCESS_SETTINGS_H_
#define TALKJSD_ACCESS_SETTINGS_H_

#include <vector>

#include "daemon/api/access/listener_options.h"
#include "talkjs/sidecar/config/v1/config.pb.h"

namespace talkjsd {

// Of a checked configuration, in which what has a default has it.
std::vector<api::ListenerOptions> ToListeners(const talkjs::sidecar::config::v1::Config& values);
api::Limits ToLimits(const talkjs::sidecar::config::v1::Config& values);

}  // namespace talkjsd

#endif  // TALKJSD_ACCESS_SETTINGS_H_
