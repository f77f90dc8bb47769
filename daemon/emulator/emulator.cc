#include "daemon/emulator/emulator.h"

#include <string_view>

#include "daemon/base/error.h"
#include "daemon/emulator/app.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/http_faults.h"
#include "daemon/emulator/http_front.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_server.h"
#include "daemon/net/url.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::emulator {
namespace {

absl::Status Invalid(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD, message);
}

absl::Status Check(const Emulator::Options& options) {
  if (options.app_id.empty()) return Invalid("the emulator's app id is empty");
  if (options.secret_key.empty()) return Invalid("the emulator's secret key is empty");
  if (options.secret_key.Expose().starts_with("sk_live_")) {
    return Invalid(
        "the emulator refuses keys that start with sk_live_: use a test key, such as sk_test_demo");
  }
  if (!options.allow_remote_clients && !net::IsLoopbackHost(options.host)) {
    return Invalid("the emulator listens on loopback only, not on " + options.host +
                   ", unless remote clients are allowed explicitly: it has no access control");
  }
  return absl::OkStatus();
}

net::HttpServer::Options ServerOptions(const Emulator::Options& options) {
  net::HttpServer::Options server;
  server.host = options.host;
  server.port = options.port;
  server.max_message_bytes = kMaxFrameBytes;
  server.socket_idle_timeout = kIdleTimeout;
  return server;
}

}  // namespace

struct Emulator::Impl {
  explicit Impl(Options given)
      : options(std::move(given)),
        app(loop, *options.clock, *options.random, options.app_id, options.secret_key,
            ContentRules{options.users_may_send_links}),
        front(app),
        faults(
            app,
            [this](net::ServerRequest request, net::HttpServer::Respond respond) {
              respond(front.Respond(request));
            },
            [this](const net::ServerRequest& request) { return front.Upgrade(request); }),
        server(
            loop, ServerOptions(options),
            [this](net::ServerRequest request, net::HttpServer::Respond respond) {
              faults.Respond(std::move(request), std::move(respond));
            },
            [this](const net::ServerRequest& request) { return faults.Upgrade(request); }) {}

  const Options options;
  net::EventLoop loop{"emulator"};
  // Everything below lives on the loop, and ends after the loop has stopped.
  App app;
  HttpFront front;
  HttpFaults faults;
  net::HttpServer server;
};

Emulator::Emulator(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Emulator::~Emulator() { impl_->loop.Stop(); }

absl::Status Emulator::Start() {
  if (absl::Status status = Check(impl_->options); !status.ok()) return status;
  if (absl::Status status = impl_->server.Start(); !status.ok()) return status;
  impl_->loop.Start();
  return absl::OkStatus();
}

uint16_t Emulator::port() const { return impl_->server.port(); }

}  // namespace talkjsd::emulator
