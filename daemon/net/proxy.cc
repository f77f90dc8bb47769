#include "daemon/net/proxy.h"

#include <absl/strings/ascii.h>
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::net {
namespace {

// 4 or 16 bytes.
struct Address {
  std::array<unsigned char, 16> bytes{};
  int bits = 0;
};

std::optional<Address> ParseAddress(const std::string& text) {
  Address address;
  if (inet_pton(AF_INET, text.c_str(), address.bytes.data()) == 1) {
    address.bits = 32;
  } else if (inet_pton(AF_INET6, text.c_str(), address.bytes.data()) == 1) {
    address.bits = 128;
  } else {
    return std::nullopt;
  }
  return address;
}

bool SamePrefix(const Address& a, const Address& b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
  const int rest = bits % 8;
  return rest == 0 || (a.bytes[whole] ^ b.bytes[whole]) >> (8 - rest) == 0;
}

// "10.0.0.0/8" or "10.0.0.1".
bool Contains(std::string_view network, const Address& address) {
  const size_t slash = network.find('/');
  const std::optional<Address> base = ParseAddress(std::string(network.substr(0, slash)));
  if (!base.has_value() || base->bits != address.bits) return false;
  int bits = base->bits;
  if (slash != std::string_view::npos) {
    const char* const end = network.data() + network.size();
    const auto parsed = std::from_chars(network.data() + slash + 1, end, bits);
    if (parsed.ec != std::errc() || parsed.ptr != end || bits < 0 || bits > base->bits) {
      return false;
    }
  }
  return SamePrefix(*base, address, bits);
}

bool Matches(std::string_view entry, std::string_view host, const std::optional<Address>& address) {
  if (entry == "*") return true;
  if (address.has_value()) return Contains(entry, *address);
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.empty() || !host.ends_with(entry)) return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}

std::string Normal(std::string_view text) {
  std::string result(text);
  absl::AsciiStrToLower(&result);
  if (result.size() > 1 && result.back() == '.') result.pop_back();
  return result;
}

}  // namespace

std::string Proxy::Name() const {
  return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" +
         std::to_string(port);
}

std::string ProxyRefused(const Proxy& proxy, int status) {
  constexpr int kAuthenticationRequired = 407;
  const std::string name = "the proxy " + proxy.Name();
  if (status != kAuthenticationRequired) {
    return name + " answered HTTP status " + std::to_string(status) +
           "; ask its operator whether it lets this host through";
  }
  return proxy.credentials.empty()
             ? name + " wants credentials (407); give upstream.proxy_credentials_file"
             : name + " refused its credentials (407); correct upstream.proxy_credentials_file";
}

std::string ProxyUnreachable(const Proxy& proxy, std::string_view why) {
  return "the proxy " + proxy.Name() + " is not reached (" + std::string(why) +
         "); check upstream.proxy or $HTTPS_PROXY";
}

absl::StatusOr<ProxyRules> ProxyRules::Make(const std::string& proxy, Secret credentials,
                                            std::vector<std::string> no_proxy) {
  ProxyRules rules;
  if (proxy.empty() || proxy == "direct") return rules;
  const absl::StatusOr<Url> url = ParseUrl(proxy);
  if (!url.ok()) return WithContext(url.status(), "the proxy");
  if (url->tls || !proxy.starts_with("http://") || url->target != "/") {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                     "the proxy must be http://host:port");
  }
  rules.proxy_ = {url->host, url->port, std::move(credentials)};
  for (const std::string& entry : no_proxy) rules.no_proxy_.push_back(Normal(entry));
  return rules;
}

const Proxy* ProxyRules::For(std::string_view host) const {
  if (proxy_.host.empty() || IsLoopbackHost(host)) return nullptr;
  const std::string name = Normal(host);
  const std::optional<Address> address = ParseAddress(name);
  const bool direct = std::any_of(no_proxy_.begin(), no_proxy_.end(),
                                  [&](const auto& entry) { return Matches(entry, name, address); });
  return direct ? nullptr : &proxy_;
}

}  // namespace talkjsd::net
