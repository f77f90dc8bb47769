// A talkjsd in the test's own process that answers what the test tells it to, on a Unix socket.
#ifndef TALKJSD_TESTS_UNIT_CLIENT_FAKE_DAEMON_H_
#define TALKJSD_TESTS_UNIT_CLIENT_FAKE_DAEMON_H_

#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "talkjs/sidecar/v1/daemon_service.grpc.pb.h"
#include "talkjs/sidecar/v1/event_service.grpc.pb.h"
#include "talkjs/sidecar/v1/message_service.grpc.pb.h"
#include "talkjs/sidecar/v1/session_service.grpc.pb.h"

namespace talkjsd::client {

namespace pb = talkjs::sidecar::v1;

// A directory that is removed with the test.
class TempDir {
 public:
  TempDir() {
    std::string name = ::testing::TempDir() + "talkjsd-client-XXXXXX";
    path_ = mkdtemp(name.data()) == nullptr ? "" : name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// An error as the daemon answers it.
inline grpc::Status DaemonError(grpc::StatusCode code, const std::string& reason,
                                const std::string& message,
                                const std::vector<const google::protobuf::Message*>& more = {},
                                const std::string& domain = "talkjs.sidecar") {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(domain);
  (*info.mutable_metadata())["session_id"] = "s-1";
  google::rpc::Status details;
  details.set_code(code);
  details.set_message(message);
  details.add_details()->PackFrom(info);
  for (const auto* detail : more) details.add_details()->PackFrom(*detail);
  return grpc::Status(code, message, details.SerializeAsString());
}

// Handlers run on gRPC's threads; set them before the call comes. Start() and Stop() may alternate,
// as with a daemon that restarts.
class FakeDaemon {
 public:
  template <class Request, class Response>
  using Unary = std::function<grpc::Status(const Request&, Response*)>;
  template <class Request, class Response>
  using Streaming = std::function<grpc::Status(grpc::ServerContext*, const Request&,
                                               grpc::ServerWriter<Response>*)>;

  FakeDaemon() { Start(); }
  ~FakeDaemon() { Stop(); }

  std::string path() const { return dir_.File("talkjsd.sock"); }
  std::string address() const { return "unix://" + path(); }

  void Start() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address(), grpc::InsecureServerCredentials());
    builder.RegisterService(&daemon_);
    builder.RegisterService(&sessions_);
    builder.RegisterService(&messages_);
    builder.RegisterService(&events_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  // Open streams end with UNAVAILABLE, without details.
  void Stop() {
    if (server_ == nullptr) return;
    server_->Shutdown(std::chrono::system_clock::now());
    server_ = nullptr;
  }

  void SetHealth(const std::string& service, bool serving) {
    server_->GetHealthCheckService()->SetServingStatus(service, serving);
  }

  Unary<pb::GetInfoRequest, pb::GetInfoResponse> get_info;
  Unary<pb::CreateSessionRequest, pb::CreateSessionResponse> create_session;
  Unary<pb::GetSessionRequest, pb::GetSessionResponse> get_session;
  Unary<pb::ListSessionsRequest, pb::ListSessionsResponse> list_sessions;
  Unary<pb::SendMessageRequest, pb::SendMessageResponse> send_message;
  Unary<pb::SetMeRequest, pb::SetMeResponse> set_me;
  Unary<pb::SetTokenRequest, pb::SetTokenResponse> set_token;
  std::function<grpc::Status(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<pb::ProvideTokensResponse, pb::ProvideTokensRequest>*)>
      provide_tokens;
  Unary<pb::AcknowledgeRequest, pb::AcknowledgeResponse> acknowledge;
  Unary<pb::ListSubscriptionsRequest, pb::ListSubscriptionsResponse> list_subscriptions;
  Unary<pb::DeleteSubscriptionRequest, pb::DeleteSubscriptionResponse> delete_subscription;
  Streaming<pb::StreamMessagesRequest, pb::StreamMessagesResponse> stream_messages;
  Streaming<pb::StreamUnreadsRequest, pb::StreamUnreadsResponse> stream_unreads;
  Streaming<pb::WatchSessionsRequest, pb::WatchSessionsResponse> watch_sessions;

  // Keeps a stream open until its client leaves or the server stops.
  static grpc::Status HoldOpen(grpc::ServerContext* context) {
    while (!context->IsCancelled()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    return grpc::Status(grpc::StatusCode::CANCELLED, "");
  }

 private:
  template <class Handler, class... Args>
  static grpc::Status Answer(const Handler& handler, Args&&... args) {
    if (!handler) return grpc::Status(grpc::StatusCode::UNIMPLEMENTED, "not in this test");
    return handler(std::forward<Args>(args)...);
  }

  class Daemon : public pb::DaemonService::Service {
   public:
    explicit Daemon(FakeDaemon* fake) : fake_(fake) {}
    grpc::Status GetInfo(grpc::ServerContext*, const pb::GetInfoRequest* request,
                         pb::GetInfoResponse* response) override {
      return Answer(fake_->get_info, *request, response);
    }

   private:
    FakeDaemon* const fake_;
  };

  class Sessions : public pb::SessionService::Service {
   public:
    explicit Sessions(FakeDaemon* fake) : fake_(fake) {}
    grpc::Status CreateSession(grpc::ServerContext*, const pb::CreateSessionRequest* request,
                               pb::CreateSessionResponse* response) override {
      return Answer(fake_->create_session, *request, response);
    }
    grpc::Status GetSession(grpc::ServerContext*, const pb::GetSessionRequest* request,
                            pb::GetSessionResponse* response) override {
      return Answer(fake_->get_session, *request, response);
    }
    grpc::Status ListSessions(grpc::ServerContext*, const pb::ListSessionsRequest* request,
                              pb::ListSessionsResponse* response) override {
      return Answer(fake_->list_sessions, *request, response);
    }
    grpc::Status SetMe(grpc::ServerContext*, const pb::SetMeRequest* request,
                       pb::SetMeResponse* response) override {
      return Answer(fake_->set_me, *request, response);
    }
    grpc::Status SetToken(grpc::ServerContext*, const pb::SetTokenRequest* request,
                          pb::SetTokenResponse* response) override {
      return Answer(fake_->set_token, *request, response);
    }
    grpc::Status ProvideTokens(
        grpc::ServerContext* context,
        grpc::ServerReaderWriter<pb::ProvideTokensResponse, pb::ProvideTokensRequest>* stream)
        override {
      return Answer(fake_->provide_tokens, context, stream);
    }
    grpc::Status WatchSessions(grpc::ServerContext* context,
                               const pb::WatchSessionsRequest* request,
                               grpc::ServerWriter<pb::WatchSessionsResponse>* writer) override {
      return Answer(fake_->watch_sessions, context, *request, writer);
    }

   private:
    FakeDaemon* const fake_;
  };

  class Messages : public pb::MessageService::Service {
   public:
    explicit Messages(FakeDaemon* fake) : fake_(fake) {}
    grpc::Status SendMessage(grpc::ServerContext*, const pb::SendMessageRequest* request,
                             pb::SendMessageResponse* response) override {
      return Answer(fake_->send_message, *request, response);
    }

   private:
    FakeDaemon* const fake_;
  };

  class Events : public pb::EventService::Service {
   public:
    explicit Events(FakeDaemon* fake) : fake_(fake) {}
    grpc::Status StreamMessages(grpc::ServerContext* context,
                                const pb::StreamMessagesRequest* request,
                                grpc::ServerWriter<pb::StreamMessagesResponse>* writer) override {
      return Answer(fake_->stream_messages, context, *request, writer);
    }
    grpc::Status StreamUnreads(grpc::ServerContext* context,
                               const pb::StreamUnreadsRequest* request,
                               grpc::ServerWriter<pb::StreamUnreadsResponse>* writer) override {
      return Answer(fake_->stream_unreads, context, *request, writer);
    }
    grpc::Status Acknowledge(grpc::ServerContext*, const pb::AcknowledgeRequest* request,
                             pb::AcknowledgeResponse* response) override {
      return Answer(fake_->acknowledge, *request, response);
    }
    grpc::Status ListSubscriptions(grpc::ServerContext*,
                                   const pb::ListSubscriptionsRequest* request,
                                   pb::ListSubscriptionsResponse* response) override {
      return Answer(fake_->list_subscriptions, *request, response);
    }
    grpc::Status DeleteSubscription(grpc::ServerContext*,
                                    const pb::DeleteSubscriptionRequest* request,
                                    pb::DeleteSubscriptionResponse* response) override {
      return Answer(fake_->delete_subscription, *request, response);
    }

   private:
    FakeDaemon* const fake_;
  };

  TempDir dir_;
  Daemon daemon_{this};
  Sessions sessions_{this};
  Messages messages_{this};
  Events events_{this};
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_TESTS_UNIT_CLIENT_FAKE_DAEMON_H_
