// Policies where they hold: at the calls of a real server, over sockets of its own.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "server_testing.h"
#include "talkjs/sidecar/v1/daemon_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

using grpc::StatusCode;

constexpr char kShop[] = "shop-canary-0123456789";
constexpr char kBank[] = "bank-canary-0123456789";

std::string Me() { return std::to_string(::getuid()); }

// The server of ServerTest, started anew with listeners of the test's.
class AccessTest : public ServerTest {
 protected:
  void Restart(std::vector<ListenerOptions> listeners) {
    server_.reset();
    options_.listeners = std::move(listeners);
    StartServer();
    channel_ = NewChannel();
    events_ = v1::EventService::NewStub(channel_);
    sessions_ = v1::SessionService::NewStub(channel_);
  }
  ListenerOptions Unix(std::vector<Policy> policies) {
    return {.address = "unix://" + (dir_ / "s.sock").string(), .policies = std::move(policies)};
  }
  ListenerOptions Bearers(std::vector<Policy> policies) {
    return {.address = "127.0.0.1:0",
            .bearer_tokens_file = TokensPath(),
            .plaintext_on_loopback = true,
            .policies = std::move(policies)};
  }
  std::string TokensPath() const { return (dir_ / "tokens").string(); }
  void WriteTokens(const std::string& content) {
    const std::string temporary = TokensPath() + ".new";
    std::ofstream(temporary) << content;
    ASSERT_EQ(::chmod(temporary.c_str(), 0600), 0);
    std::filesystem::rename(temporary, TokensPath());
  }

  grpc::Status Info(const std::string& token = "", v1::GetInfoResponse* info = nullptr) {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    v1::GetInfoResponse response;
    return v1::DaemonService::NewStub(channel_)->GetInfo(&context, {},
                                                         info == nullptr ? &response : info);
  }
  grpc::Status Create(const std::string& app, const std::string& user) {
    grpc::ClientContext context;
    v1::CreateSessionRequest request;
    request.set_app_id(app);
    request.set_user_id(user);
    v1::CreateSessionResponse response;
    return sessions_->CreateSession(&context, request, &response);
  }
  grpc::Status Get(const std::string& session_id) {
    grpc::ClientContext context;
    v1::GetSessionRequest request;
    request.set_session_id(session_id);
    v1::GetSessionResponse response;
    return sessions_->GetSession(&context, request, &response);
  }
};

const std::string kDenied = Expected(StatusCode::PERMISSION_DENIED, "ACCESS_DENIED");

TEST_F(AccessTest, WhoIsInNoPolicyGetsNothingNotEvenWhatIsWrongWithARequest) {
  const std::string session = CreateSession("alice");
  Restart({Unix({{.name = "others", .uids = {std::to_string(::getuid() + 1)}, .admin = true}})});
  EXPECT_EQ(Why(Info()), kDenied);
  EXPECT_EQ(Why(Get(session)), kDenied);
  EXPECT_EQ(Why(Get("")), kDenied);
  EXPECT_EQ(Why(Create("", "")), kDenied);
}

TEST_F(AccessTest, ReadingIsNotWritingCreatingOrDestroying) {
  const std::string session = CreateSession("alice");
  Restart({Unix({{.name = "readers", .uids = {Me()}, .read_only = true}})});
  EXPECT_EQ(Why(Get(session)), "OK");
  EXPECT_EQ(Why(Create("demo", "bob")), kDenied);
  const grpc::Status destroyed = DestroySession(session);
  EXPECT_EQ(Why(destroyed), kDenied);
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(destroyed).metadata().at("policy"), "readers");
  MessageReader stream(*events_, {});
  EXPECT_TRUE(stream.Next()->has_opened());
  v1::StreamMessagesRequest named;
  named.mutable_subscription()->set_name("n");
  MessageReader remembered(*events_, named);
  EXPECT_EQ(Why(remembered.Finish()), kDenied) << "it makes something";
}

TEST_F(AccessTest, SessionsOfOthersAreNotShownAndNotUsed) {
  const std::string alice = CreateSession("alice");
  const std::string bob = CreateSession("bob");
  Restart({Unix({{.name = "alices", .users = {"alice"}, .create_sessions = true}})});
  EXPECT_EQ(Why(Get(alice)), "OK");
  EXPECT_EQ(Why(Get(bob)), kDenied);
  EXPECT_EQ(Why(Get("nobodys")), Expected(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND"));
  EXPECT_EQ(Why(Create("demo", "carol")), kDenied);
  EXPECT_EQ(Why(Create("shop", "alice")), "OK");
  v1::GetInfoResponse info;
  ASSERT_TRUE(Info("", &info).ok());
  int64_t sessions = 0;
  for (const auto& count : info.sessions_by_state()) sessions += count.count();
  EXPECT_EQ(sessions, 2);

  MessageReader stream(*events_, {});
  ASSERT_TRUE(stream.Next()->has_opened());
  Append(bob, 0, 3);
  Append("long gone", 3, 3);
  Append(alice, 6, 3);
  EXPECT_EQ(stream.Ids(3), (std::vector<std::string>{"msg_6", "msg_7", "msg_8"}));
}

TEST_F(AccessTest, AReplayOfOthersEventsGoesOnWithProgress) {
  const std::string alice = CreateSession("alice");
  const std::string bob = CreateSession("bob");
  Append(bob, 0, 2000);
  Append(alice, 2000, 1);
  Restart({Unix({{.name = "alices", .users = {"alice"}}})});
  v1::StreamMessagesRequest request;
  request.mutable_earliest();
  MessageReader stream(*events_, request);
  EXPECT_EQ(stream.Ids(1), (std::vector<std::string>{"msg_2000"}));
}

TEST_F(AccessTest, StreamsEndWhenTheirPolicyGoesAndGoOnUnderAnotherThatAllowsThem) {
  const std::string alice = CreateSession("alice");
  const std::string bob = CreateSession("bob");
  const ListenerOptions all = Unix({{.name = "all", .admin = true}});
  Restart({all});
  v1::StreamMessagesRequest request;
  request.add_session_ids(alice);
  MessageReader stream(*events_, request);
  MessageReader everything(*events_, {});
  ASSERT_TRUE(stream.Next()->has_opened());
  ASSERT_TRUE(everything.Next()->has_opened());
  request.set_session_ids(0, bob);
  MessageReader bobs(*events_, request);
  ASSERT_TRUE(bobs.Next()->has_opened());

  ASSERT_TRUE(server_->UpdatePolicies({Unix({{.name = "alices", .users = {"alice"}}})}).ok());
  EXPECT_EQ(Why(bobs.Finish()), kDenied);
  Append(bob, 0, 1);
  Append(alice, 1, 1);
  EXPECT_EQ(stream.Ids(1), (std::vector<std::string>{"msg_1"}));
  EXPECT_EQ(everything.Ids(1), (std::vector<std::string>{"msg_1"}));

  EXPECT_FALSE(server_->UpdatePolicies({Unix({{.name = ""}})}).ok()) << "it says what is wrong";
  EXPECT_EQ(Why(Get(alice)), "OK") << "and nothing has changed";
  ASSERT_TRUE(
      server_->UpdatePolicies({Unix({{.name = "x", .uids = {std::to_string(getuid() + 1)}}})})
          .ok());
  EXPECT_EQ(Why(stream.Finish()), kDenied);
  EXPECT_EQ(Why(everything.Finish()), kDenied);
}

TEST_F(AccessTest, BearerTokensAreDemandedNamedAndRevoked) {
  WriteTokens(std::string("shop:") + kShop + "\nbank:" + kBank);
  Restart({Bearers({{.name = "shop", .bearers = {"shop"}, .admin = true},
                    {.name = "bank", .bearers = {"bank"}, .read_only = true}})});
  const std::string unauthenticated = Expected(StatusCode::UNAUTHENTICATED, "ACCESS_DENIED");
  EXPECT_EQ(Why(Info()), unauthenticated);
  for (const std::string& wrong : {std::string(kShop) + "x", std::string("shop")}) {
    const grpc::Status refused = Info(wrong);
    EXPECT_EQ(Why(refused), unauthenticated);
    EXPECT_THAT(refused.error_message(), testing::Not(testing::HasSubstr(wrong)));
  }
  EXPECT_EQ(Why(Info(kShop)), "OK");
  grpc::ClientContext context;
  context.AddMetadata("authorization", std::string("bearer ") + kBank);
  auto stream = events_->StreamMessages(&context, {});
  v1::StreamMessagesResponse response;
  ASSERT_TRUE(stream->Read(&response));
  WriteTokens(std::string("shop:") + kShop);
  const MonoTime start = SystemClock().Now();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(Why(stream->Finish()), kDenied);
  EXPECT_LT(SystemClock().Now() - start, std::chrono::seconds(2));
  EXPECT_EQ(Why(Info(kBank)), unauthenticated);
  WriteTokens("shop");
  EXPECT_FALSE(server_->ReloadSecrets().ok());
  EXPECT_EQ(Why(Info(kShop)), "OK");
}

TEST_F(AccessTest, ListenersHavePoliciesOfTheirOwn) {
  WriteTokens(std::string("shop:") + kShop);
  Restart(
      {Unix({{.name = "readers", .read_only = true}}), Bearers({{.name = "all", .admin = true}})});
  ASSERT_EQ(server_->addresses().size(), 2u);
  EXPECT_THAT(server_->addresses()[1], testing::StartsWith("127.0.0.1:"));
  EXPECT_THAT(server_->addresses()[1], testing::Not(testing::EndsWith(":0")));
  EXPECT_EQ(Why(Create("demo", "bob")), kDenied);
  const auto tcp = v1::SessionService::NewStub(
      grpc::CreateChannel(server_->addresses()[1], grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  context.AddMetadata("authorization", std::string("Bearer ") + kShop);
  v1::CreateSessionRequest request;
  request.set_app_id("demo");
  request.set_user_id("bob");
  v1::CreateSessionResponse response;
  EXPECT_EQ(Why(tcp->CreateSession(&context, request, &response)), "OK");
}

TEST_F(AccessTest, ConnectionsBeyondTheLimitAreToldSo) {
  options_.limits.connections = 1;
  Restart({Unix({})});
  EXPECT_EQ(Why(Info()), "OK");
  const auto first = channel_;
  channel_ = NewChannel();
  const grpc::Status refused = Info();
  EXPECT_EQ(Why(refused), Expected(StatusCode::RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(refused).metadata().at("limit"), "connections");
  EXPECT_GT(DetailOf<google::rpc::RetryInfo>(refused).retry_delay().seconds(), 0);
  Limits limits = options_.limits;
  limits.connections = 2;
  server_->UpdateLimits(limits);
  EXPECT_EQ(Why(Info()), "OK");
}

TEST_F(AccessTest, ARequestBeyondTheLimitIsRefusedAndNamed) {
  options_.limits.request_bytes = 64 << 10;
  Restart({Unix({})});
  const grpc::Status refused = Create("demo", std::string(70'000, 'x'));
  EXPECT_EQ(Why(refused), Expected(StatusCode::RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(refused).metadata().at("limit"), "request_bytes");
  EXPECT_EQ(Create("demo", std::string(1'000'000, 'x')).error_code(),
            StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(Why(Create("demo", "alice")), "OK");
}

TEST_F(AccessTest, MemoryThatIsShortRefusesStreamsAndSessions) {
  options_.limits.memory_bytes = 1;
  Restart({Unix({})});
  const std::string exhausted = Expected(StatusCode::RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED");
  while (Why(Create("demo", "alice")) != exhausted) std::this_thread::yield();
  MessageReader stream(*events_, {});
  EXPECT_EQ(Why(stream.Finish()), exhausted);
  EXPECT_EQ(Why(Info()), "OK");
  server_->UpdateLimits({});
  EXPECT_EQ(Why(Create("demo", "alice")), "OK");
}

TEST_F(AccessTest, AListenerThatMakesNoSenseIsRefusedAtStart) {
  for (const ListenerOptions& listener :
       {ListenerOptions{.address = "127.0.0.1:0"}, Bearers({{.name = "p"}}),
        Unix({{.name = "p", .uids = {"no-such-user-here"}}})}) {
    Server::Options options;
    options.listeners = {listener};
    const auto server =
        Server::Start(options, {*registry_, *journal_, SystemClock(), SecureRandom(), metrics_});
    EXPECT_TRUE(absl::IsInvalidArgument(server.status())) << server.status();
  }
}

}  // namespace
}  // namespace talkjsd::api
