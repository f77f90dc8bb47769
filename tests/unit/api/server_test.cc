#include "daemon/api/server.h"

#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "server_testing.h"
#include "talkjs/sidecar/v1/conversation_service.grpc.pb.h"
#include "talkjs/sidecar/v1/daemon_service.grpc.pb.h"
#include "talkjs/sidecar/v1/message_service.grpc.pb.h"
#include "talkjs/sidecar/v1/user_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

using grpc::StatusCode;

// A unary call with any bytes.
grpc::Status CallRaw(const std::shared_ptr<grpc::Channel>& channel, const std::string& method,
                     const std::string& bytes, std::string* answer = nullptr) {
  grpc::GenericStub stub(channel);
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  call->StartCall();
  grpc::ByteBuffer response;
  grpc::Status status;
  call->Finish(&response, &status, &status);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  grpc::Slice flat;
  if (answer != nullptr && status.ok() && response.DumpToSingleSlice(&flat).ok()) {
    answer->assign(reinterpret_cast<const char*>(flat.begin()), flat.size());
  }
  return status;
}

TEST_F(ServerTest, TellsAboutItself) {
  CreateSession("alice");
  auto stub = v1::DaemonService::NewStub(channel_);
  grpc::ClientContext context;
  v1::GetInfoResponse info;
  ASSERT_TRUE(stub->GetInfo(&context, {}, &info).ok());
  EXPECT_FALSE(info.version().empty());
  EXPECT_EQ(info.epoch().size(), 8u);
  EXPECT_EQ(info.limits().max_streams(), 64);
  EXPECT_EQ(info.limits().message_subscriptions_per_session(), 30);
  EXPECT_EQ(info.journal().state(), v1::JOURNAL_STATE_MEMORY);
  ASSERT_EQ(info.sessions_by_state_size(), 1);
  EXPECT_EQ(info.sessions_by_state(0).count(), 1);
}

TEST_F(ServerTest, SessionsAreCreatedFoundListedAndDestroyed) {
  const std::string id = CreateSession("alice");
  EXPECT_EQ(CreateSession("alice"), id) << "one per app and user";
  CreateSession("bob");
  grpc::ClientContext list_context;
  v1::ListSessionsRequest list;
  list.set_page_size(1);
  v1::ListSessionsResponse listed;
  ASSERT_TRUE(sessions_->ListSessions(&list_context, list, &listed).ok());
  ASSERT_EQ(listed.sessions_size(), 1);
  EXPECT_EQ(listed.sessions(0).user_id(), "alice");
  EXPECT_FALSE(listed.next_page_token().empty());

  EXPECT_TRUE(DestroySession(id).ok());
  EXPECT_TRUE(DestroySession(id).ok()) << "again within the hour";
  EXPECT_EQ(Why(DestroySession("unknown")), Expected(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND"));
  grpc::ClientContext get_context;
  v1::GetSessionRequest get;
  get.set_session_id(id);
  v1::GetSessionResponse got;
  EXPECT_EQ(Why(sessions_->GetSession(&get_context, get, &got)),
            Expected(StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED"));
}

TEST_F(ServerTest, ARequestIdFindsTheFirstSessionAndRefusesOtherContent) {
  v1::CreateSessionRequest request;
  request.set_app_id("demo");
  request.set_request_id("r1");
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    v1::CreateSessionResponse response;
    ASSERT_TRUE(sessions_->CreateSession(&context, request, &response).ok());
    EXPECT_EQ(response.created(), i == 0);
    ids.push_back(response.session().session_id());
  }
  EXPECT_EQ(ids[0], ids[1]);
  request.set_user_id("alice");
  grpc::ClientContext context;
  v1::CreateSessionResponse response;
  EXPECT_EQ(Why(sessions_->CreateSession(&context, request, &response)),
            Expected(StatusCode::INVALID_ARGUMENT, "REQUEST_ID_REUSED"));
}

TEST_F(ServerTest, AnotherKindOfCredentialsNamesTheSessionThatIsThere) {
  const std::string id = CreateSession("alice");
  v1::CreateSessionRequest request;
  request.set_app_id("demo");
  request.set_user_id("alice");
  request.mutable_signing_key()->set_secret_key("sk_test_demo");
  grpc::ClientContext context;
  v1::CreateSessionResponse response;
  const grpc::Status status = sessions_->CreateSession(&context, request, &response);
  EXPECT_EQ(Why(status), Expected(StatusCode::ALREADY_EXISTS, "SESSION_ALREADY_EXISTS"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(status).metadata().at("session_id"), id);
}

TEST_F(ServerTest, AUserIsGivenLater) {
  grpc::ClientContext create_context;
  v1::CreateSessionRequest create;
  create.set_app_id("demo");
  v1::CreateSessionResponse created;
  ASSERT_TRUE(sessions_->CreateSession(&create_context, create, &created).ok());
  EXPECT_EQ(created.session().state(), v1::SESSION_STATE_AWAITING_ME);
  EXPECT_TRUE(created.session().has_expire_time());
  const std::string alice = CreateSession("alice");

  v1::SetMeRequest request;
  request.set_session_id(created.session().session_id());
  v1::SetMeResponse response;
  const auto set = [&] {
    grpc::ClientContext context;
    return sessions_->SetMe(&context, request, &response);
  };
  EXPECT_EQ(Why(set()), Expected(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  request.set_user_id("alice");
  const grpc::Status taken = set();
  EXPECT_EQ(Why(taken), Expected(StatusCode::ALREADY_EXISTS, "SESSION_ALREADY_EXISTS"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(taken).metadata().at("session_id"), alice);
  request.mutable_user()->set_id("bob");
  request.mutable_user()->set_name("Bob");
  ASSERT_TRUE(set().ok());
  EXPECT_EQ(response.session().user_id(), "bob");
  EXPECT_EQ(response.warnings_size(), 1) << "no role";
  EXPECT_EQ(Why(set()), Expected(StatusCode::FAILED_PRECONDITION, "ME_ALREADY_SET"));

  v1::SetTokenRequest token;
  token.set_session_id(alice);
  token.set_token("x.y.z");
  v1::SetTokenResponse answer;
  grpc::ClientContext token_context;
  EXPECT_EQ(Why(sessions_->SetToken(&token_context, token, &answer)),
            Expected(StatusCode::FAILED_PRECONDITION, "WRONG_CREDENTIAL_KIND"));
}

TEST_F(ServerTest, WatchSessionsGivesASnapshotThenChanges) {
  const std::string alice = CreateSession("alice");
  grpc::ClientContext context;
  auto reader = sessions_->WatchSessions(&context, {});
  std::map<std::string, v1::SessionState> seen;
  bool complete = false;
  const auto read = [&] {
    v1::WatchSessionsResponse response;
    if (!reader->Read(&response)) return false;
    for (const auto& session : response.sessions()) seen[session.session_id()] = session.state();
    complete = complete || response.snapshot_complete();
    return true;
  };
  while (!complete) ASSERT_TRUE(read());
  EXPECT_EQ(seen.count(alice), 1u);
  const std::string bob = CreateSession("bob");
  while (seen.count(bob) == 0) ASSERT_TRUE(read());
  ASSERT_TRUE(DestroySession(alice).ok());
  while (seen[alice] != v1::SESSION_STATE_DESTROYED) ASSERT_TRUE(read());
  context.TryCancel();
  reader->Finish();
}

TEST_F(ServerTest, UnreadsAreTheNewestListAndEndWithTheSession) {
  const std::string id = CreateSession("alice");
  v1::StreamUnreadsRequest request;
  request.add_session_ids(id);
  grpc::ClientContext context;
  auto reader = events_->StreamUnreads(&context, request);
  v1::StreamUnreadsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.has_opened());
  v1::StreamUnreadsResponse list;
  list.mutable_unreads()->set_session_id(id);
  list.mutable_unreads()->add_conversations()->set_unread_message_count(3);
  registry_->unreads().Put(id, std::make_shared<const std::string>(list.SerializeAsString()));
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_EQ(response.unreads().conversations(0).unread_message_count(), 3);
  ASSERT_TRUE(DestroySession(id).ok());
  while (reader->Read(&response)) {
  }
  EXPECT_EQ(Why(reader->Finish()), Expected(StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED"));
}

TEST_F(ServerTest, UnreadsOverSeveralSessionsReportTheEndOfOne) {
  const std::string id = CreateSession("alice");
  grpc::ClientContext context;
  auto reader = events_->StreamUnreads(&context, {});
  v1::StreamUnreadsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_TRUE(DestroySession(id).ok());
  while (response.session_state().state() != v1::SESSION_STATE_DESTROYED) {
    ASSERT_TRUE(reader->Read(&response));
  }
  EXPECT_EQ(response.session_state().session_id(), id);
  context.TryCancel();
  reader->Finish();
}

TEST_F(ServerTest, BytesThatAreNoRequestAreInvalidNotInternal) {
  const std::string invalid = Expected(StatusCode::INVALID_ARGUMENT, "INVALID_REQUEST");
  const std::string garbage = "\xff\xff\xff\xff";
  const std::string not_utf8 = std::string("\x0a\x02\xc3\x28", 4);  // field 1, a string
  for (const char* method :
       {"SessionService/GetSession", "SessionService/WatchSessions", "EventService/StreamMessages",
        "EventService/StreamUnreads", "MessageService/SendMessage", "UserService/GetUser",
        "ConversationService/GetConversation", "SessionService/SetPushRegistration"}) {
    const std::string name = std::string("/talkjs.sidecar.v1.") + method;
    EXPECT_EQ(Why(CallRaw(channel_, name, garbage)), invalid) << method;
    EXPECT_EQ(Why(CallRaw(channel_, name, not_utf8)), invalid) << method;
  }
  EXPECT_EQ(
      CallRaw(channel_, "/talkjs.sidecar.v1.SessionService/GetSession", std::string(5 << 20, 'x'))
          .error_code(),
      StatusCode::RESOURCE_EXHAUSTED);
}

TEST_F(ServerTest, CallsOnASessionThatDoesNotConnectEndBeforeTheClientsDeadline) {
  const std::string id = CreateSession("alice");
  auto stub = v1::ConversationService::NewStub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(500));
  v1::MarkConversationReadRequest request;
  request.set_session_id(id);
  request.set_conversation_id("c");
  v1::MarkConversationReadResponse response;
  EXPECT_EQ(Why(stub->MarkConversationRead(&context, request, &response)),
            Expected(StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE"));
}

// Whatever the call: of a session that is not there, that has no user, that is destroyed.
TEST_F(ServerTest, CallsOnASessionThatCannotBeUsedSayWhy) {
  v1::CreateSessionRequest create;
  create.set_app_id("demo");
  v1::CreateSessionResponse without_user;
  grpc::ClientContext context;
  ASSERT_TRUE(sessions_->CreateSession(&context, create, &without_user).ok());
  const std::string destroyed = CreateSession("alice");
  ASSERT_TRUE(DestroySession(destroyed).ok());
  const struct {
    std::string session_id;
    std::string why;
  } cases[] = {
      {"ses_none", Expected(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND")},
      {without_user.session().session_id(),
       Expected(StatusCode::FAILED_PRECONDITION, "ME_NOT_SET")},
      {destroyed, Expected(StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED")},
  };
  for (const auto& one : cases) {
    // Field 1 is the session in all of them; 2 the user or conversation, and of the push calls,
    // which go without, nothing.
    const std::string session =
        "\x0a" + std::string(1, static_cast<char>(one.session_id.size())) + one.session_id;
    const std::string text = std::string("\x12\x01", 2) + "x";
    const std::string user = std::string("\x12\x06\x0a\x01", 4) + "x" + "\x12\x01" + "X";
    const std::pair<const char*, std::string> calls[] = {
        {"UserService/GetUser", session + user},
        {"UserService/GetUserById", session + text},
        {"ConversationService/GetConversation", session + text},
        {"ConversationService/ListConversations", session},
        {"ConversationService/MarkConversationRead", session + text},
        {"ConversationService/MarkConversationUnread", session + text},
        {"MessageService/ListMessages", session + text},
        {"SessionService/HasValidCredentials", session},
        {"SessionService/SetPushRegistration", session},
        {"SessionService/UnsetPushRegistration", session},
        {"SessionService/ClearPushRegistrations", session},
    };
    for (const auto& [method, request] : calls) {
      EXPECT_EQ(Why(CallRaw(channel_, std::string("/talkjs.sidecar.v1.") + method, request)),
                one.why)
          << method << " " << one.session_id;
    }
  }
}

TEST_F(ServerTest, APushCallForTheSessionsOwnDeviceNeedsOne) {
  v1::SetPushRegistrationRequest request;
  request.set_session_id(CreateSession("alice"));
  grpc::ClientContext context;
  v1::SetPushRegistrationResponse response;
  EXPECT_EQ(Why(sessions_->SetPushRegistration(&context, request, &response)),
            Expected(StatusCode::FAILED_PRECONDITION, "NO_DEVICE_TOKEN"));
}

TEST_F(ServerTest, HealthIsServedPerServiceToo) {
  const std::string serving("\x08\x01", 2);
  std::string answer;
  ASSERT_TRUE(CallRaw(channel_, "/grpc.health.v1.Health/Check", "", &answer).ok());
  EXPECT_EQ(answer, serving);
  for (const char* service : {"Session", "User", "Conversation", "Message", "Event", "Daemon"}) {
    const std::string name = "talkjs.sidecar.v1." + std::string(service) + "Service";
    ASSERT_TRUE(CallRaw(channel_, "/grpc.health.v1.Health/Check",
                        "\x0a" + std::string(1, static_cast<char>(name.size())) + name, &answer)
                    .ok());
    EXPECT_EQ(answer, serving) << name;
  }
}

TEST_F(ServerTest, ADrainEndsEverythingWithAStatusThatSaysWhenToComeBack) {
  const std::string id = CreateSession("alice");
  // Streams of all kinds, a call that waits, and a connection that never speaks.
  MessageReader messages(*events_, {});
  ASSERT_TRUE(messages.Next()->has_opened());
  grpc::ClientContext unreads_context;
  auto unreads = events_->StreamUnreads(&unreads_context, {});
  v1::StreamUnreadsResponse unreads_response;
  ASSERT_TRUE(unreads->Read(&unreads_response));
  grpc::ClientContext watch_context;
  auto watch = sessions_->WatchSessions(&watch_context, {});
  v1::WatchSessionsResponse watch_response;
  ASSERT_TRUE(watch->Read(&watch_response));
  auto conversations = v1::ConversationService::NewStub(channel_);
  grpc::ClientContext call_context;
  grpc::CompletionQueue queue;
  v1::MarkConversationReadRequest request;
  request.set_session_id(id);
  request.set_conversation_id("c");
  auto call = conversations->AsyncMarkConversationRead(&call_context, request, &queue);
  grpc::Status call_status;
  v1::MarkConversationReadResponse response;
  call->Finish(&response, &call_status, &call_status);
  // One more call on the same connection: when it is answered, the one before has arrived.
  ASSERT_EQ(CreateSession("alice"), id);
  const int silent = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  server_->address().copy(address.sun_path, sizeof(address.sun_path) - 1, 7);
  ASSERT_EQ(::connect(silent, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);

  const MonoTime begin = SystemClock().Now();
  server_->Drain();
  EXPECT_LT(SystemClock().Now() - begin, std::chrono::seconds(3));
  ::close(silent);

  const std::string draining = Expected(StatusCode::UNAVAILABLE, "DRAINING");
  const grpc::Status end = messages.Finish();
  EXPECT_EQ(Why(end), draining);
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(end).retry_delay().seconds(), 0);
  while (unreads->Read(&unreads_response)) {
  }
  EXPECT_EQ(Why(unreads->Finish()), draining);
  while (watch->Read(&watch_response)) {
  }
  EXPECT_EQ(Why(watch->Finish()), draining);
  void* tag = nullptr;
  bool ok = false;
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(Why(call_status), draining);
}

TEST_F(ServerTest, ADrainDoesNotWaitForAClientThatDoesNotRead) {
  MessageReader stuck(*events_, {});
  ASSERT_TRUE(stuck.Next()->has_opened());
  // More than all windows and buffers between the two take.
  for (int i = 0; i < 20'000; i += 1000) Append("s", i, 1000, 1000);
  const MonoTime begin = SystemClock().Now();
  server_->Drain();
  EXPECT_LT(SystemClock().Now() - begin, std::chrono::seconds(3));
}

TEST_F(ServerTest, ASecondServerOnTheSameSocketIsRefused) {
  Server::Options options;
  options.listeners.push_back({.address = server_->address()});
  const auto second =
      Server::Start(options, {*registry_, *journal_, SystemClock(), SecureRandom(), metrics_});
  EXPECT_FALSE(second.ok());
  options.listeners = {{.address = "127.0.0.1:50051"}};
  const auto tcp =
      Server::Start(options, {*registry_, *journal_, SystemClock(), SecureRandom(), metrics_});
  EXPECT_TRUE(absl::IsInvalidArgument(tcp.status()));
}

}  // namespace
}  // namespace talkjsd::api
