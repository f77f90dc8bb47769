// Addresses of TCP listeners. Those without authentication are loopback only.
#ifndef TALKJSD_CONFIG_LOOPBACK_H_
#define TALKJSD_CONFIG_LOOPBACK_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace talkjsd::config {

struct HostPort {
  std::string host;  // an address, without brackets
  uint16_t port = 0;
};

// "127.0.0.1:9464", "[::1]:9464" or "localhost:9464"; INVALID_ARGUMENT for what is neither an
// address nor localhost.
absl::StatusOr<HostPort> ParseHostPort(std::string_view text);

// The same; INVALID_ARGUMENT for what is not loopback, too.
absl::StatusOr<HostPort> ParseLoopback(std::string_view text);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_LOOPBACK_H_
