// Saturated fan-out of one session to many streams, beside a bare callback server that writes
// pre-encoded batches.
//
//   fanout_bench [--streams 100] [--seconds 2] [--turns 3]
//
// Both servers and the client take turns in one run, on Unix sockets; the client is a process of
// its own. Prints one line a turn and, last, one JSON line: {"bare":…,"talkjsd":…,"ratio":…},
// deliveries (events over all streams) a second, medians.
#include <absl/synchronization/mutex.h>
#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "daemon/api/server.h"
#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "daemon/net/http_client.h"
#include "daemon/net/tls_context.h"
#include "daemon/session/encoder.h"
#include "daemon/session/registry.h"
#include "talkjs/sidecar/v1/event_service.grpc.pb.h"

namespace talkjsd {
namespace {

namespace v1 = talkjs::sidecar::v1;
using std::chrono::steady_clock;

constexpr size_t kBatchEvents = 256;
constexpr size_t kBatchBytes = 64 * 1024;
constexpr int kChannels = 10;
// The newest event may be this far ahead of the slowest stream: well within the ring.
constexpr int64_t kLead = 32 * 1024;

// Shared by the processes: what each stream has received so far in the present turn.
struct Shared {
  std::atomic<int> stop{0};
  std::atomic<int64_t> received[4096];
};

journal::NewEvent OneEvent(const std::string& session_id) {
  wire::Conversation conversation;
  conversation.id = "conversation";
  conversation.subject = "Orders";
  wire::User sender;
  sender.id = "bob";
  sender.name = "Bob";
  sender.role = "default";
  wire::Message message;
  message.id = "msg_0UQbqdxnQWkoIw7Db7fZHK";
  message.sender_id = "bob";
  message.origin = "rest";
  message.created_at = 1'795'353'474'788;
  wire::ContentBlock block;
  wire::TextNode node;
  node.text = "Where is my order? I have been waiting for two weeks now.";
  block.children.push_back(node);
  message.content.push_back(block);
  return session::EncodeMessageEvent(journal::EventKind::kSent, message,
                                     {session_id, "alice", &conversation, &sender}, false,
                                     1'795'353'474'790);
}

// --- the client's process ---

class CountingStream : public grpc::ClientReadReactor<v1::StreamMessagesResponse> {
 public:
  CountingStream(v1::EventService::Stub* stub, const v1::StreamMessagesRequest& request,
                 std::atomic<int64_t>* received)
      : received_(received) {
    stub->async()->StreamMessages(&context_, &request, this);
    StartRead(&response_);
    StartCall();
  }
  void OnReadDone(bool ok) override {
    if (!ok) return;
    received_->fetch_add(response_.events_size(), std::memory_order_relaxed);
    StartRead(&response_);
  }
  void OnDone(const grpc::Status& status) override {
    if (status.error_code() != grpc::StatusCode::CANCELLED) {
      std::fprintf(stderr, "fanout_bench: a stream ended: %s\n", status.error_message().c_str());
      _exit(1);
    }
    absl::MutexLock lock(&mutex_);
    done_ = true;
  }
  void Cancel() { context_.TryCancel(); }
  void Wait() {
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&done_));
  }

 private:
  grpc::ClientContext context_;
  v1::StreamMessagesResponse response_;
  std::atomic<int64_t>* received_;
  absl::Mutex mutex_;
  bool done_ = false;
};

void RunClient(const std::string& address, const std::string& session_id, int streams,
               Shared* shared) {
  std::vector<std::unique_ptr<v1::EventService::Stub>> stubs;
  for (int i = 0; i < kChannels; ++i) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    stubs.push_back(v1::EventService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments)));
  }
  v1::StreamMessagesRequest request;
  request.add_session_ids(session_id);
  request.mutable_earliest();
  std::vector<std::unique_ptr<CountingStream>> open;
  for (int i = 0; i < streams; ++i) {
    open.push_back(std::make_unique<CountingStream>(stubs[static_cast<size_t>(i % kChannels)].get(),
                                                    request, &shared->received[i]));
  }
  while (shared->stop.load() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  for (const auto& stream : open) stream->Cancel();
  for (const auto& stream : open) stream->Wait();
}

// --- the bare server ---

class BareStream : public grpc::ServerWriteReactor<grpc::ByteBuffer> {
 public:
  explicit BareStream(const grpc::ByteBuffer* batch) : batch_(batch) { StartWrite(batch_); }
  void OnWriteDone(bool ok) override {
    if (ok) {
      StartWrite(batch_);
    } else {
      Finish(grpc::Status::CANCELLED);
    }
  }
  void OnDone() override { delete this; }

 private:
  const grpc::ByteBuffer* batch_;
};

class BareService
    : public v1::EventService::WithRawCallbackMethod_StreamMessages<v1::EventService::Service> {
 public:
  explicit BareService(grpc::ByteBuffer batch) : batch_(std::move(batch)) {}
  grpc::ServerWriteReactor<grpc::ByteBuffer>* StreamMessages(grpc::CallbackServerContext*,
                                                             const grpc::ByteBuffer*) override {
    return new BareStream(&batch_);
  }

 private:
  const grpc::ByteBuffer batch_;
};

grpc::ByteBuffer FullBatch() {
  const std::string event = OneEvent("ses_0123456789abcdefghijkl").bytes;
  std::string bytes;
  for (size_t i = 0; i < kBatchEvents && bytes.size() + event.size() <= kBatchBytes; ++i) {
    bytes += event;
  }
  const grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

// --- measuring ---

int64_t Total(const Shared& shared, int streams) {
  int64_t total = 0;
  for (int i = 0; i < streams; ++i) total += shared.received[i].load(std::memory_order_relaxed);
  return total;
}

int64_t Slowest(const Shared& shared, int streams) {
  int64_t slowest = INT64_MAX;
  for (int i = 0; i < streams; ++i) {
    slowest = std::min(slowest, shared.received[i].load(std::memory_order_relaxed));
  }
  return slowest;
}

// Waits until all streams flow, then counts for `seconds`.
double Measure(const Shared& shared, int streams, double seconds) {
  while (Slowest(shared, streams) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  const int64_t before = Total(shared, streams);
  const auto start = steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const int64_t after = Total(shared, streams);
  return static_cast<double>(after - before) /
         std::chrono::duration<double>(steady_clock::now() - start).count();
}

double MeasureBare(const std::string& address, Shared* shared, int streams, double seconds) {
  BareService service(FullBatch());
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  const double rate = Measure(*shared, streams, seconds);
  shared->stop.store(1);
  server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  return rate;
}

double MeasureDaemon(const std::string& address, const std::string& session_file, Shared* shared,
                     int streams, double seconds) {
  Metrics metrics;
  auto journal = journal::Journal::Open({}, journal::MakeMemoryStore({}), SystemClock(),
                                        SecureRandom(), metrics);
  auto tls = net::TlsContext::Make("");
  net::HttpClient http("");
  // Nobody listens there: the session exists, and its events are those appended here.
  session::Registry::Options registry_options;
  registry_options.upstream_host = "127.0.0.1:1";
  session::Registry registry(registry_options,
                             {SystemClock(), SecureRandom(), metrics, **journal, http, **tls});
  session::CreateRequest create;
  create.app_id = "demo";
  create.user_id = "alice";
  create.credentials.kind = session::CredentialKind::kSigningKey;
  create.credentials.secret = Secret("sk_test_demo");
  const std::string session_id = registry.Create(create)->info.session_id;
  api::Server::Options options;
  options.listeners.push_back({.address = address});
  options.limits.streams_opened_per_second = 10'000;
  auto server =
      api::Server::Start(options, {registry, **journal, SystemClock(), SecureRandom(), metrics});
  if (!server.ok()) {
    std::fprintf(stderr, "fanout_bench: %s\n", std::string(server.status().message()).c_str());
    std::exit(1);
  }
  std::FILE* file = std::fopen(session_file.c_str(), "w");
  std::fputs(session_id.c_str(), file);
  std::fclose(file);

  std::atomic<bool> running{true};
  std::thread appender([&] {
    const journal::NewEvent event = OneEvent(session_id);
    int64_t appended = 0;
    while (running.load()) {
      if (appended - Slowest(*shared, streams) > kLead) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
        continue;
      }
      (*journal)->Append(std::vector<journal::NewEvent>(kBatchEvents, event));
      appended += kBatchEvents;
    }
  });
  const double rate = Measure(*shared, streams, seconds);
  running.store(false);
  appender.join();
  shared->stop.store(1);
  (*server)->Drain();
  registry.Stop();
  (*journal)->Close();
  return rate;
}

// One turn in processes of its own: the server measures, the client counts.
double Turn(bool bare, int streams, double seconds) {
  auto* shared = static_cast<Shared*>(
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  auto* rate = static_cast<double*>(
      mmap(nullptr, sizeof(double), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  new (shared) Shared;
  char directory[] = "/tmp/fanout_bench_XXXXXX";
  if (mkdtemp(directory) == nullptr) std::exit(1);
  const std::string socket = std::string(directory) + "/socket";
  const std::string address = (bare ? "unix:" : "unix://") + socket;
  const std::string session_file = std::string(directory) + "/session";

  const pid_t server = fork();
  if (server == 0) {
    *rate = bare ? MeasureBare(address, shared, streams, seconds)
                 : MeasureDaemon(address, session_file, shared, streams, seconds);
    _exit(0);
  }
  const pid_t client = fork();
  if (client == 0) {
    while (access((bare ? socket : session_file).c_str(), F_OK) != 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    std::string session_id = "any";
    if (!bare) {
      std::FILE* file = nullptr;
      char text[128] = "";
      while (std::strlen(text) == 0) {
        file = std::fopen(session_file.c_str(), "r");
        if (std::fgets(text, sizeof(text), file) == nullptr) text[0] = 0;
        std::fclose(file);
      }
      session_id = text;
    }
    RunClient("unix:" + socket, session_id, streams, shared);
    _exit(0);
  }
  // Whichever ends first: a client that fails must not leave the server waiting for it.
  int status = 0;
  int client_status = 0;
  if (wait(&status) == client) {
    client_status = status;
    if (shared->stop.load() == 0) kill(server, SIGKILL);
    waitpid(server, &status, 0);
  } else {
    shared->stop.store(1);
    waitpid(client, &client_status, 0);
  }
  unlink(session_file.c_str());
  unlink(socket.c_str());
  rmdir(directory);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    std::fprintf(stderr, "fanout_bench: the %s server failed\n", bare ? "bare" : "talkjsd");
    std::exit(1);
  }
  const double result = *rate;
  munmap(shared, sizeof(Shared));
  munmap(rate, sizeof(double));
  return result;
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int argc, char** argv) {
  int streams = 100;
  double seconds = 2;
  int turns = 3;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string flag = argv[i];
    if (flag == "--streams") streams = std::clamp(std::atoi(argv[i + 1]), 1, 4096);
    if (flag == "--seconds") seconds = std::clamp(std::atof(argv[i + 1]), 0.1, 60.0);
    if (flag == "--turns") turns = std::clamp(std::atoi(argv[i + 1]), 1, 20);
  }
  std::vector<double> bare;
  std::vector<double> daemon;
  for (int turn = 0; turn < turns; ++turn) {
    bare.push_back(Turn(true, streams, seconds));
    daemon.push_back(Turn(false, streams, seconds));
    std::printf("turn %d: bare %.0f, talkjsd %.0f deliveries/s\n", turn + 1, bare.back(),
                daemon.back());
    std::fflush(stdout);
  }
  std::printf("{\"bare\":%.0f,\"talkjsd\":%.0f,\"ratio\":%.3f}\n", Median(bare), Median(daemon),
              Median(daemon) / Median(bare));
  return 0;
}

}  // namespace
}  // namespace talkjsd

int main(int argc, char** argv) { return talkjsd::Main(argc, argv); }
