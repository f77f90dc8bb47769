// What clients that do not read cost: memory, and the patience of one that does.
//
//   slow_clients_bench [--slow 1000] [--seconds 3]
//
// A journal on disk with little retention and a server in one process, clients in another, on Unix
// sockets. One fast stream first has the daemon for itself, then shares it with --slow others: half
// of them never read again after they have opened, the rest take a response every few seconds and
// fall behind retention. Prints one line a phase and, last, one JSON line:
//   alone_ms, beside_ms   delivery to the fast stream, append to receipt: {"p50":…,"p99":…}
//   ratio                 p50 beside the slow ones over p50 alone
//   kib_per_stalled       growth of the server's memory for each slow stream
//   pruned                whether retention went on past what the slow ones have read
//   told                  slow streams that were told of their loss; none may skip in silence
//   skipped               slow streams that did
#include <grpcpp/grpcpp.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/api/server.h"
#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/sqlite_store.h"
#include "daemon/net/http_client.h"
#include "daemon/net/tls_context.h"
#include "daemon/session/registry.h"
#include "talkjs/sidecar/v1/event_service.grpc.pb.h"

namespace talkjsd {
namespace {

namespace v1 = talkjs::sidecar::v1;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kChannels = 20;
constexpr size_t kBodyBytes = 1000;
constexpr int kEventsPerSecond = 500;
// Small, so that retention passes the slow ones while one looks.
constexpr size_t kRetentionBytes = 16 << 20;
constexpr size_t kRingBytes = 2 << 20;
constexpr size_t kSamples = 1 << 16;

// Shared by the two processes.
struct Shared {
  std::atomic<int> phase{0};  // 1: open the slow streams, 2: let them read on, 3: the end
  std::atomic<int> fast_open{0};
  std::atomic<int> slow_open{0};
  std::atomic<int> told{0};
  std::atomic<int> skipped{0};
  std::atomic<size_t> received{0};
  std::atomic<float> latency_ms[kSamples];
};

int64_t NowNanos() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             steady_clock::now().time_since_epoch())
      .count();
}

// The body begins with the event's number and the time at which it was appended.
journal::NewEvent MakeEvent(uint64_t number) {
  std::string body = std::to_string(number) + " " + std::to_string(NowNanos()) + " ";
  body.resize(kBodyBytes, 'x');
  v1::MessageEvent event;
  event.set_cursor(std::string(journal::CursorPlaceholder()));
  event.set_session_id("ses_0");
  event.mutable_sent()->set_id("msg_" + std::to_string(number));
  event.mutable_sent()->set_body(std::move(body));
  journal::NewEvent entry;
  entry.session_id = "ses_0";
  entry.conversation_id = "c";
  entry.bytes = journal::FrameEvent(event.SerializeAsString());
  return entry;
}

// --- the clients' process ---

using Response = v1::StreamMessagesResponse;

class Fast final : public grpc::ClientReadReactor<Response> {
 public:
  Fast(v1::EventService::Stub* stub, Shared* shared) : shared_(shared) {
    stub->async()->StreamMessages(&context_, &request_, this);
    StartRead(&response_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    const int64_t now = NowNanos();
    if (response_.has_opened()) shared_->fast_open.store(1);
    for (const v1::MessageEvent& event : response_.events()) {
      const char* const time = std::strchr(event.sent().body().c_str(), ' ');
      const size_t at = shared_->received.load();
      shared_->latency_ms[at % kSamples] =
          static_cast<float>(now - std::strtoll(time, nullptr, 10)) / 1e6F;
      shared_->received.store(at + 1);
    }
    StartRead(&response_);
  }
  void OnDone(const grpc::Status&) override {}

 private:
  Shared* const shared_;
  grpc::ClientContext context_;
  const v1::StreamMessagesRequest request_;
  Response response_;
};

// Reads when it is told to, and checks that no event is missing without a word.
class Slow final : public grpc::ClientReadReactor<Response> {
 public:
  Slow(v1::EventService::Stub* stub, Shared* shared, bool continues) : shared_(shared) {
    request_.set_on_gap(continues ? v1::ON_GAP_CONTINUE : v1::ON_GAP_FAIL);
    stub->async()->StreamMessages(&context_, &request_, this);
    reading_ = true;
    StartRead(&response_);
    StartCall();
  }
  void Read() {
    if (!done_ && !reading_.exchange(true)) StartRead(&response_);
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    if (response_.has_opened()) shared_->slow_open.fetch_add(1);
    for (const v1::MessageEvent& event : response_.events()) {
      if (event.has_gap()) {
        Tell();
        last_ = 0;
        continue;
      }
      const uint64_t number = std::strtoull(event.sent().body().c_str(), nullptr, 10);
      if (last_ != 0 && number != last_ + 1) shared_->skipped.fetch_add(1);
      last_ = number;
    }
    reading_ = false;
  }
  void OnDone(const grpc::Status& status) override {
    done_ = true;
    if (status.error_code() == grpc::StatusCode::OUT_OF_RANGE) Tell();
  }

 private:
  void Tell() {
    if (!told_) shared_->told.fetch_add(1);
    told_ = true;
  }

  Shared* const shared_;
  grpc::ClientContext context_;
  v1::StreamMessagesRequest request_;
  Response response_;
  std::atomic<bool> reading_{false};
  std::atomic<bool> done_{false};
  bool told_ = false;
  uint64_t last_ = 0;
};

std::unique_ptr<v1::EventService::Stub> NewStub(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  return v1::EventService::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

void RunClients(const std::string& socket, int slow, Shared* shared) {
  while (access(socket.c_str(), F_OK) != 0) std::this_thread::sleep_for(milliseconds(5));
  const auto fast_stub = NewStub("unix:" + socket);
  const Fast fast(fast_stub.get(), shared);
  while (shared->phase.load() == 0) std::this_thread::sleep_for(milliseconds(5));
  std::vector<std::unique_ptr<v1::EventService::Stub>> stubs;
  for (int i = 0; i < kChannels; ++i) stubs.push_back(NewStub("unix:" + socket));
  std::vector<std::unique_ptr<Slow>> streams;
  for (int i = 0; i < slow; ++i) {
    streams.push_back(
        std::make_unique<Slow>(stubs[static_cast<size_t>(i % kChannels)].get(), shared, i % 4 < 2));
  }
  // The odd ones read now and then, each every four seconds; in the end all read on.
  for (size_t turn = 0; shared->phase.load() < 3; ++turn) {
    const size_t step = shared->phase.load() == 1 ? 800 : 1;
    for (size_t i = turn % step; i < streams.size(); i += step) {
      if (i % 2 == 1 || step == 1) streams[i]->Read();
    }
    std::this_thread::sleep_for(milliseconds(5));
  }
  _exit(0);  // with all streams open
}

// --- the server's process ---

double MemoryKib() {
  malloc_trim(0);
  std::ifstream file("/proc/self/statm");
  double total = 0;
  double resident = 0;
  file >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1024;
}

struct Latency {
  float p50 = 0;
  float p99 = 0;
};

Latency Measure(const Shared& shared, size_t from, size_t to) {
  std::vector<float> all;
  for (size_t i = from; i < to; ++i) all.push_back(shared.latency_ms[i % kSamples]);
  if (all.empty()) return {};
  std::sort(all.begin(), all.end());
  return {all[all.size() / 2], all[all.size() * 99 / 100]};
}

class Bench {
 public:
  Bench(const std::string& directory, Shared* shared, int slow, double seconds)
      : shared_(shared), slow_(slow), seconds_(seconds) {
    journal::SqliteStoreOptions options;
    options.directory = directory + "/journal";
    options.retention.bytes = kRetentionBytes;
    auto store = journal::OpenSqliteStore(options, metrics_);
    journal_ = *journal::Journal::Open({.ring_bytes = kRingBytes}, *std::move(store), SystemClock(),
                                       SecureRandom(), metrics_);
    tls_ = *net::TlsContext::Make("");
    session::Registry::Options registry_options;
    registry_options.upstream_host = "127.0.0.1:1";  // nobody; there are no sessions
    registry_ = std::make_unique<session::Registry>(
        registry_options, session::Registry::Environment{SystemClock(), SecureRandom(), metrics_,
                                                         *journal_, http_, *tls_});
    api::Server::Options server_options;
    server_options.limits.streams_opened_per_second = 10'000;
    server_options.limits.connections = 10'000;
    server_options.listeners.push_back({.address = "unix://" + directory + "/socket"});
    server_ = *api::Server::Start(server_options,
                                  {*registry_, *journal_, SystemClock(), SecureRandom(), metrics_});
  }

  // Prints what it has found; the exit code.
  int Run() {
    Wait(shared_->fast_open, 1);
    Append(kRetentionBytes / kBodyBytes * 3 / 2);  // files, ring and caches have their size
    const Latency alone = Pace("alone");
    const double before = MemoryKib();
    shared_->phase.store(1);
    Wait(shared_->slow_open, slow_);
    const journal::Cursor opened = journal_->Latest();
    // Fills what is between the processes, and stops the slow ones.
    Append(1000);
    const Latency beside = Pace("beside the slow ones");
    const double after = MemoryKib();
    Append(kRetentionBytes / kBodyBytes * 3);
    const bool pruned = journal_->Earliest().sequence > opened.sequence;
    // From here on all read on, until each has been told that it lost something.
    shared_->phase.store(2);
    const auto patience = steady_clock::now() + std::chrono::seconds(60);
    while (shared_->told.load() < slow_ && steady_clock::now() < patience) {
      std::this_thread::sleep_for(milliseconds(10));
    }
    shared_->phase.store(3);
    std::printf(
        "{\"alone_ms\":{\"p50\":%.3f,\"p99\":%.3f},\"beside_ms\":{\"p50\":%.3f,\"p99\":%.3f},"
        "\"ratio\":%.2f,\"kib_per_stalled\":%.1f,\"pruned\":%s,\"told\":%d,\"skipped\":%d}\n",
        alone.p50, alone.p99, beside.p50, beside.p99, beside.p50 / alone.p50,
        (after - before) / slow_, pruned ? "true" : "false", shared_->told.load(),
        shared_->skipped.load());
    std::fflush(stdout);
    server_->Drain();
    registry_->Stop();
    journal_->Close();
    return 0;
  }

 private:
  static void Wait(const std::atomic<int>& value, int wanted) {
    while (value.load() < wanted) std::this_thread::sleep_for(milliseconds(2));
  }
  // As fast as the store takes them and the fast stream reads them.
  void Append(size_t count) {
    for (size_t i = 0; i < count; i += 50) {
      std::vector<journal::NewEvent> events;
      for (int j = 0; j < 50; ++j) events.push_back(MakeEvent(++appended_));
      journal_->Append(std::move(events));
      while (appended_ - shared_->received.load() > 1000) {
        std::this_thread::sleep_for(milliseconds(1));
      }
    }
    AwaitFast();
  }
  // One by one at a steady pace.
  Latency Pace(const char* what) {
    const size_t first = appended_;
    auto next = steady_clock::now();
    const auto end = next + std::chrono::duration_cast<steady_clock::duration>(
                                std::chrono::duration<double>(seconds_));
    while (next < end) {
      next += std::chrono::microseconds(1'000'000 / kEventsPerSecond);
      std::this_thread::sleep_until(next);
      journal_->Append({MakeEvent(++appended_)});
    }
    AwaitFast();
    const Latency latency = Measure(*shared_, first, appended_);
    std::printf("%s: p50 %.3f ms, p99 %.3f ms of %zu events\n", what, latency.p50, latency.p99,
                appended_ - first);
    std::fflush(stdout);
    return latency;
  }
  void AwaitFast() {
    while (shared_->received.load() < appended_) std::this_thread::sleep_for(milliseconds(1));
  }

  Shared* const shared_;
  const int slow_;
  const double seconds_;
  size_t appended_ = 0;
  Metrics metrics_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<net::TlsContext> tls_;
  net::HttpClient http_{""};
  std::unique_ptr<session::Registry> registry_;
  std::unique_ptr<api::Server> server_;
};

int Main(int argc, char** argv) {
  int slow = 1000;
  double seconds = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--slow") slow = std::clamp(std::atoi(argv[i + 1]), 1, 5000);
    if (flag == "--seconds") seconds = std::clamp(std::atof(argv[i + 1]), 0.5, 60.0);
  }
  auto* shared = static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  new (shared) Shared;
  char directory[] = "/tmp/slow_clients_XXXXXX";
  if (mkdtemp(directory) == nullptr) return 1;
  const pid_t server = fork();
  if (server == 0) _exit(Bench(directory, shared, slow, seconds).Run());
  const pid_t clients = fork();
  if (clients == 0) RunClients(std::string(directory) + "/socket", slow, shared);
  int status = 0;
  waitpid(server, &status, 0);
  shared->phase.store(3);
  waitpid(clients, nullptr, 0);
  std::filesystem::remove_all(directory);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace
}  // namespace talkjsd

int main(int argc, char** argv) { return talkjsd::Main(argc, argv); }
