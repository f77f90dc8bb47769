#include "daemon/admin/endpoint.h"

#include <absl/strings/match.h>
#include <arpa/inet.h>

#include <string_view>
#include <utility>

namespace talkjsd::admin {
namespace {

net::ServerResponse Text(int status, std::string body) {
  net::ServerResponse response;
  response.status = status;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

}  // namespace

bool IsLocalHost(std::string_view host) {
  const bool is_v6 = host.starts_with('[');
  const size_t end = is_v6 ? host.find(']') : host.find(':');
  const std::string_view rest = end == std::string_view::npos ? "" : host.substr(end + is_v6);
  const bool port_is_good =
      rest.empty() || (rest.size() > 1 && rest.front() == ':' &&
                       rest.find_first_not_of("0123456789", 1) == std::string_view::npos);
  if (!port_is_good) return false;
  std::string name(host.substr(0, end));
  if (is_v6) return name == "[::1" && end != std::string_view::npos;
  if (absl::EqualsIgnoreCase(name, "localhost")) return true;
  in_addr address{};
  return ::inet_pton(AF_INET, name.c_str(), &address) == 1 &&
         (ntohl(address.s_addr) >> 24) == IN_LOOPBACKNET;
}

absl::StatusOr<std::unique_ptr<Endpoint>> Endpoint::Start(const std::string& host, uint16_t port,
                                                          const Metrics& metrics, Random& random) {
  std::unique_ptr<Endpoint> endpoint(new Endpoint(metrics, random));
  if (const absl::Status opened = endpoint->Open(host, port); !opened.ok()) return opened;
  return endpoint;
}

absl::StatusOr<std::unique_ptr<Endpoint>> Endpoint::StartUnix(const std::string& path,
                                                              const std::string& group,
                                                              const Metrics& metrics,
                                                              Random& random) {
  net::UnixListener::Options access;
  access.group = group;
  auto listener = net::UnixListener::Open(path, access);
  if (!listener.ok()) return listener.status();
  std::unique_ptr<Endpoint> endpoint(new Endpoint(metrics, random));
  if (const absl::Status opened = endpoint->Open("", 0); !opened.ok()) return opened;
  endpoint->unix_listener_ = *std::move(listener);
  endpoint->acceptor_ = std::make_unique<net::Acceptor>(net::Acceptor::Options());
  const absl::Status started = endpoint->acceptor_->Start(
      {endpoint->unix_listener_->fd()},
      [self = endpoint.get()](size_t, int fd, std::optional<net::PeerCredentials>) {
        self->loop_.Post([self, fd] { self->server_->Serve(fd); });
      });
  if (!started.ok()) return started;
  return endpoint;
}

absl::Status Endpoint::Open(const std::string& host, uint16_t port) {
  net::HttpServer::Options options;
  options.host = host;
  options.port = port;
  options.max_body_bytes = 0;
  options.max_connections = 100;
  server_ = std::make_unique<net::HttpServer>(
      loop_, options, [this](net::ServerRequest request, net::HttpServer::Respond respond) {
        respond(Answer(request));
      });
  if (const absl::Status started = server_->Start(); !started.ok()) return started;
  loop_.Start();
  return absl::OkStatus();
}

Endpoint::~Endpoint() {
  acceptor_.reset();
  unix_listener_.reset();
  loop_.Stop();
  tick_.reset();
  server_.reset();
}

void Endpoint::ShowStatus(StatusSource source) {
  loop_.Post([this, source = std::move(source)]() mutable {
    status_.emplace(std::move(source), metrics_, SystemClock());
    tick_ = std::make_unique<net::Timer>(loop_, [this] {
      status_->Tick();
      tick_->Set(SystemClock().Now() + RateHistory::kInterval);
    });
    tick_->Set(SystemClock().Now() + RateHistory::kInterval);
  });
}

net::ServerResponse Endpoint::Answer(const net::ServerRequest& request) {
  const std::string_view target = request.target;
  const size_t mark = target.find('?');
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = mark == std::string_view::npos ? "" : target.substr(mark + 1);
  net::ServerResponse response;
  if (!IsLocalHost(request.Header("Host")) && path != "/healthz") {
    response = Text(403, "This is served to requests for localhost only.\n");
  } else if (request.method != "GET" && request.method != "HEAD") {
    response = Text(405, "Only GET and HEAD are served here.\n");
    response.headers.emplace_back("Allow", "GET, HEAD");
  } else {
    response = AnswerPath(path, query);
  }
  response.headers.emplace_back("Cache-Control", "no-store");
  response.headers.emplace_back("X-Content-Type-Options", "nosniff");
  response.headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  response.headers.emplace_back("Referrer-Policy", "no-referrer");
  return response;
}

net::ServerResponse Endpoint::AnswerPath(std::string_view path, std::string_view query) {
  if (path == "/metrics") {
    net::ServerResponse response = Text(200, metrics_.Render());
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }
  if (path == "/healthz") return serving_ ? Text(200, "ok\n") : Text(503, "not serving\n");
  if (path == "/status.json" && status_.has_value()) {
    net::ServerResponse response = Text(200, status_->Json(query, serving_));
    response.content_type = "application/json";
    return response;
  }
  if (path == "/" && status_.has_value()) return Page();
  return Text(404, "Not found. There are /, /metrics and /healthz.\n");
}

net::ServerResponse Endpoint::Page() {
  const std::string nonce = random_.Text(24);
  net::ServerResponse response = Text(200, StatusPage(nonce));
  response.content_type = "text/html; charset=utf-8";
  const std::string own = "'nonce-" + nonce + "'";
  response.headers.emplace_back(
      "Content-Security-Policy",
      "default-src 'none'; connect-src 'self'; img-src data:; script-src " + own + "; style-src " +
          own + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  return response;
}

}  // namespace talkjsd::admin
