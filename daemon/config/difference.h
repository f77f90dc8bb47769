// What changed between two configurations.
#ifndef TALKJSD_CONFIG_DIFFERENCE_H_
#define TALKJSD_CONFIG_DIFFERENCE_H_

#include <string>
#include <vector>

#include "talkjs/sidecar/config/v1/config.pb.h"

namespace talkjsd::config {

struct Difference {
  // Keys such as "limits.streams", "listeners[unix:///x].policies", "sessions[app/user]"; each
  // sorted as the proto has them. Values are not told.
  std::vector<std::string> live;     // take effect at a reload
  std::vector<std::string> restart;  // wait for a restart
};

// Of two that have their defaults. Listeners are the same by their address, sessions by app and
// user.
Difference Compare(const talkjs::sidecar::config::v1::Config& before,
                   const talkjs::sidecar::config::v1::Config& after);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_DIFFERENCE_H_
