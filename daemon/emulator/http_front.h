// The app's HTTP side: app check, bokens, settings for TalkJS's components, CORS; and which
// upgrades become realtime sockets.
#ifndef TALKJSD_EMULATOR_HTTP_FRONT_H_
#define TALKJSD_EMULATOR_HTTP_FRONT_H_

#include <memory>

#include "daemon/emulator/app.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// Answers with CORS headers for any origin, errors included. Lives on the app's loop; the app
// outlives it.
class HttpFront {
 public:
  explicit HttpFront(App& app) : app_(app) {}

  net::ServerResponse Respond(const net::ServerRequest& request);
  // nullptr unless the path is that of a realtime socket, of whatever app.
  std::unique_ptr<net::ServerSocketHandler> Upgrade(const net::ServerRequest& request);

 private:
  App& app_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_HTTP_FRONT_H_
