// Searching over HTTP, with an answer that clients read line by line (realtime.md 6.12):
// `.../{appId}/me/messages/search` and `.../{appId}/me/conversations/search`.
#ifndef TALKJSD_EMULATOR_HTTP_HTTP_SEARCH_H_
#define TALKJSD_EMULATOR_HTTP_HTTP_SEARCH_H_

#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/app.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// `path` is what follows the app id, "me" first. Needs a bearer token, and shows what its user may
// see. On the app's loop, which goes on with other things after every `slice` messages looked at:
// with fewer than that `respond` is called at once.
void AnswerMe(App& app, const net::ServerRequest& request, const std::vector<std::string>& path,
              std::string_view query, size_t slice, const net::HttpServer::Respond& respond);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_HTTP_HTTP_SEARCH_H_
