// The app's HTTP side: app check, bokens, settings for TalkJS's components, CORS, the way to files
// and searches; and which upgrades become realtime sockets.
#ifndef TALKJSD_EMULATOR_HTTP_FRONT_H_
#define TALKJSD_EMULATOR_HTTP_FRONT_H_

#include <memory>
#include <string_view>

#include "daemon/emulator/app.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// Answers with CORS headers for any origin, errors included. Lives on the app's loop; the app
// outlives it.
class HttpFront {
 public:
  explicit HttpFront(App& app) : app_(app) {}

  // At once, or later for a search through very much.
  void Respond(net::ServerRequest request, net::HttpServer::Respond respond);
  // At once in any case.
  net::ServerResponse RespondNow(const net::ServerRequest& request);
  // The answer to a request that the server cannot even read.
  static net::ServerResponse Refuse(int status, std::string_view reason);
  // How large a body may be.
  size_t BodyLimit(const net::ServerRequest& head) const;
  // nullptr unless the path is that of a realtime socket, of whatever app.
  std::unique_ptr<net::ServerSocketHandler> Upgrade(const net::ServerRequest& request);

 private:
  App& app_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_HTTP_FRONT_H_
