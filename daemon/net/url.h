// URLs of the kinds this project opens: ws, wss, http, https.
#ifndef TALKJSD_NET_URL_H_
#define TALKJSD_NET_URL_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace talkjsd::net {

struct Url {
  bool tls = false;
  std::string host;    // without brackets for IPv6
  uint16_t port = 0;   // the scheme's default filled in
  std::string target;  // path and query, at least "/"

  // As in a Host header: the port only where it is not the default, brackets around IPv6.
  std::string HostHeader() const;
};

// INVALID_ARGUMENT with the part that is wrong. User info and fragments are refused.
absl::StatusOr<Url> ParseUrl(std::string_view text);

// 127.0.0.0/8, ::1, localhost, or a name under it.
bool IsLoopbackHost(std::string_view host);

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_URL_H_
