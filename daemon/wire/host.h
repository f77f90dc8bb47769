// Where TalkJS is (realtime.md section 1).
#ifndef TALKJSD_WIRE_HOST_H_
#define TALKJSD_WIRE_HOST_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace talkjsd::wire {

struct BaseUrls {
  std::string realtime;  // ws:// or wss://, without a trailing slash
  std::string internal;  // http:// or https://
  std::string rest;
};

// From the SDK's `host` option; empty means TalkJS production.
BaseUrls UrlsForHost(std::string_view host);

// The URL of one connection attempt (1.2). `client_id`: decimal digits, fixed for a session's life.
std::string RealtimeUrl(const BaseUrls& urls, std::string_view app_id, std::string_view user_id,
                        std::string_view client_build, std::string_view client_id, UnixMillis now);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_HOST_H_
