// The configuration's sessions as the registry takes them.
#ifndef TALKJSD_DECLARE_H_
#define TALKJSD_DECLARE_H_

#include <vector>

#include "daemon/session/declared.h"
#include "talkjs/sidecar/config/v1/config.pb.h"

namespace talkjsd {

// Of a checked configuration. Reads the files that hold a key, a signature or a header; tokens'
// files are the sessions' own.
std::vector<session::Declaration> ToDeclarations(const talkjs::sidecar::config::v1::Config& values);

}  // namespace talkjsd

#endif  // TALKJSD_DECLARE_H_
