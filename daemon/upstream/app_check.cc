#include "daemon/upstream/app_check.h"

#include <algorithm>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;

absl::StatusOr<bool> Exists(const absl::StatusOr<net::HttpResponse>& response) {
  if (!response.ok()) {
    if (absl::IsDeadlineExceeded(response.status())) return response.status();
    return MakeError(absl::StatusCode::kUnavailable, ReasonOf(response.status()),
                     MessageOf(response.status()));
  }
  if (response->status == 200) return true;
  if (response->status == 404) return false;
  const std::string status = std::to_string(response->status);
  return WithMetadata(
      MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_REFUSED,
                "asking for the app failed: TalkJS answered " + status + "; try again later"),
      "status", status);
}

}  // namespace

void CheckApp(net::HttpClient& http, std::string_view internal_url, std::string_view app_id,
              Duration timeout, AppCheckDone done) {
  net::HttpRequest request;
  request.url = std::string(internal_url).append("/").append(wire::EncodeSegment(app_id));
  request.headers = {"Content-Type: application/json"};
  // None at all would be for ever.
  request.timeout = std::max<Duration>(timeout, std::chrono::milliseconds(1));
  http.Fetch(std::move(request),
             [done = std::move(done)](const absl::StatusOr<net::HttpResponse>& response) {
               done(Exists(response));
             });
}

}  // namespace talkjsd::upstream
