// talkjsd: flags and configuration in, rooms wired, signals obeyed. It decides nothing else.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/admin/endpoint.h"
#include "daemon/admin/service_manager.h"
#include "daemon/api/server.h"
#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/base/version.h"
#include "daemon/config/config.h"
#include "daemon/config/loopback.h"
#include "daemon/config/state_dir.h"
#include "daemon/emulator/emulator.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/positions.h"
#include "daemon/journal/sqlite_store.h"
#include "daemon/net/http_client.h"
#include "daemon/net/inherited_sockets.h"
#include "daemon/net/tls_context.h"
#include "daemon/session/registry.h"
#include "daemon/session/session_store.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd {
namespace {

constexpr int kExitCannotRun = 1;
constexpr int kExitBadFlags = 2;

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
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
  explicit Daemon(config::Config config) : config_(std::move(config)) {}

  absl::Status Start() {
    for (const auto step : {&Daemon::OpenState, &Daemon::StartUpstream, &Daemon::StartSessions,
                            &Daemon::StartListeners}) {
      if (const absl::Status status = (this->*step)(); !status.ok()) return status;
    }
    if (emulator_ != nullptr) {
      std::cout << "talkjs-emulator listening on " << upstream_host_ << "\n";
    }
    std::cout << "talkjsd listening on " << server_->address() << std::endl;
    if (endpoint_ != nullptr) endpoint_->SetServing(true);
    manager_.Ready("serving on " + server_->address());
    manager_.StartWatchdog(Probes());
    LogInfo("talkjsd started", {{"version", TALKJSD_VERSION}, {"listen", server_->address()}});
    return absl::OkStatus();
  }

  // Clients first, so that they hear of it; then the sessions; what these appended last is stored.
  void Stop() {
    LogInfo("talkjsd stopping");
    manager_.Stopping();
    if (endpoint_ != nullptr) endpoint_->SetServing(false);
    server_->Drain();
    registry_->Stop();
    journal_->Close();
    manager_.StopWatchdog();
    LogInfo("talkjsd stopped");
  }

 private:
  absl::Status OpenState() {
    auto state_dir = config::StateDir::Open(config_.state_dir);
    if (!state_dir.ok()) return state_dir.status();
    state_dir_ = *std::move(state_dir);
    journal::SqliteStoreOptions options;
    options.directory = config_.state_dir + "/journal";
    options.retention = {config_.journal_retention_age,
                         static_cast<size_t>(config_.journal_retention_bytes)};
    options.durability = config_.journal_durability == config::Config::Durability::kDisk
                             ? journal::Durability::kDisk
                             : journal::Durability::kOs;
    auto store = journal::OpenSqliteStore(options, metrics_);
    if (!store.ok()) return WithContext(store.status(), "opening the journal");
    auto journal = journal::Journal::Open(journal::Journal::Options{}, *std::move(store),
                                          SystemClock(), SecureRandom(), metrics_);
    if (!journal.ok()) return journal.status();
    journal_ = *std::move(journal);
    journal::Positions::Options positions_options;
    positions_options.path = config_.state_dir + "/positions";
    positions_options.resolve = [this](journal::Cursor cursor) {
      return journal_->Resolve(cursor);
    };
    auto positions = journal::Positions::Open(std::move(positions_options), SystemClock());
    if (!positions.ok()) return WithContext(positions.status(), "opening the positions");
    positions_ = *std::move(positions);
    auto sessions = session::SessionStore::Open(config_.state_dir, options.durability);
    if (!sessions.ok()) return WithContext(sessions.status(), "opening the list of sessions");
    session_store_ = *std::move(sessions);
    return absl::OkStatus();
  }

  absl::Status StartUpstream() {
    auto tls = net::TlsContext::Make(config_.ca_file);
    if (!tls.ok()) return tls.status();
    tls_ = *std::move(tls);
    http_ = std::make_unique<net::HttpClient>(config_.ca_file);
    upstream_host_ = config_.upstream_host;
    if (!config_.emulator) return absl::OkStatus();
    const absl::StatusOr<config::HostPort> address = config::ParseLoopback(config_.emulator_listen);
    if (!address.ok()) return address.status();
    emulator::Emulator::Options options;
    options.host = address->host;
    options.port = address->port;
    options.app_id = config_.emulator_app_id;
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
    options.shards = config_.shards;
    options.message_subscriptions_per_session = config_.message_subscriptions_per_session;
    options.max_sessions = config_.max_sessions;
    registry_ = std::make_unique<session::Registry>(
        options, session::Registry::Environment{SystemClock(), SecureRandom(), metrics_, *journal_,
                                                *http_, *tls_, session_store_.get()});
    return WithContext(registry_->Restore(), "restoring the sessions");
  }

  absl::Status StartListeners() {
    if (!config_.metrics.empty()) {
      const absl::StatusOr<config::HostPort> address = config::ParseLoopback(config_.metrics);
      if (!address.ok()) return address.status();
      auto endpoint = admin::Endpoint::Start(address->host, address->port, metrics_);
      if (!endpoint.ok()) return WithContext(endpoint.status(), "--metrics");
      endpoint_ = *std::move(endpoint);
    }
    api::Server::Options options;
    options.listen = config_.listen;
    options.upstream_mode = config_.emulator                ? api::UpstreamMode::kEmulator
                            : config_.upstream_host.empty() ? api::UpstreamMode::kProduction
                                                            : api::UpstreamMode::kHost;
    options.upstream_host = upstream_host_;
    options.requests_path = config_.state_dir + "/requests.db";
    options.message_subscriptions_per_session = config_.message_subscriptions_per_session;
    options.max_sessions = config_.max_sessions;
    auto inherited = net::InheritedSockets::FromServiceManager();
    if (!inherited.ok()) return inherited.status();
    auto server = api::Server::Start(options, {*registry_, *journal_, SystemClock(), SecureRandom(),
                                               metrics_, positions_.get(), &*inherited});
    if (!server.ok()) return server.status();
    server_ = *std::move(server);
    return inherited->CheckAllTaken();
  }

  std::vector<admin::ServiceManager::Probe> Probes() {
    std::vector<admin::ServiceManager::Probe> probes;
    probes.push_back([this](std::function<void()> alive) { server_->Ping(std::move(alive)); });
    if (endpoint_ != nullptr) {
      probes.push_back([this](std::function<void()> alive) { endpoint_->Ping(std::move(alive)); });
    }
    return probes;
  }

  const config::Config config_;
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
  std::unique_ptr<admin::Endpoint> endpoint_;
  std::unique_ptr<api::Server> server_;
};

// The reason is for scripts; the errors' documentation has each.
int Fail(const absl::Status& status, int code) {
  std::string reason = talkjs::sidecar::v1::ErrorReason_Name(ReasonOf(status));
  reason.erase(0, sizeof("ERROR_REASON_") - 1);
  std::cerr << "talkjsd: " << MessageOf(status) << " (" << reason << ")" << std::endl;
  return code;
}

int Main(const std::vector<std::string>& arguments) {
  absl::StatusOr<config::Config> config = config::ParseFlags(arguments, config::ThisProcess());
  if (!config.ok()) return Fail(config.status(), kExitBadFlags);
  if (config->action == config::Config::Action::kShowHelp) {
    std::cout << config::HelpText();
    return 0;
  }
  if (config->action == config::Config::Action::kShowVersion) {
    std::cout << "talkjsd " << TALKJSD_VERSION << "\n";
    return 0;
  }
  ConfigureLog(config->log_level, config->log_format);
  std::signal(SIGPIPE, SIG_IGN);
  // Blocked before any thread is made: all inherit it, and only sigwait takes them.
  const sigset_t stop_signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &stop_signals, nullptr);

  Daemon daemon(*std::move(config));
  if (const absl::Status started = daemon.Start(); !started.ok()) {
    // What a room calls an invalid argument came from a flag.
    return Fail(started, absl::IsInvalidArgument(started) ? kExitBadFlags : kExitCannotRun);
  }
  int signal = 0;
  sigwait(&stop_signals, &signal);
  ExitAtNextSignal();
  daemon.Stop();
  return 0;
}

}  // namespace
}  // namespace talkjsd

int main(int argc, char** argv) {
  return talkjsd::Main(std::vector<std::string>(argv + 1, argv + argc));
}
