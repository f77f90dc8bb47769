#include "talkjsd/client.h"

#include <grpcpp/client_context.h>

#include <utility>

#include "address.h"
#include "connection.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "stream_impl.h"
#include "talkjs/sidecar/v1/conversation_service.grpc.pb.h"
#include "talkjs/sidecar/v1/daemon_service.grpc.pb.h"
#include "talkjs/sidecar/v1/event_service.grpc.pb.h"
#include "talkjs/sidecar/v1/message_service.grpc.pb.h"
#include "talkjs/sidecar/v1/session_service.grpc.pb.h"
#include "talkjs/sidecar/v1/user_service.grpc.pb.h"
#include "token_provider_impl.h"

namespace talkjsd::client {

class Client::Impl {
 public:
  explicit Impl(const ClientOptions& options)
      : connection(std::make_shared<Connection>(
            options.address.empty() ? DefaultAddress() : NormalizeAddress(options.address),
            options)),
        session(v1::SessionService::NewStub(connection->channel())),
        user(v1::UserService::NewStub(connection->channel())),
        conversation(v1::ConversationService::NewStub(connection->channel())),
        message(v1::MessageService::NewStub(connection->channel())),
        event(v1::EventService::NewStub(connection->channel())),
        daemon(v1::DaemonService::NewStub(connection->channel())),
        health(grpc::health::v1::Health::NewStub(connection->channel())),
        call_timeout(options.call_timeout) {}

  template <class Stub, class Request, class Response>
  Status Call(Stub& stub,
              grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
              const Request& request, Response* response) const {
    if (!connection->WaitUntilConnected([] { return false; })) return connection->Unreachable();
    grpc::ClientContext context;
    connection->Prepare(&context);
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + call_timeout);
    return connection->FromGrpc((stub.*method)(&context, request, response));
  }

  const std::shared_ptr<Connection> connection;
  const std::unique_ptr<v1::SessionService::Stub> session;
  const std::unique_ptr<v1::UserService::Stub> user;
  const std::unique_ptr<v1::ConversationService::Stub> conversation;
  const std::unique_ptr<v1::MessageService::Stub> message;
  const std::unique_ptr<v1::EventService::Stub> event;
  const std::unique_ptr<v1::DaemonService::Stub> daemon;
  const std::unique_ptr<grpc::health::v1::Health::Stub> health;
  const std::chrono::milliseconds call_timeout;
};

Client::Client(ClientOptions options) : impl_(std::make_unique<Impl>(options)) {}
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;
Client::~Client() = default;

const std::string& Client::address() const { return impl_->connection->address(); }

std::unique_ptr<MessageStream> Client::StreamMessages(const v1::StreamMessagesRequest& request,
                                                      MessageStreamOptions options) {
  return std::unique_ptr<MessageStream>(new MessageStream(std::make_unique<MessageStream::Impl>(
      impl_->connection, request, std::move(options), impl_->call_timeout)));
}

std::unique_ptr<UnreadsStream> Client::StreamUnreads(const v1::StreamUnreadsRequest& request,
                                                     UnreadsStreamOptions options) {
  return std::unique_ptr<UnreadsStream>(new UnreadsStream(
      std::make_unique<UnreadsStream::Impl>(impl_->connection, request, std::move(options))));
}

std::unique_ptr<SessionWatch> Client::WatchSessions(const v1::WatchSessionsRequest& request,
                                                    SessionWatchOptions options) {
  return std::unique_ptr<SessionWatch>(new SessionWatch(
      std::make_unique<SessionWatch::Impl>(impl_->connection, request, std::move(options))));
}

std::unique_ptr<TokenProvider> Client::ProvideTokens(const v1::TokenRegistration& registration,
                                                     TokenProviderOptions options) {
  return std::unique_ptr<TokenProvider>(new TokenProvider(
      std::make_unique<TokenProvider::Impl>(impl_->connection, registration, std::move(options))));
}

Status Client::CreateSession(const v1::CreateSessionRequest& request,
                             v1::CreateSessionResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::CreateSession, request, response);
}

Status Client::GetSession(const v1::GetSessionRequest& request, v1::GetSessionResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::GetSession, request, response);
}

Status Client::ListSessions(const v1::ListSessionsRequest& request,
                            v1::ListSessionsResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::ListSessions, request, response);
}

Status Client::DestroySession(const v1::DestroySessionRequest& request,
                              v1::DestroySessionResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::DestroySession, request, response);
}

Status Client::SetMe(const v1::SetMeRequest& request, v1::SetMeResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::SetMe, request, response);
}

Status Client::SetToken(const v1::SetTokenRequest& request, v1::SetTokenResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::SetToken, request, response);
}

Status Client::HasValidCredentials(const v1::HasValidCredentialsRequest& request,
                                   v1::HasValidCredentialsResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::HasValidCredentials, request,
                     response);
}

Status Client::SetPushRegistration(const v1::SetPushRegistrationRequest& request,
                                   v1::SetPushRegistrationResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::SetPushRegistration, request,
                     response);
}

Status Client::UnsetPushRegistration(const v1::UnsetPushRegistrationRequest& request,
                                     v1::UnsetPushRegistrationResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::UnsetPushRegistration, request,
                     response);
}

Status Client::ClearPushRegistrations(const v1::ClearPushRegistrationsRequest& request,
                                      v1::ClearPushRegistrationsResponse* response) {
  return impl_->Call(*impl_->session, &v1::SessionService::Stub::ClearPushRegistrations, request,
                     response);
}

Status Client::GetUser(const v1::GetUserRequest& request, v1::GetUserResponse* response) {
  return impl_->Call(*impl_->user, &v1::UserService::Stub::GetUser, request, response);
}

Status Client::GetUserById(const v1::GetUserByIdRequest& request,
                           v1::GetUserByIdResponse* response) {
  return impl_->Call(*impl_->user, &v1::UserService::Stub::GetUserById, request, response);
}

Status Client::GetConversation(const v1::GetConversationRequest& request,
                               v1::GetConversationResponse* response) {
  return impl_->Call(*impl_->conversation, &v1::ConversationService::Stub::GetConversation, request,
                     response);
}

Status Client::ListConversations(const v1::ListConversationsRequest& request,
                                 v1::ListConversationsResponse* response) {
  return impl_->Call(*impl_->conversation, &v1::ConversationService::Stub::ListConversations,
                     request, response);
}

Status Client::MarkConversationRead(const v1::MarkConversationReadRequest& request,
                                    v1::MarkConversationReadResponse* response) {
  return impl_->Call(*impl_->conversation, &v1::ConversationService::Stub::MarkConversationRead,
                     request, response);
}

Status Client::MarkConversationUnread(const v1::MarkConversationUnreadRequest& request,
                                      v1::MarkConversationUnreadResponse* response) {
  return impl_->Call(*impl_->conversation, &v1::ConversationService::Stub::MarkConversationUnread,
                     request, response);
}

Status Client::SendMessage(const v1::SendMessageRequest& request,
                           v1::SendMessageResponse* response) {
  return impl_->Call(*impl_->message, &v1::MessageService::Stub::SendMessage, request, response);
}

Status Client::ListMessages(const v1::ListMessagesRequest& request,
                            v1::ListMessagesResponse* response) {
  return impl_->Call(*impl_->message, &v1::MessageService::Stub::ListMessages, request, response);
}

Status Client::Acknowledge(const v1::AcknowledgeRequest& request,
                           v1::AcknowledgeResponse* response) {
  return impl_->Call(*impl_->event, &v1::EventService::Stub::Acknowledge, request, response);
}

Status Client::ListSubscriptions(const v1::ListSubscriptionsRequest& request,
                                 v1::ListSubscriptionsResponse* response) {
  return impl_->Call(*impl_->event, &v1::EventService::Stub::ListSubscriptions, request, response);
}

Status Client::DeleteSubscription(const v1::DeleteSubscriptionRequest& request,
                                  v1::DeleteSubscriptionResponse* response) {
  return impl_->Call(*impl_->event, &v1::EventService::Stub::DeleteSubscription, request, response);
}

Status Client::GetInfo(const v1::GetInfoRequest& request, v1::GetInfoResponse* response) {
  return impl_->Call(*impl_->daemon, &v1::DaemonService::Stub::GetInfo, request, response);
}

Status Client::CheckHealth(const std::string& service, Health* health) {
  namespace proto = grpc::health::v1;
  proto::HealthCheckRequest request;
  request.set_service(service);
  proto::HealthCheckResponse response;
  const Status status =
      impl_->Call(*impl_->health, &proto::Health::Stub::Check, request, &response);
  if (!status.ok()) return status;
  switch (response.status()) {
    case proto::HealthCheckResponse::SERVING:
      *health = Health::kServing;
      break;
    case proto::HealthCheckResponse::NOT_SERVING:
      *health = Health::kNotServing;
      break;
    default:
      *health = Health::kUnknown;
  }
  return status;
}

}  // namespace talkjsd::client
