// talkjsd: flags and configuration in, rooms wired, signals obeyed. It decides nothing else.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "daemon/access_settings.h"
#include "daemon/admin/endpoint.h"
#include "daemon/admin/service_manager.h"
#include "daemon/api/server.h"
#include "daemon/base/descriptor_limit.h"
#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/base/version.h"
#include "daemon/config/config.h"
#include "daemon/config/loopback.h"
#include "daemon/config/state_dir.h"
#include "daemon/declare.h"
#include "daemon/emulator/emulator.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/positions.h"
#include "daemon/journal/sqlite_store.h"
#include "daemon/net/http_client.h"
#include "daemon/net/inherited_sockets.h"
#include "daemon/net/proxy.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/url.h"
#include "daemon/reload.h"
#include "daemon/session/declared.h"
#include "daemon/session/registry.h"
#include "daemon/session/session_store.h"
#include "daemon/status_source.h"
#include "daemon/wire/host.h"
#include "talkjs/sidecar/config/v1/config.pb.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd {
namespace {

namespace settings = talkjs::sidecar::config::v1;

constexpr int kExitCannotRun = 1;
constexpr int kExitBadFlags = 2;

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

sigset_t AwaitedSignals() {
  sigset_t set = StopSignals();
  sigaddset(&set, SIGHUP);
  return set;
}

// Whoever signals a second time does not want to wait.
void ExitAtNextSignal() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { _exit(128 + signal); };
  const sigset_t set = StopSignals();
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

// The rooms, in the order in which they need each other; destruction goes the other way.
class Daemon {
 public:
  Daemon(std::vector<std::string> arguments, config::Config config)
      : config_(std::move(config)), reloader_(std::move(arguments), config_) {}

  absl::Status Start() {
    for (const auto step : {&Daemon::OpenState, &Daemon::StartUpstream, &Daemon::StartSessions,
                            &Daemon::StartListeners}) {
      if (const absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    if (emulator_ != nullptr) {
      std::cout << "talkjs-emulator listening on " << upstream_host_ << "\n";
    }
    for (const std::string& address : server_->addresses()) {
      std::cout << "talkjsd listening on " << address << "\n";
    }
    std::cout.flush();
    if (endpoint_ != nullptr) endpoint_->SetServing(true);
    AddReloadedParts();
    manager_.Ready("serving on " + server_->address());
    manager_.StartWatchdog(Probes());
    LogInfo("talkjsd started", {{"version", TALKJSD_VERSION}, {"listen", server_->address()}});
    return absl::OkStatus();
  }

  // SIGHUP.
  void Reload() {
    manager_.Reloading();
    reloader_.Reload();
    manager_.Ready("serving on " + server_->address());
  }

  // Clients first, so that they hear of it; then the sessions; what these appended last is stored.
  void Stop() {
    LogInfo("talkjsd stopping");
    // A little more than it should take: to be killed on the way would be worse.
    manager_.Stopping(config::ToDuration(values_.drain_timeout()) + std::chrono::seconds(2));
    if (endpoint_ != nullptr) endpoint_->SetServing(false);
    server_->Drain();
    registry_->Stop();
    journal_->Close();
    manager_.StopWatchdog();
    LogInfo("talkjsd stopped");
  }

 private:
  absl::Status OpenState() {
    auto state_dir = config::StateDir::Open(state_directory());
    if (!state_dir.ok()) return state_dir.status();
    state_dir_ = *std::move(state_dir);
    journal::SqliteStoreOptions options;
    options.directory = state_directory() + "/journal";
    const settings::State& state = values_.state();
    options.retention = {config::ToDuration(state.journal_retention_age()),
                         static_cast<size_t>(state.journal_retention_bytes())};
    options.durability = state.journal_durability() == settings::DURABILITY_DISK
                             ? journal::Durability::kDisk
                             : journal::Durability::kOs;
    auto store = journal::OpenSqliteStore(options, metrics_);
    if (!store.ok()) return WithContext(store.status(), "opening the journal");
    auto journal = journal::Journal::Open(journal::Journal::Options{}, *std::move(store),
                                          SystemClock(), SecureRandom(), metrics_);
    if (!journal.ok()) return journal.status();
    journal_ = *std::move(journal);
    journal::Positions::Options positions_options;
    positions_options.path = state_directory() + "/positions";
    positions_options.resolve = [this](journal::Cursor cursor) {
      return journal_->Resolve(cursor);
    };
    auto positions = journal::Positions::Open(std::move(positions_options), SystemClock());
    if (!positions.ok()) return WithContext(positions.status(), "opening the positions");
    positions_ = *std::move(positions);
    auto sessions = session::SessionStore::Open(state_directory(), options.durability);
    if (!sessions.ok()) return WithContext(sessions.status(), "opening the list of sessions");
    session_store_ = *std::move(sessions);
    return absl::OkStatus();
  }

  // The SDK speaks to some hosts without TLS. So do we, but over loopback only.
  static absl::Status CheckHost(const std::string& host) {
    const absl::StatusOr<net::Url> url = net::ParseUrl(wire::UrlsForHost(host).realtime);
    if (!url.ok()) return WithContext(url.status(), "upstream.host");
    if (url->tls || net::IsLoopbackHost(url->host)) return absl::OkStatus();
    return MakeError(absl::StatusCode::kInvalidArgument,
                     talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                     "upstream.host: " + host +
                         " would be spoken to without TLS; only loopback addresses may be");
  }

  absl::Status StartUpstream() {
    if (const absl::Status right = CheckHost(values_.upstream().host()); !right.ok()) return right;
    auto tls = net::TlsContext::Make(values_.upstream().ca_file());
    if (!tls.ok()) return tls.status();
    tls_ = *std::move(tls);
    const settings::Upstream& upstream = values_.upstream();
    auto proxies = net::ProxyRules::Make(upstream.proxy(), config_.proxy_credentials,
                                         {upstream.no_proxy().begin(), upstream.no_proxy().end()});
    if (!proxies.ok()) return proxies.status();
    http_ = std::make_unique<net::HttpClient>(upstream.ca_file(), *std::move(proxies));
    upstream_host_ = values_.upstream().host();
    if (!values_.emulator().enabled()) return absl::OkStatus();
    const absl::StatusOr<config::HostPort> address =
        config::ParseLoopback(values_.emulator().listen());
    if (!address.ok()) return address.status();
    emulator::Emulator::Options options;
    options.host = address->host;
    options.port = address->port;
    options.app_id = values_.emulator().app_id();
    options.secret_key = config_.emulator_secret_key;
    emulator_ = std::make_unique<emulator::Emulator>(std::move(options));
    if (const absl::Status started = emulator_->Start(); !started.ok()) {
      return WithContext(started, "starting the emulator");
    }
    const bool is_v6 = address->host.find(':') != std::string::npos;
    upstream_host_ = (is_v6 ? "[" + address->host + "]" : address->host) + ":" +
                     std::to_string(emulator_->port());
    return absl::OkStatus();
  }

  absl::Status StartSessions() {
    session::Registry::Options options;
    options.upstream_host = upstream_host_;
    options.shards = values_.shards();
    options.message_subscriptions_per_session = values_.message_subscriptions_per_session();
    options.max_sessions = values_.limits().sessions();
    registry_ = std::make_unique<session::Registry>(
        options, session::Registry::Environment{SystemClock(), SecureRandom(), metrics_, *journal_,
                                                *http_, *tls_, session_store_.get()});
    const absl::Status restored = registry_->Restore();
    if (!restored.ok()) return WithContext(restored, "restoring the sessions");
    declared_ =
        std::make_unique<session::DeclaredSessions>(*registry_, state_directory() + "/declared");
    return ApplySessions(values_);
  }

  absl::Status ApplySessions(const settings::Config& values) {
    const auto done = declared_->Apply(ToDeclarations(values));
    if (values.sessions().empty() && done.removed == 0) return absl::OkStatus();
    LogInfo("declared sessions", {{"created", done.created},
                                  {"kept", done.kept},
                                  {"removed", done.removed},
                                  {"failed", done.failed}});
    return absl::OkStatus();
  }

  absl::Status ApplyTrust(const settings::Config& values) {
    const std::string& ca_file = values.upstream().ca_file();
    if (const absl::Status read = tls_->Reload(ca_file); !read.ok()) return read;
    http_->SetCaFile(ca_file);
    return absl::OkStatus();
  }

  // Policies, bearer tokens and certificates.
  absl::Status ApplyAccess(const settings::Config& values) {
    const absl::Status policies = server_->UpdatePolicies(ToListeners(values));
    const absl::Status secrets = server_->ReloadSecrets();
    return policies.ok() ? secrets : policies;
  }

  absl::Status ApplyLimits(const settings::Config& values) {
    const api::Limits limits = ToLimits(values);
    server_->UpdateLimits(limits);
    registry_->SetMaxSessions(limits.sessions);
    return absl::OkStatus();
  }

  void AddReloadedParts() {
    reloader_.Add({"log", [](const settings::Config& values) {
                     SetLogLevel(config::ToLogLevel(values.log().level()));
                     return absl::OkStatus();
                   }});
    reloader_.Add({"upstream.ca_file",
                   [this](const settings::Config& values) { return ApplyTrust(values); }});
    reloader_.Add(
        {"listeners", [this](const settings::Config& values) { return ApplyAccess(values); }});
    // Before the sessions, which count.
    reloader_.Add(
        {"limits", [this](const settings::Config& values) { return ApplyLimits(values); }});
    reloader_.Add(
        {"sessions", [this](const settings::Config& values) { return ApplySessions(values); }});
  }

  absl::Status StartEndpoint() {
    constexpr std::string_view kUnix = "unix://";
    const std::string& listen = values_.admin().listen();
    if (listen.empty()) return absl::OkStatus();
    absl::StatusOr<std::unique_ptr<admin::Endpoint>> endpoint;
    if (listen.starts_with(kUnix)) {
      endpoint = admin::Endpoint::StartUnix(listen.substr(kUnix.size()), "talkjsd", metrics_);
    } else {
      const absl::StatusOr<config::HostPort> address = config::ParseLoopback(listen);
      if (!address.ok()) return address.status();
      endpoint = admin::Endpoint::Start(address->host, address->port, metrics_);
    }
    if (!endpoint.ok()) return endpoint.status();
    endpoint_ = *std::move(endpoint);
    return absl::OkStatus();
  }

  absl::Status StartListeners() {
    if (const absl::Status opened = StartEndpoint(); !opened.ok()) {
      return WithContext(opened, "the admin listener");
    }
    api::Server::Options options;
    options.listeners = ToListeners(values_);
    options.limits = ToLimits(values_);
    options.upstream_mode = values_.emulator().enabled()        ? api::UpstreamMode::kEmulator
                            : values_.upstream().host().empty() ? api::UpstreamMode::kProduction
                                                                : api::UpstreamMode::kHost;
    options.upstream_host = upstream_host_;
    // The rest of the time is for the sessions and the journal.
    options.drain_grace = config::ToDuration(values_.drain_timeout()) * 3 / 10;
    options.requests_path = state_directory() + "/requests.db";
    options.message_subscriptions_per_session = values_.message_subscriptions_per_session();
    auto inherited = net::InheritedSockets::FromServiceManager();
    if (!inherited.ok()) return inherited.status();
    auto server = api::Server::Start(options, {*registry_, *journal_, SystemClock(), SecureRandom(),
                                               metrics_, positions_.get(), &*inherited});
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    if (endpoint_ != nullptr) {
      endpoint_->ShowStatus(MakeStatusSource(*registry_, *server_, *journal_, Upstream()));
    }
    return inherited->CheckAllTaken();
  }

  // For a person.
  std::string Upstream() const {
    if (values_.emulator().enabled()) return "emulator at " + upstream_host_;
    return upstream_host_.empty() ? "talkjs.com" : upstream_host_;
  }

  std::vector<admin::ServiceManager::Probe> Probes() {
    std::vector<admin::ServiceManager::Probe> probes;
    probes.push_back([this](std::function<void()> alive) { server_->Ping(std::move(alive)); });
    probes.push_back([this](std::function<void()> alive) { registry_->Ping(std::move(alive)); });
    if (endpoint_ != nullptr) {
      probes.push_back([this](std::function<void()> alive) { endpoint_->Ping(std::move(alive)); });
    }
    return probes;
  }

  const std::string& state_directory() const { return values_.state().directory(); }

  const config::Config config_;
  const settings::Config& values_{config_.values};
  Reloader reloader_;
  admin::ServiceManager manager_{admin::ServiceManager::FromEnvironment()};
  Metrics metrics_;
  std::unique_ptr<config::StateDir> state_dir_;
  std::unique_ptr<session::SessionStore> session_store_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<journal::Positions> positions_;
  std::unique_ptr<net::TlsContext> tls_;
  std::unique_ptr<net::HttpClient> http_;
  std::unique_ptr<emulator::Emulator> emulator_;
  std::string upstream_host_;
  std::unique_ptr<session::Registry> registry_;
  std::unique_ptr<session::DeclaredSessions> declared_;
  std::unique_ptr<api::Server> server_;
  std::unique_ptr<admin::Endpoint> endpoint_;  // it asks all of the above
};

// The reason is for scripts; the errors' documentation has each.
int Fail(const absl::Status& status, int code) {
  std::string reason = talkjs::sidecar::v1::ErrorReason_Name(ReasonOf(status));
  reason.erase(0, sizeof("ERROR_REASON_") - 1);
  std::istringstream lines{std::string(MessageOf(status))};
  for (std::string line; std::getline(lines, line);) {
    std::cerr << "talkjsd: " << line << " (" << reason << ")" << std::endl;
  }
  return code;
}

int Main(const std::vector<std::string>& arguments) {
  absl::StatusOr<config::Config> config = config::Load(arguments, config::ThisProcess());
  if (!config.ok()) return Fail(config.status(), kExitBadFlags);
  if (config->action == config::Action::kShowHelp) {
    std::cout << config::HelpText();
    return 0;
  }
  if (config->action == config::Action::kShowVersion) {
    std::cout << "talkjsd " << TALKJSD_VERSION << "\n";
    return 0;
  }
  if (config->action == config::Action::kCheckConfig) {
    std::cout << (config->file.empty() ? "the flags and variables" : config->file)
              << ": no problems\n";
    return 0;
  }
  const settings::Log& log = config->values.log();
  ConfigureLog(config::ToLogLevel(log.level()), config::ToLogFormat(log.format()));
  std::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  // Blocked before any thread is made: all inherit it, and only sigwait takes them.
  const sigset_t signals = AwaitedSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Daemon daemon(arguments, *std::move(config));
  if (const absl::Status started = daemon.Start(); !started.ok()) {
    // What a room calls an invalid argument came from a flag.
    return Fail(started, absl::IsInvalidArgument(started) ? kExitBadFlags : kExitCannotRun);
  }
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) daemon.Reload();
  ExitAtNextSignal();
  daemon.Stop();
  return 0;
}

}  // namespace
}  // namespace talkjsd

int main(int argc, char** argv) {
  return talkjsd::Main(std::vector<std::string>(argv + 1, argv + argc));
}
