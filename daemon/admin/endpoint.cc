#include "daemon/admin/endpoint.h"

#include <string_view>
#include <utility>

namespace talkjsd::admin {

absl::StatusOr<std::unique_ptr<Endpoint>> Endpoint::Start(const std::string& host, uint16_t port,
                                                          const Metrics& metrics) {
  std::unique_ptr<Endpoint> endpoint(new Endpoint(metrics));
  net::HttpServer::Options options;
  options.host = host;
  options.port = port;
  options.max_body_bytes = 0;
  options.max_connections = 100;
  endpoint->server_ = std::make_unique<net::HttpServer>(
      endpoint->loop_, options,
      [self = endpoint.get()](net::ServerRequest request, net::HttpServer::Respond respond) {
        respond(self->Answer(request));
      });
  if (const absl::Status started = endpoint->server_->Start(); !started.ok()) return started;
  endpoint->loop_.Start();
  return endpoint;
}

Endpoint::~Endpoint() {
  loop_.Stop();
  server_.reset();
}

net::ServerResponse Endpoint::Answer(const net::ServerRequest& request) const {
  net::ServerResponse response;
  response.content_type = "text/plain; charset=utf-8";
  const std::string_view target = request.target;
  const std::string_view path = target.substr(0, target.find('?'));
  if (path != "/metrics" && path != "/healthz") {
    response.status = 404;
    response.body = "Not found. There are /metrics and /healthz.\n";
  } else if (request.method != "GET" && request.method != "HEAD") {
    response.status = 405;
    response.headers.emplace_back("Allow", "GET, HEAD");
    response.body = "Only GET and HEAD are served here.\n";
  } else if (path == "/metrics") {
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    response.body = metrics_.Render();
  } else {
    const bool serving = serving_;
    response.status = serving ? 200 : 503;
    response.body = serving ? "ok\n" : "not serving\n";
  }
  if (request.method == "HEAD") response.body.clear();
  return response;
}

}  // namespace talkjsd::admin
