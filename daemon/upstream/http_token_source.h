// Tokens from an HTTP endpoint of the app's backend.
#ifndef TALKJSD_UPSTREAM_HTTP_TOKEN_SOURCE_H_
#define TALKJSD_UPSTREAM_HTTP_TOKEN_SOURCE_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>
#include <string_view>

#include "daemon/net/event_loop.h"
#include "daemon/net/http_client.h"
#include "daemon/upstream/token_fetcher.h"
#include "daemon/upstream/token_source.h"

namespace talkjsd::upstream {

// The endpoint is told the app and user: "app_id" and "user_id", in a JSON object with POST, in the
// query with GET. Whatever it does wrong is TokenResult::kTrouble, each with a reason of its own:
// it is asked again with back-off.
std::unique_ptr<TokenSource> MakeHttpTokenSource(HttpFetcher fetcher, TokenOwner owner,
                                                 net::EventLoop& loop, net::HttpClient& http);

// What MakeHttpTokenSource sends.
net::HttpRequest TokenRequest(const HttpFetcher& fetcher, std::string_view app_id,
                              std::string_view user_id);

// The token in what came back, unchecked; or the TOKEN_FETCH_ reason why there is none. The
// messages name the endpoint's scheme, host and port and quote nothing of the answer.
absl::StatusOr<Secret> ReadTokenResponse(const HttpFetcher& fetcher,
                                         const absl::StatusOr<net::HttpResponse>& response);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_HTTP_TOKEN_SOURCE_H_
