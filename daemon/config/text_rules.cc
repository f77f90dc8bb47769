#include "daemon/config/text_rules.h"

#include <sys/un.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <iterator>
#include <optional>
#include <string_view>

#include "daemon/base/error.h"
#include "daemon/config/loopback.h"

namespace talkjsd::config {
namespace {

constexpr std::string_view kUnix = "unix://";
constexpr size_t kMaxSocketPath = sizeof(sockaddr_un::sun_path) - 1;

using Rule = std::string (*)(const std::string& text);

bool IsGraphic(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > ' ' && c < 0x7f; });
}

std::string UnixPath(const std::string& text) {
  const std::string path = text.substr(kUnix.size());
  if (path.size() < 2 || path.front() != '/' || path.back() == '/') {
    return "must have an absolute path with three slashes, as unix:///path";
  }
  if (path.size() > kMaxSocketPath) {
    return "has a longer path than sockets may have: " + std::to_string(kMaxSocketPath) + " bytes";
  }
  return "";
}

std::string ListenerAddress(const std::string& text) {
  if (IsUnixAddress(text)) return UnixPath(text);
  const absl::StatusOr<HostPort> address = ParseHostPort(text);
  if (!address.ok()) return "must be unix:///path, or an IP address or localhost with a port";
  return "";
}

std::string Mode(const std::string& text) {
  unsigned mode = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, mode, 8);
  // The owner reads and writes; nobody executes.
  const bool fits = result.ec == std::errc() && result.ptr == end && text.size() == 4 &&
                    (mode & 0600U) == 0600U && (mode & ~0666U) == 0;
  return fits ? "" : "must be an octal mode from 0600 to 0666, such as 0660";
}

std::string PolicyName(const std::string& text) {
  return text.size() <= 64 && IsGraphic(text)
             ? ""
             : "must be a name of 1 to 64 characters without spaces";
}

std::string LoopbackListener(const std::string& text) {
  const absl::StatusOr<HostPort> address = ParseLoopback(text);
  return address.ok() ? "" : std::string(MessageOf(address.status()));
}

// Of a listener that asks nobody who they are.
std::string AdminListener(const std::string& text) {
  return IsUnixAddress(text) ? UnixPath(text) : LoopbackListener(text);
}

std::string UpstreamHost(const std::string& text) {
  const bool odd = !IsGraphic(text) || text.find_first_of("/@") != std::string::npos;
  return odd ? "must be a host, or host:port, without scheme and path" : "";
}

// A host, and a port from 1 to 65535.
bool IsHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const std::string_view host = text.substr(0, colon);
  const bool is_v6 = host.front() == '[' && host.back() == ']' && host.size() > 2;
  if (!is_v6 && host.find_first_of(":[]") != std::string_view::npos) return false;
  uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data() + colon + 1, end, port);
  return result.ec == std::errc() && result.ptr == end && port != 0;
}

std::string Proxy(const std::string& text) {
  constexpr std::string_view kHttp = "http://";
  if (text == "direct") return "";
  if (text.find('@') != std::string::npos) {
    return "must not have credentials: put them into the file of proxy_credentials_file";
  }
  const bool fits = text.starts_with(kHttp) && IsGraphic(text) &&
                    text.find_first_of("/?#", kHttp.size()) == std::string::npos &&
                    IsHostPort(std::string_view(text).substr(kHttp.size()));
  return fits ? "" : "must be http://host:port, or direct";
}

std::string NoProxyEntry(const std::string& text) {
  const bool fits = IsGraphic(text) && text.find_first_of(",@") == std::string::npos;
  return fits ? "" : "must be a name, an address, a network or *; one an entry";
}

std::string AppId(const std::string& text) {
  const bool fits = text.size() <= 64 && std::all_of(text.begin(), text.end(), [](unsigned char c) {
                      return std::isalnum(c) != 0 || c == '_' || c == '-';
                    });
  return fits ? "" : "must be 1 to 64 characters of A-Z a-z 0-9 _ -";
}

std::string UserId(const std::string& text) {
  return text.size() <= 255 ? "" : "must be at most 255 bytes";
}

std::string TokenUrl(const std::string& text) {
  const bool tls = text.starts_with("https://");
  if (!IsGraphic(text) || (!tls && !text.starts_with("http://"))) {
    return "must begin with https://, or http:// and a loopback address";
  }
  const size_t begin = text.find("://") + 3;
  std::string host = text.substr(begin, text.find_first_of("/?#", begin) - begin);
  if (host.empty() || host.find('@') != std::string::npos) {
    return "must have a host, and no user before it";
  }
  const bool has_port = host.find(':') != std::string::npos && host.back() != ']';
  if (!has_port) host += tls ? ":443" : ":80";
  if (!IsHostPort(host)) return "must have a host, and a port from 1 to 65535 if any";
  if (!tls && !ParseLoopback(host).ok()) {
    return "must begin with https://; http:// is for loopback addresses only";
  }
  return "";
}

constexpr struct {
  std::string_view field;
  Rule rule;
} kRules[] = {
    {"Listener.address", ListenerAddress},
    {"Listener.mode", Mode},
    {"Policy.name", PolicyName},
    {"Admin.listen", AdminListener},
    {"Upstream.host", UpstreamHost},
    {"Upstream.proxy", Proxy},
    {"Upstream.no_proxy", NoProxyEntry},
    {"Emulator.listen", LoopbackListener},
    {"Emulator.app_id", AppId},
    {"DeclaredSession.app_id", AppId},
    {"DeclaredSession.user_id", UserId},
    {"DeclaredSession.token_url", TokenUrl},
};

}  // namespace

std::string CheckText(const google::protobuf::FieldDescriptor& field, const std::string& text) {
  const std::string name = field.containing_type()->name() + "." + field.name();
  const auto* const rule = std::find_if(std::begin(kRules), std::end(kRules),
                                        [&](const auto& entry) { return entry.field == name; });
  return rule == std::end(kRules) ? "" : rule->rule(text);
}

bool IsUnixAddress(const std::string& address) { return address.starts_with(kUnix); }

bool IsLoopbackAddress(const std::string& address) { return ParseLoopback(address).ok(); }

}  // namespace talkjsd::config
