// Which hosts are reached through an HTTP proxy, for curl and our own WebSocket alike.
#ifndef TALKJSD_NET_PROXY_H_
#define TALKJSD_NET_PROXY_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/secret.h"
#include "daemon/net/url.h"

namespace talkjsd::net {

struct Proxy {
  std::string host;  // without brackets for IPv6
  uint16_t port = 0;
  Secret credentials;  // "user:password"; empty: none

  std::string Name() const;  // "host:port", for messages and URLs
};

// For messages: what a person can do about a proxy that answered CONNECT with this HTTP status, or
// that was not reached.
std::string ProxyRefused(const Proxy& proxy, int status);
std::string ProxyUnreachable(const Proxy& proxy, std::string_view why);

// Thread-safe; does not change.
class ProxyRules {
 public:
  ProxyRules() = default;  // everything is reached directly

  // `proxy`: "http://host:port"; empty or "direct": none. `no_proxy`: hosts that are reached
  // directly, as curl's NO_PROXY has them: a name stands for itself and all names under it (a dot
  // before it changes nothing), an address for itself, "10.0.0.0/8" for a network, "*" for all.
  static absl::StatusOr<ProxyRules> Make(const std::string& proxy, Secret credentials,
                                         std::vector<std::string> no_proxy);

  // Null: directly. Loopback hosts always are. Valid as long as the rules.
  const Proxy* For(std::string_view host) const;

 private:
  Proxy proxy_;  // without a host: none
  std::vector<std::string> no_proxy_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_PROXY_H_
