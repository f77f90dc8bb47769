#include "daemon/net/url.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::net {
namespace {

// Messages never show the whole URL: its query may hold a token.
absl::Status Bad(std::string_view what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD, what);
}

std::string Lower(std::string_view text) {
  std::string result(text);
  absl::AsciiStrToLower(&result);
  return result;
}

bool IsIpv4(const std::string& host) {
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1;
}

bool IsIpv6(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool IsHostName(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  return std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
  });
}

struct Scheme {
  std::string_view name;
  bool tls;
};
constexpr Scheme kSchemes[] = {{"ws", false}, {"wss", true}, {"http", false}, {"https", true}};

// "host", "host:port", "[v6]" or "[v6]:port".
absl::Status ParseAuthority(std::string_view authority, Url* url) {
  if (authority.find('@') != std::string_view::npos) {
    return Bad("the URL holds user information; remove what is before the \"@\"");
  }
  std::string_view port;
  bool has_port = false;
  if (!authority.empty() && authority.front() == '[') {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return Bad("the URL's IPv6 address has no closing bracket");
    url->host = Lower(authority.substr(1, end - 1));
    if (!IsIpv6(url->host)) return Bad("the URL's host in brackets is not an IPv6 address");
    const std::string_view rest = authority.substr(end + 1);
    has_port = !rest.empty();
    if (has_port && rest.front() != ':') return Bad("the URL has text after the IPv6 address");
    if (has_port) port = rest.substr(1);
  } else {
    const size_t colon = authority.find(':');
    has_port = colon != std::string_view::npos;
    url->host = Lower(authority.substr(0, colon));
    if (has_port) port = authority.substr(colon + 1);
    if (url->host.empty()) return Bad("the URL has no host");
    if (!IsHostName(url->host)) return Bad("the URL's host is not a host name or address");
  }
  url->port = url->tls ? 443 : 80;
  if (!has_port) return absl::OkStatus();
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url->port);
  if (error != std::errc() || end != port.data() + port.size() || url->port == 0) {
    return Bad("the URL's port is not a number from 1 to 65535");
  }
  return absl::OkStatus();
}

}  // namespace

std::string Url::HostHeader() const {
  std::string result = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) result += ":" + std::to_string(port);
  return result;
}

absl::StatusOr<Url> ParseUrl(std::string_view text) {
  const size_t scheme_end = text.find("://");
  const std::string scheme = Lower(text.substr(0, std::min(scheme_end, text.size())));
  const auto* known = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                   [&](const Scheme& s) { return s.name == scheme; });
  if (scheme_end == std::string_view::npos || known == std::end(kSchemes)) {
    return Bad("the URL does not begin with ws://, wss://, http:// or https://");
  }
  std::string_view rest = text.substr(scheme_end + 3);
  if (rest.find('#') != std::string_view::npos) return Bad("the URL has a fragment (\"#...\")");
  const size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());

  Url url;
  url.tls = known->tls;
  const absl::Status authority = ParseAuthority(rest.substr(0, authority_end), &url);
  if (!authority.ok()) return authority;

  const std::string_view target = rest.substr(authority_end);
  if (!std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < 0x7f; })) {
    return Bad("the URL's path or query has a space, control or non-ASCII character; escape it");
  }
  url.target = target;
  if (url.target.empty() || url.target.front() != '/') url.target.insert(0, "/");
  return url;
}

bool IsLoopbackHost(std::string_view host) {
  std::string name = Lower(host);
  if (IsIpv4(name)) return absl::StartsWith(name, "127.");
  in6_addr address;
  if (inet_pton(AF_INET6, name.c_str(), &address) == 1) return IN6_IS_ADDR_LOOPBACK(&address);
  if (!name.empty() && name.back() == '.') name.pop_back();
  return name == "localhost" || absl::EndsWith(name, ".localhost");
}

}  // namespace talkjsd::net
