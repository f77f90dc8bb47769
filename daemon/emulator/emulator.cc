#include "daemon/emulator/emulator.h"

#include <fstream>
#include <iterator>
#include <string_view>

#include "daemon/base/error.h"
#include "daemon/emulator/app.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/http_faults.h"
#include "daemon/emulator/http_front.h"
#include "daemon/emulator/rest/limits.h"
#include "daemon/emulator/ui_settings.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_server.h"
#include "daemon/net/url.h"
#include "daemon/wire/json.h"
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

absl::StatusOr<wire::json::object> ReadObject(const std::string& path, std::string_view what) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file) return Invalid("cannot read the " + std::string(what) + " " + path);
  auto value = wire::ParseJson(text, text.size());
  if (!value.ok()) return Invalid(path + ": " + std::string(MessageOf(value.status())));
  if (!value->is_object()) return Invalid(path + ": expected a JSON object");
  return std::move(value->as_object());
}

absl::Status Seed(App& app, const std::string& path) {
  auto seed = ReadObject(path, "seed");
  if (!seed.ok()) return seed.status();
  return WithContext(app.StartWith(*std::move(seed)), path);
}

absl::Status SetUp(App& app, const std::string& path) {
  const auto changes = ReadObject(path, "settings");
  if (!changes.ok()) return changes.status();
  auto settings = UiSettings(app.authenticator().app_id(), *changes);
  if (!settings.ok()) return WithContext(settings.status(), path);
  app.set_ui_settings(*std::move(settings));
  return absl::OkStatus();
}

net::HttpServer::Options ServerOptions(const Emulator::Options& options, const HttpFront& front) {
  net::HttpServer::Options server;
  server.host = options.host;
  server.port = options.port;
  server.max_message_bytes = kMaxFrameBytes;
  server.body_limit = [&front](const net::ServerRequest& head) { return front.BodyLimit(head); };
  server.refuse = HttpFront::Refuse;
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
        limits(app, options.rest_rate_limits,
               [this](net::ServerRequest request, net::HttpServer::Respond respond) {
                 front.Respond(std::move(request), std::move(respond));
               }),
        faults(
            app,
            [this](net::ServerRequest request, net::HttpServer::Respond respond) {
              limits.Respond(std::move(request), std::move(respond));
            },
            [this](const net::ServerRequest& request) { return front.Upgrade(request); }),
        server(
            loop, ServerOptions(options, front),
            [this](net::ServerRequest request, net::HttpServer::Respond respond) {
              faults.Respond(std::move(request), std::move(respond));
            },
            [this](const net::ServerRequest& request) { return faults.Upgrade(request); }) {}

  const Options options;
  net::EventLoop loop{"emulator"};
  // Everything below lives on the loop, and ends after the loop has stopped.
  App app;
  HttpFront front;
  RestLimits limits;
  HttpFaults faults;
  net::HttpServer server;
};

Emulator::Emulator(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

Emulator::~Emulator() { impl_->loop.Stop(); }

absl::Status Emulator::Start() {
  const Options& options = impl_->options;
  if (absl::Status status = Check(options); !status.ok()) return status;
  if (!options.data_dir.empty()) {
    if (absl::Status status = impl_->app.Keep(options.data_dir); !status.ok()) return status;
  }
  if (!options.seed_file.empty()) {
    if (absl::Status status = Seed(impl_->app, options.seed_file); !status.ok()) return status;
  }
  if (!options.ui_settings_file.empty()) {
    if (absl::Status status = SetUp(impl_->app, options.ui_settings_file); !status.ok()) {
      return status;
    }
  }
  if (absl::Status status = impl_->server.Start(); !status.ok()) return status;
  impl_->loop.Start();
  return absl::OkStatus();
}

uint16_t Emulator::port() const { return impl_->server.port(); }

}  // namespace talkjsd::emulator
