// The C++ client of talkjsd.
//
//   talkjsd::client::Client client;                       // the daemon of this machine
//   talkjsd::client::v1::SendMessageRequest request;
//   request.set_session_id(session_id);
//   request.set_conversation_id("order_17");
//   request.set_text("On its way.");
//   request.set_request_id(my_own_id);                    // a retry sends nothing twice
//   talkjsd::client::v1::SendMessageResponse response;
//   talkjsd::client::Status status = client.SendMessage(request, &response);
//   if (!status.ok()) std::cerr << status.ToString() << "\n";
//
// Requests and responses are the generated messages of proto/talkjs/sidecar/v1, which document
// them; gRPC itself is not needed to compile against this header. For streams see
// talkjsd/stream.h, for errors talkjsd/status.h. docs/api.md is the guide.
#ifndef TALKJSD_CLIENT_CLIENT_H_
#define TALKJSD_CLIENT_CLIENT_H_

#include <chrono>
#include <memory>
#include <string>

#include "talkjs/sidecar/v1/conversation_service.pb.h"
#include "talkjs/sidecar/v1/daemon_service.pb.h"
#include "talkjs/sidecar/v1/event_service.pb.h"
#include "talkjs/sidecar/v1/message_service.pb.h"
#include "talkjs/sidecar/v1/session_service.pb.h"
#include "talkjs/sidecar/v1/user_service.pb.h"
#include "talkjsd/status.h"
#include "talkjsd/stream.h"
#include "talkjsd/token_provider.h"

namespace talkjsd::client {

// Where a daemon of this machine listens:
//   1. $TALKJSD_ADDRESS if it is set and not empty;
//   2. for root: unix:///run/talkjsd/talkjsd.sock;
//   3. else unix://$XDG_RUNTIME_DIR/talkjsd/talkjsd.sock, but /run/talkjsd/talkjsd.sock when only
//      that exists or XDG_RUNTIME_DIR is not set.
std::string DefaultAddress();

struct ClientOptions {
  // "unix:///path", an absolute path to a Unix socket, or "host:port". Empty = DefaultAddress().
  std::string address;
  // TCP: use TLS, with the system's authorities. Naming any of the following files but the token's
  // means the same. Without TLS only loopback addresses make sense.
  bool tls = false;
  // PEM: authorities to trust for the daemon's certificate instead of the system's.
  std::string ca_file;
  // PEM: this client's certificate and its key, for listeners that demand one (mTLS).
  std::string cert_file;
  std::string key_file;
  // TCP: a file with a bearer token, read again for each call. Not sent without TLS but to loopback
  // addresses.
  std::string bearer_token_file;
  // How long a call may take. The daemon lets calls on a session that is connecting wait this long.
  std::chrono::milliseconds call_timeout{10'000};
  // How long a call, or the first opening of a stream, waits for a daemon to connect to.
  std::chrono::milliseconds connect_timeout{5'000};
};

// What the daemon says of a service (gRPC's standard health service).
enum class Health { kUnknown, kServing, kNotServing };

// A connection to one daemon. It connects at the first call, reconnects by itself, and is cheap
// to keep. Threads: every method may be called from any thread at any time; calls block. Moving it
// is not safe while another thread uses it. Streams may outlive it.
//
// Every call returns a Status and fills *response only when that is OK. A daemon that cannot be
// reached within connect_timeout: status.unreachable(). No answer within call_timeout:
// DEADLINE_EXCEEDED, and whether the daemon did what was asked is unknown; calls with a request_id
// can be repeated safely.
class Client {
 public:
  explicit Client(ClientOptions options = {});
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;
  ~Client();

  // The address in gRPC's form.
  const std::string& address() const;

  // Streams; nothing is sent before their first Next().
  std::unique_ptr<MessageStream> StreamMessages(const v1::StreamMessagesRequest& request,
                                                MessageStreamOptions options = {});
  std::unique_ptr<UnreadsStream> StreamUnreads(const v1::StreamUnreadsRequest& request,
                                               UnreadsStreamOptions options = {});
  std::unique_ptr<SessionWatch> WatchSessions(const v1::WatchSessionsRequest& request,
                                              SessionWatchOptions options = {});

  // Nothing is sent before its Run().
  std::unique_ptr<TokenProvider> ProvideTokens(const v1::TokenRegistration& registration,
                                               TokenProviderOptions options = {});

  // The calls: what each does and which errors it has is documented at its rpc in the protos.

  // SessionService
  Status CreateSession(const v1::CreateSessionRequest& request,
                       v1::CreateSessionResponse* response);
  Status GetSession(const v1::GetSessionRequest& request, v1::GetSessionResponse* response);
  Status ListSessions(const v1::ListSessionsRequest& request, v1::ListSessionsResponse* response);
  Status DestroySession(const v1::DestroySessionRequest& request,
                        v1::DestroySessionResponse* response);
  Status SetMe(const v1::SetMeRequest& request, v1::SetMeResponse* response);
  Status SetToken(const v1::SetTokenRequest& request, v1::SetTokenResponse* response);
  Status HasValidCredentials(const v1::HasValidCredentialsRequest& request,
                             v1::HasValidCredentialsResponse* response);
  Status SetPushRegistration(const v1::SetPushRegistrationRequest& request,
                             v1::SetPushRegistrationResponse* response);
  Status UnsetPushRegistration(const v1::UnsetPushRegistrationRequest& request,
                               v1::UnsetPushRegistrationResponse* response);
  Status ClearPushRegistrations(const v1::ClearPushRegistrationsRequest& request,
                                v1::ClearPushRegistrationsResponse* response);

  // UserService
  Status GetUser(const v1::GetUserRequest& request, v1::GetUserResponse* response);
  Status GetUserById(const v1::GetUserByIdRequest& request, v1::GetUserByIdResponse* response);

  // ConversationService
  Status GetConversation(const v1::GetConversationRequest& request,
                         v1::GetConversationResponse* response);
  Status ListConversations(const v1::ListConversationsRequest& request,
                           v1::ListConversationsResponse* response);
  Status MarkConversationRead(const v1::MarkConversationReadRequest& request,
                              v1::MarkConversationReadResponse* response);
  Status MarkConversationUnread(const v1::MarkConversationUnreadRequest& request,
                                v1::MarkConversationUnreadResponse* response);

  // MessageService
  Status SendMessage(const v1::SendMessageRequest& request, v1::SendMessageResponse* response);
  Status ListMessages(const v1::ListMessagesRequest& request, v1::ListMessagesResponse* response);

  // EventService
  Status Acknowledge(const v1::AcknowledgeRequest& request, v1::AcknowledgeResponse* response);
  Status ListSubscriptions(const v1::ListSubscriptionsRequest& request,
                           v1::ListSubscriptionsResponse* response);
  Status DeleteSubscription(const v1::DeleteSubscriptionRequest& request,
                            v1::DeleteSubscriptionResponse* response);

  // DaemonService
  Status GetInfo(const v1::GetInfoRequest& request, v1::GetInfoResponse* response);

  // Whether the daemon serves `service`, such as "talkjs.sidecar.v1.EventService"; empty: as a
  // whole. NOT_FOUND for a service that it does not have. While it drains it answers kNotServing,
  // or is unreachable.
  Status CheckHealth(const std::string& service, Health* health);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_CLIENT_H_
