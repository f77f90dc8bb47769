// Where the API listens.
#ifndef TALKJSD_API_ADDRESS_H_
#define TALKJSD_API_ADDRESS_H_

#include <absl/status/statusor.h>

#include <string>

namespace talkjsd::api {

// The path of "unix:///run/x.sock". INVALID_ARGUMENT (INVALID_FIELD) for anything else.
absl::StatusOr<std::string> ParseUnixAddress(const std::string& address);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ADDRESS_H_
