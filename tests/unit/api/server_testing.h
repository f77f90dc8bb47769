// A server on a socket of its own with real rooms behind it: a journal in memory, and sessions that
// never reach TalkJS.
#ifndef TALKJSD_TESTS_UNIT_API_SERVER_TESTING_H_
#define TALKJSD_TESTS_UNIT_API_SERVER_TESTING_H_

#include <arpa/inet.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "daemon/api/server.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/positions.h"
#include "daemon/net/http_client.h"
#include "daemon/net/tls_context.h"
#include "daemon/session/registry.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "talkjs/sidecar/v1/event_service.grpc.pb.h"
#include "talkjs/sidecar/v1/session_service.grpc.pb.h"

namespace talkjsd::api {

namespace v1 = talkjs::sidecar::v1;

template <typename Detail>
Detail DetailOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  Detail found;
  for (const auto& any : details.details()) {
    if (any.UnpackTo(&found)) return found;
  }
  return {};
}

// "NOT_FOUND/SESSION_NOT_FOUND": code and reason.
inline std::string Why(const grpc::Status& status) {
  if (status.ok()) return "OK";
  const std::string name = std::to_string(status.error_code());
  return name + "/" + DetailOf<google::rpc::ErrorInfo>(status).reason();
}

inline std::string Expected(grpc::StatusCode code, const std::string& reason) {
  return std::to_string(code) + "/" + reason;
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    static std::atomic<int> count = 0;
    dir_ = std::filesystem::temp_directory_path() /
           ("api." + std::to_string(getpid()) + "." + std::to_string(++count));
    std::filesystem::create_directory(dir_);
    auto journal = journal::Journal::Open({}, journal::MakeMemoryStore({}), SystemClock(),
                                          SecureRandom(), metrics_);
    EXPECT_TRUE(journal.ok()) << journal.status();
    journal_ = *std::move(journal);
    OpenPositions();
    auto tls = net::TlsContext::Make("");
    EXPECT_TRUE(tls.ok()) << tls.status();
    tls_ = *std::move(tls);
    session::Registry::Options options;
    options.upstream_host = "127.0.0.1:" + std::to_string(ListenAndIgnore());
    registry_ = std::make_unique<session::Registry>(
        options, session::Registry::Environment{SystemClock(), SecureRandom(), metrics_, *journal_,
                                                http_, *tls_});
    StartServer();
    channel_ = NewChannel();
    events_ = v1::EventService::NewStub(channel_);
    sessions_ = v1::SessionService::NewStub(channel_);
  }

  ~ServerTest() override {
    server_->Drain();
    registry_->Stop();
    journal_->Close();
    server_.reset();
    positions_.reset();
    std::filesystem::remove_all(dir_);
    ::close(upstream_);
  }

  // The port of a socket that accepts (in the kernel) and says nothing.
  uint16_t ListenAndIgnore() {
    upstream_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(::bind(upstream_, generic, size), 0);
    EXPECT_EQ(::listen(upstream_, 128), 0);
    EXPECT_EQ(::getsockname(upstream_, generic, &size), 0);
    return ntohs(address.sin_port);
  }

  void OpenPositions() {
    journal::Positions::Options options;
    options.path = dir_ / "positions";
    options.delay = std::chrono::milliseconds(1);
    options.resolve = [this](journal::Cursor cursor) { return journal_->Resolve(cursor); };
    auto positions = journal::Positions::Open(std::move(options), SystemClock());
    ASSERT_TRUE(positions.ok()) << positions.status();
    positions_ = *std::move(positions);
  }

  void StartServer() {
    if (options_.listeners.empty()) {
      options_.listeners.push_back({.address = "unix://" + (dir_ / "s.sock").string()});
      options_.limits.streams = 64;
    }
    options_.drain_grace = std::chrono::milliseconds(300);
    auto server = Server::Start(options_, {*registry_, *journal_, SystemClock(), SecureRandom(),
                                           metrics_, positions_.get()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  std::shared_ptr<grpc::Channel> NewChannel() const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(),
                                     arguments);
  }

  std::string CreateSession(const std::string& user_id) {
    grpc::ClientContext context;
    v1::CreateSessionRequest request;
    request.set_app_id("demo");
    request.set_user_id(user_id);
    v1::CreateSessionResponse response;
    const grpc::Status status = sessions_->CreateSession(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.session().session_id();
  }

  grpc::Status DestroySession(const std::string& session_id) {
    grpc::ClientContext context;
    v1::DestroySessionRequest request;
    request.set_session_id(session_id);
    v1::DestroySessionResponse response;
    return sessions_->DestroySession(&context, request, &response);
  }

  // Appends messages numbered from `first`.
  void Append(const std::string& session_id, int first, int count, size_t body_bytes = 0) {
    std::vector<journal::NewEvent> events;
    for (int i = first; i < first + count; ++i) {
      v1::MessageEvent event;
      event.set_cursor(std::string(journal::CursorPlaceholder()));
      event.set_session_id(session_id);
      event.mutable_sent()->set_id("msg_" + std::to_string(i));
      event.mutable_sent()->set_body(std::string(body_bytes, 'x'));
      journal::NewEvent entry;
      entry.session_id = session_id;
      entry.conversation_id = "c";
      entry.bytes = journal::FrameEvent(event.SerializeAsString());
      events.push_back(std::move(entry));
    }
    journal_->Append(std::move(events));
  }

  Server::Options options_;
  std::filesystem::path dir_;
  int upstream_ = -1;
  Metrics metrics_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<journal::Positions> positions_;
  std::unique_ptr<net::TlsContext> tls_;
  net::HttpClient http_{""};
  std::unique_ptr<session::Registry> registry_;
  std::unique_ptr<Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::EventService::Stub> events_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
};

// A StreamMessages, read one response at a time.
class MessageReader {
 public:
  MessageReader(v1::EventService::Stub& stub, const v1::StreamMessagesRequest& request)
      : reader_(stub.StreamMessages(&context_, request)) {}
  ~MessageReader() {
    context_.TryCancel();
    v1::StreamMessagesResponse rest;
    while (!finished_ && reader_->Read(&rest)) {
    }
    if (!finished_) reader_->Finish();
  }

  // The next response, or nothing at the end.
  std::optional<v1::StreamMessagesResponse> Next() {
    v1::StreamMessagesResponse response;
    if (!reader_->Read(&response)) return std::nullopt;
    return response;
  }
  // Ids of the next `count` messages; other fields are passed over.
  std::vector<std::string> Ids(size_t count) {
    std::vector<std::string> ids;
    while (ids.size() < count) {
      const auto response = Next();
      if (!response.has_value()) break;
      for (const auto& event : response->events()) {
        ids.push_back(event.sent().id());
        cursors.push_back(event.cursor());
        last_cursor = event.cursor();
      }
      EXPECT_LE(response->events_size(), 256);
    }
    return ids;
  }
  grpc::Status Finish() {
    v1::StreamMessagesResponse rest;
    while (reader_->Read(&rest)) {
    }
    finished_ = true;
    return reader_->Finish();
  }
  void Cancel() { context_.TryCancel(); }

  // Of all messages so far.
  std::vector<std::string> cursors;
  std::string last_cursor;

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::StreamMessagesResponse>> reader_;
  bool finished_ = false;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_TESTS_UNIT_API_SERVER_TESTING_H_
