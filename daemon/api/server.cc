#include "daemon/api/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <prometheus/gauge.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <mutex>
#include <utility>
#include <vector>

#include "daemon/api/address.h"
#include "daemon/api/call_log.h"
#include "daemon/api/context.h"
#include "daemon/api/limits.h"
#include "daemon/api/services.h"
#include "daemon/api/stream.h"
#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/net/inherited_sockets.h"
#include "daemon/net/unix_listener.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr int kDispatcherThreads = 2;
constexpr Duration kTickInterval = std::chrono::milliseconds(500);

// In milliseconds (GRPC_ARG_*).
constexpr int kMinPingInterval = 10'000;

// What gRPC gets to close the rest after Options::drain_grace. Less than 3 s in all.
constexpr Duration kShutdownGrace = std::chrono::milliseconds(500);

// Once per process, before the first server is built.
void InstallPlugins() {
  static std::once_flag once;
  std::call_once(once, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
}

int Millis(Duration duration) {
  return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

void Configure(grpc::ServerBuilder& builder, const Server::Options& options) {
  builder.SetMaxReceiveMessageSize(kMaxRequestBytes);
  // It is also what ends a connection that never speaks: sockets handed to gRPC have no handshake
  // timeout.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Millis(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, Millis(options.keepalive_timeout));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kMinPingInterval);
  // Clients may ping as often as they like: local pings cost nothing, and a strike would cut
  // streams.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  // With probing, windows grow to 4 MiB: that much would wait in a stuck client.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  // Only reflection is synchronous: it needs one thread.
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
}

// The socket's own directory, one level: whoever configures a deeper path makes it.
void MakeParent(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  // Failure shows when the socket is bound, with path and cause.
  static_cast<void>(::mkdir(parent.c_str(), 0755));
}

}  // namespace

class Server::Impl {
 public:
  Impl(Options options, Environment environment)
      : context_{.options = options,
                 .registry = environment.registry,
                 .journal = environment.journal,
                 .clock = environment.clock,
                 .random = environment.random,
                 .metrics = environment.metrics,
                 .start_time = environment.clock.WallMillis(),
                 .peers = {},
                 .streams = CallSet("max_streams", options.max_streams),
                 .token_streams = CallSet("max_streams", options.max_streams),
                 .calls = CallSet("", 0),
                 .subscriptions = environment.positions == nullptr
                                      ? nullptr
                                      : std::make_unique<Subscriptions>(
                                            environment.journal, *environment.positions,
                                            environment.clock, environment.metrics),
                 .dispatcher = Dispatcher(kDispatcherThreads, kTickInterval, [this] { Tick(); }),
                 .requests = nullptr},
        inherited_(environment.inherited) {}

  absl::Status Start() {
    const absl::StatusOr<std::string> path = ParseUnixAddress(context_.options.listen);
    if (!path.ok()) return path.status();
    absl::StatusOr<std::unique_ptr<net::UnixListener>> listener = Listen(*path);
    if (!listener.ok()) return listener.status();
    listener_ = *std::move(listener);
    if (const absl::Status opened = OpenRequests(); !opened.ok()) return opened;
    InstallPlugins();
    for (auto make : {MakeSessionService, MakeUserService, MakeConversationService,
                      MakeMessageService, MakeEventService, MakeDaemonService}) {
      services_.push_back(make(context_));
    }
    grpc::ServerBuilder builder;
    Configure(builder, context_.options);
    AddCallLog(builder, context_.metrics, context_.random);
    for (const auto& service : services_) builder.RegisterService(service.get());
    server_ = builder.BuildAndStart();
    if (server_ == nullptr) {
      return MakeError(absl::StatusCode::kInternal, talkjs::sidecar::v1::ERROR_REASON_INTERNAL,
                       "gRPC refused to start; its lines in the log say why");
    }
    // "" is healthy from the start; clients may also ask for a service by name.
    for (const char* name :
         {"talkjs.sidecar.v1.SessionService", "talkjs.sidecar.v1.UserService",
          "talkjs.sidecar.v1.ConversationService", "talkjs.sidecar.v1.MessageService",
          "talkjs.sidecar.v1.EventService", "talkjs.sidecar.v1.DaemonService"}) {
      server_->GetHealthCheckService()->SetServingStatus(name, true);
    }
    listener_->Start([this](int fd, net::PeerCredentials peer) {
      context_.peers.Set(fd, peer);
      grpc::AddInsecureChannelFromFd(server_.get(), fd);
    });
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<net::UnixListener>> Listen(const std::string& path) {
    const int fd = inherited_ == nullptr ? -1 : inherited_->Take(path);
    if (fd >= 0) return net::UnixListener::Adopt(fd, path);
    MakeParent(path);
    return net::UnixListener::Open(path, context_.options.socket_group);
  }

  absl::Status OpenRequests() {
    const std::string& path = context_.options.requests_path;
    if (path.empty()) {
      context_.requests = std::make_unique<RequestLog>(context_.clock, kMaxRememberedRequests);
      return absl::OkStatus();
    }
    auto log = RequestLog::Open(path, context_.clock, kMaxRememberedRequests);
    if (!log.ok()) return WithContext(log.status(), "opening the log of requests");
    context_.requests = *std::move(log);
    return absl::OkStatus();
  }

  void Drain() {
    if (drained_ || server_ == nullptr) return;
    drained_ = true;
    listener_->Stop();
    server_->GetHealthCheckService()->Shutdown();
    context_.calls.Drain();
    context_.streams.Drain();
    context_.token_streams.Drain();
    const MonoTime deadline = SystemClock().Now() + context_.options.drain_grace;
    if (!context_.streams.WaitUntilEmpty(deadline)) {
      LogWarning("streams cut off: their clients did not read",
                 {{"streams", context_.streams.size()}});
    }
    // Waits for what is left until the deadline, then cancels it, and returns when every call has
    // ended. Connections that are open without a call hold it to the deadline.
    server_->Shutdown(std::chrono::system_clock::now() +
                      std::chrono::duration_cast<std::chrono::milliseconds>(kShutdownGrace));
  }

  ~Impl() {
    Drain();
    server_.reset();
    context_.dispatcher.Stop();
  }

  const std::string& address() const { return context_.options.listen; }
  std::vector<StreamInfo> Streams() const {
    const MonoTime now = context_.clock.Now();
    std::vector<StreamInfo> streams;
    for (const auto& call : context_.streams.All()) {
      streams.push_back(static_cast<const Stream&>(*call).Look(now));
    }
    return streams;
  }
  void Ping(std::function<void()> alive) {
    context_.dispatcher.Post(std::make_shared<PingWork>(std::move(alive)));
  }

 private:
  class PingWork final : public Runnable {
   public:
    explicit PingWork(std::function<void()> alive) : alive_(std::move(alive)) {}
    void Run() override { alive_(); }

   private:
    const std::function<void()> alive_;
  };

  void Tick() {
    const MonoTime now = context_.clock.Now();
    int stalled = 0;
    uint64_t lag_events = 0;
    double lag_seconds = 0;
    for (const auto& call : context_.streams.All()) {
      auto& stream = static_cast<Stream&>(*call);
      if (stream.Tick(now)) ++stalled;
      const Stream::Lag lag = stream.LagAt(now);
      lag_events = std::max(lag_events, lag.events);
      lag_seconds = std::max(lag_seconds, lag.seconds);
    }
    context_.streams.Tick(now);
    context_.metrics.streams_stalled->Set(stalled);
    context_.metrics.stream_lag_events->Set(static_cast<double>(lag_events));
    context_.metrics.stream_lag_seconds->Set(lag_seconds);
    ReportSuppressedLines();
    if (context_.subscriptions != nullptr) context_.subscriptions->Tick(now);
  }

  Context context_;
  net::InheritedSockets* const inherited_;
  std::unique_ptr<net::UnixListener> listener_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  bool drained_ = false;
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options, Environment environment) {
  auto impl = std::make_unique<Impl>(std::move(options), environment);
  if (const absl::Status started = impl->Start(); !started.ok()) return started;
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const std::string& Server::address() const { return impl_->address(); }
void Server::Drain() { impl_->Drain(); }
std::vector<StreamInfo> Server::Streams() const { return impl_->Streams(); }
void Server::Ping(std::function<void()> alive) { impl_->Ping(std::move(alive)); }

}  // namespace talkjsd::api
