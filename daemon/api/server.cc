#include "daemon/api/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "daemon/api/access/access.h"
#include "daemon/api/access/front_door.h"
#include "daemon/api/call_log.h"
#include "daemon/api/context.h"
#include "daemon/api/limits.h"
#include "daemon/api/services.h"
#include "daemon/api/streams/stream.h"
#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr int kDispatcherThreads = 2;
constexpr Duration kTickInterval = std::chrono::milliseconds(500);
// Connections that are closed are forgotten every so many ticks, or when their number matters.
constexpr int kTicksPerSweep = 10;

// In milliseconds (GRPC_ARG_*).
constexpr int kMinPingInterval = 10'000;

// What gRPC gets to close the rest after Options::drain_grace.
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

// Of a request: what is larger than this gRPC refuses by itself, before it has read it.
int64_t HardRequestBytes(const Limits& limits) {
  return std::min<int64_t>(2 * limits.request_bytes, kMaxRequestBytes);
}

void Configure(grpc::ServerBuilder& builder, const Server::Options& options) {
  // Above the limit, so that it is ours to say what is wrong.
  builder.SetMaxReceiveMessageSize(static_cast<int>(HardRequestBytes(options.limits)));
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS,
                             Millis(options.limits.idle_handshake));
  // It is also what ends a connection that begins to speak and does not go on: sockets handed to
  // gRPC have no handshake timeout.
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

}  // namespace

class Server::Impl {
 public:
  Impl(Options options, Environment environment, std::unique_ptr<Access> access)
      : context_{.options = options,
                 .registry = environment.registry,
                 .journal = environment.journal,
                 .clock = environment.clock,
                 .random = environment.random,
                 .metrics = environment.metrics,
                 .start_time = environment.clock.WallMillis(),
                 .access = std::move(access),
                 .streams = CallSet("max_streams", options.limits.streams),
                 .token_streams = CallSet("max_streams", options.limits.streams),
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
    absl::StatusOr<std::unique_ptr<FrontDoor>> door =
        FrontDoor::Open(context_.options.listeners, *context_.access, inherited_);
    if (!door.ok()) return door.status();
    door_ = *std::move(door);
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
    door_->Prepare(builder);
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
    return door_->Start(*server_);
  }

  absl::Status UpdatePolicies(const std::vector<ListenerOptions>& listeners) {
    const absl::Status set = context_.access->SetPolicies(listeners);
    if (set.ok()) RenewStreams();
    return set;
  }

  absl::Status ReloadSecrets() {
    bool changed = false;
    const absl::Status tokens = context_.access->RefreshTokens(/*force=*/true, &changed);
    if (changed) RenewStreams();
    const absl::Status certificates = door_->CheckCertificates();
    return tokens.ok() ? certificates : tokens;
  }

  void UpdateLimits(Limits limits) {
    limits.request_bytes =
        std::min(limits.request_bytes, HardRequestBytes(context_.options.limits));
    context_.access->quotas().SetLimits(limits);
    context_.streams.SetMax(limits.streams);
    context_.token_streams.SetMax(limits.streams);
    door_->SetPatience(limits.idle_handshake);
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
    door_->Stop();
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

  const std::vector<std::string>& addresses() const { return door_->addresses(); }
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

  // Streams go on under the policies as they are now, or end.
  void RenewStreams() {
    for (const CallSet* set : {&context_.streams, &context_.token_streams}) {
      for (const auto& call : set->All()) {
        if (call->permit() == nullptr) continue;
        const absl::Status renewed = context_.access->Renew(*call->permit());
        if (!renewed.ok()) call->End(renewed);
      }
    }
  }

  void Tick() {
    context_.access->quotas().Tick();
    if (++ticks_ % kTicksPerSweep == 0) context_.access->connections().Count();
    bool changed = false;
    // What is wrong with a file is in the log.
    context_.access->RefreshTokens(/*force=*/false, &changed).IgnoreError();
    if (changed) RenewStreams();
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
  std::unique_ptr<FrontDoor> door_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;
  bool drained_ = false;
  int ticks_ = 0;  // of Tick
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Start(Options options, Environment environment) {
  absl::StatusOr<std::unique_ptr<Access>> access =
      Access::Make(options.listeners, options.limits, environment.registry, environment.clock);
  if (!access.ok()) return access.status();
  auto impl = std::make_unique<Impl>(std::move(options), environment, *std::move(access));
  if (const absl::Status started = impl->Start(); !started.ok()) return started;
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

const std::vector<std::string>& Server::addresses() const { return impl_->addresses(); }
void Server::Drain() { impl_->Drain(); }
std::vector<StreamInfo> Server::Streams() const { return impl_->Streams(); }
void Server::Ping(std::function<void()> alive) { impl_->Ping(std::move(alive)); }
absl::Status Server::UpdatePolicies(const std::vector<ListenerOptions>& listeners) {
  return impl_->UpdatePolicies(listeners);
}
absl::Status Server::ReloadSecrets() { return impl_->ReloadSecrets(); }
void Server::UpdateLimits(const Limits& limits) { impl_->UpdateLimits(limits); }

}  // namespace talkjsd::api
