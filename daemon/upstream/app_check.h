// Does TalkJS have an app with this id? (realtime.md 6.13)
#ifndef TALKJSD_UPSTREAM_APP_CHECK_H_
#define TALKJSD_UPSTREAM_APP_CHECK_H_

#include <absl/status/statusor.h>

#include <functional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/net/http_client.h"

namespace talkjsd::upstream {

using AppCheckDone = std::function<void(const absl::StatusOr<bool>&)>;

// `done` runs on the HTTP client's thread; what is not known is an error: UNAVAILABLE
// (UPSTREAM_UNAVAILABLE, UPSTREAM_REFUSED, UPSTREAM_PROTOCOL_ERROR) or DEADLINE_EXCEEDED
// (UPSTREAM_TIMEOUT). `internal_url` as in wire::BaseUrls.
void CheckApp(net::HttpClient& http, std::string_view internal_url, std::string_view app_id,
              Duration timeout, AppCheckDone done);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_APP_CHECK_H_
