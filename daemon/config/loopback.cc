#include "daemon/config/loopback.h"

#include <arpa/inet.h>

#include <charconv>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::config {
namespace {

absl::Status BadAddress(std::string_view text, std::string_view why) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                   "'" + std::string(text) + "' " + std::string(why));
}

bool IsLoopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  return host == "::1";
}

bool IsAddress(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  return ::inet_pton(AF_INET, host.c_str(), &v4) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &v6) == 1;
}

}  // namespace

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) {
    return BadAddress(text, "has no port; write it as 127.0.0.1:PORT");
  }
  HostPort address;
  address.host = std::string(text.substr(0, colon));
  if (address.host == "localhost") address.host = "127.0.0.1";
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data() + colon + 1, end, address.port);
  if (colon + 1 == text.size() || parsed.ec != std::errc() || parsed.ptr != end) {
    return BadAddress(text, "must end in a port from 0 to 65535");
  }
  if (!IsAddress(address.host)) {
    return BadAddress(text, "is not an IP address; write it as 127.0.0.1:PORT");
  }
  return address;
}

absl::StatusOr<HostPort> ParseLoopback(std::string_view text) {
  absl::StatusOr<HostPort> address = ParseHostPort(text);
  if (address.ok() && !IsLoopback(address->host)) {
    return BadAddress(text, "is not a loopback address; write it as 127.0.0.1:PORT");
  }
  return address;
}

}  // namespace talkjsd::config
