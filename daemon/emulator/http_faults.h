// The faults of HTTP requests and of upgrades, in front of those who answer them.
#ifndef TALKJSD_EMULATOR_HTTP_FAULTS_H_
#define TALKJSD_EMULATOR_HTTP_FAULTS_H_

#include <list>
#include <memory>
#include <optional>

#include "daemon/emulator/app.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// A server's two handlers, wrapped around two others. The control endpoint is left alone. Lives on
// the app's loop; the app outlives it.
class HttpFaults {
 public:
  HttpFaults(App& app, net::HttpServer::RequestHandler respond,
             net::HttpServer::UpgradeHandler upgrade);

  void Respond(net::ServerRequest request, net::HttpServer::Respond respond);
  std::unique_ptr<net::ServerSocketHandler> Upgrade(const net::ServerRequest& request);

 private:
  struct Waiting {
    net::ServerRequest request;
    net::HttpServer::Respond respond;
    std::unique_ptr<net::Timer> timer;
  };

  std::optional<FaultAction> Find(FaultPoint point, const net::ServerRequest& request);
  std::string UserOf(const net::ServerRequest& request) const;
  void Delay(net::ServerRequest request, net::HttpServer::Respond respond, Duration time);

  App& app_;
  const net::HttpServer::RequestHandler respond_;
  const net::HttpServer::UpgradeHandler upgrade_;
  // An upgrade that a rule refuses comes to Respond next.
  std::optional<FaultAction> refused_upgrade_;
  std::list<Waiting> waiting_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_HTTP_FAULTS_H_
