// The proxy that the environment names.
#ifndef TALKJSD_CONFIG_PROXY_ENVIRONMENT_H_
#define TALKJSD_CONFIG_PROXY_ENVIRONMENT_H_

#include "daemon/base/secret.h"
#include "daemon/config/problems.h"
#include "daemon/config/system.h"
#include "talkjs/sidecar/config/v1/config.pb.h"

namespace talkjsd::config {

// Fills in `proxy` from https_proxy or HTTPS_PROXY, and `no_proxy` from no_proxy or NO_PROXY, where
// the configuration has none. "user:password@" goes to *credentials. A problem never quotes the
// value.
void FillProxy(const System& system, talkjs::sidecar::config::v1::Upstream* upstream,
               Secret* credentials, Problems* problems);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_PROXY_ENVIRONMENT_H_
