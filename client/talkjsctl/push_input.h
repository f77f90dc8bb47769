// The device of a push registration on the command line.
#ifndef TALKJSD_TALKJSCTL_PUSH_INPUT_H_
#define TALKJSD_TALKJSCTL_PUSH_INPUT_H_

#include <string>

#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::talkjsctl {

// Reads the device's token, which is a secret, from the file ("-": standard input), white space
// around it removed. Both empty: *given is false. Returns an empty string, or the complaint for a
// person.
std::string ReadPushDevice(const std::string& provider, const std::string& file, bool* given,
                           talkjs::sidecar::v1::PushRegistration* device);

}  // namespace talkjsd::talkjsctl

#endif  // TALKJSD_TALKJSCTL_PUSH_INPUT_H_
