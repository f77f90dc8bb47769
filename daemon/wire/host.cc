#include "daemon/wire/host.h"

#include <algorithm>
#include <optional>

#include "daemon/wire/ascii.h"
#include "daemon/wire/path.h"

namespace talkjsd::wire {
namespace {

constexpr std::string_view kDomain = "talkjs.com";

// What the SDK that the protocol notes describe calls itself; servers may look at it.
constexpr std::string_view kCoreVersion = "1.11.2";

bool IsWordCharacter(char c) { return IsDigit(c) || IsLetter(c) || c == '_'; }

// X of "[prefix-]X.talkjs.com", or nullopt if the host has not that form.
std::optional<std::string_view> Environment(std::string_view host) {
  host.remove_suffix(kDomain.size());
  if (host.size() < 2 || host.back() != '.') return std::nullopt;
  host.remove_suffix(1);
  if (host.find('.') != std::string_view::npos) return std::nullopt;
  const size_t dash = host.find('-');
  const bool has_prefix = dash != std::string_view::npos && dash > 0 && dash + 1 < host.size() &&
                          std::all_of(host.begin(), host.begin() + dash, IsWordCharacter);
  return has_prefix ? host.substr(dash + 1) : host;
}

// "1.2.3.4" or "1.2.3.4:80".
bool IsIpv4(std::string_view host) {
  if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    const std::string_view port = host.substr(colon + 1);
    if (port.empty() || !std::all_of(port.begin(), port.end(), IsDigit)) return false;
    host = host.substr(0, colon);
  }
  for (int part = 0; part < 4; ++part) {
    int value = 0;
    size_t digits = 0;
    while (digits < host.size() && digits < 3 && IsDigit(host[digits])) {
      value = value * 10 + (host[digits++] - '0');
    }
    if (digits == 0 || value > 255) return false;
    host.remove_prefix(digits);
    if (part == 3) break;
    if (host.empty() || host.front() != '.') return false;
    host.remove_prefix(1);
  }
  return host.empty();
}

BaseUrls HostedUrls(std::string_view suffix) {
  const std::string tail = std::string(suffix) + "." + std::string(kDomain);
  return {"wss://realtime" + tail + "/v1", "https://app" + tail + "/api/v0",
          "https://api" + tail + "/v1"};
}

// TalkJS run by somebody else, all on one host and port.
BaseUrls OwnUrls(std::string_view host, bool tls) {
  const std::string ws = (tls ? "wss://" : "ws://") + std::string(host);
  const std::string http = (tls ? "https://" : "http://") + std::string(host);
  return {ws + "/public_api/v1", http + "/api/v0", http + "/public_api/v1"};
}

}  // namespace

BaseUrls UrlsForHost(std::string_view host) {
  if (host.empty()) return HostedUrls("");
  if (host.ends_with(kDomain)) {
    const std::optional<std::string_view> environment = Environment(host);
    const bool production = !environment || *environment == "app" || *environment == "cdn" ||
                            *environment == "api" || *environment == "realtime";
    return HostedUrls(production ? "" : "-" + std::string(*environment));
  }
  const bool local = host.find("localhost") != std::string_view::npos ||
                     host.find("localtest.me") != std::string_view::npos || IsIpv4(host);
  return OwnUrls(host, /*tls=*/!local);
}

std::string RealtimeUrl(const BaseUrls& urls, std::string_view app_id, std::string_view user_id,
                        std::string_view client_build, std::string_view client_id, UnixMillis now) {
  std::string url = urls.realtime;
  url += '/';
  url += app_id;
  url += "/realtime/";
  url += EncodeSegment(user_id);
  url += "?talkjs-client-build=";
  url += EncodeSegment(client_build);
  url += "&talkjs-core=";
  url += kCoreVersion;
  url += "&talkjs-client-id=";
  url += client_id;
  url += "&talkjs-time=";
  url += std::to_string(now);
  return url;
}

}  // namespace talkjsd::wire
