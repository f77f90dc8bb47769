#include <thread>

#include "daemon/wire/jwt.h"
#include "server_testing.h"

namespace talkjsd::api {
namespace {

using grpc::StatusCode;

std::string Token(const std::string& user) {
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = "demo";
  claims.subject = user;
  return std::string(wire::MintJwt(claims, Secret("sk_test_demo")).Expose());
}

// A client on ProvideTokens.
class Provider {
 public:
  explicit Provider(v1::SessionService::Stub& stub) : stream_(stub.ProvideTokens(&context_)) {}
  ~Provider() {
    if (!finished_) {
      context_.TryCancel();
      Finish();
    }
  }

  bool Register(const std::string& name, const std::vector<std::string>& ids = {}) {
    v1::ProvideTokensRequest request;
    request.mutable_registration()->set_provider_name(name);
    for (const std::string& id : ids) request.mutable_registration()->add_session_ids(id);
    v1::ProvideTokensResponse response;
    return stream_->Write(request) && stream_->Read(&response) && response.has_registered() &&
           response.registered().answer_timeout().seconds() == 10;
  }
  v1::TokenQuery NextQuery() {
    v1::ProvideTokensResponse response;
    while (stream_->Read(&response)) {
      if (response.queries_size() > 0) return response.queries(0);
    }
    ADD_FAILURE() << "no query";
    return {};
  }
  v1::TokenRejection NextRejection() {
    v1::ProvideTokensResponse response;
    while (stream_->Read(&response)) {
      if (response.rejections_size() > 0) return response.rejections(0);
    }
    ADD_FAILURE() << "no rejection";
    return {};
  }
  void Answer(const std::string& query_id, const std::string& token) {
    v1::ProvideTokensRequest request;
    request.mutable_answer()->set_query_id(query_id);
    request.mutable_answer()->set_token(token);
    stream_->Write(request);
  }
  void AnswerFailure(const std::string& query_id, const std::string& why) {
    v1::ProvideTokensRequest request;
    request.mutable_answer()->set_query_id(query_id);
    request.mutable_answer()->set_failure(why);
    stream_->Write(request);
  }
  void Leave() { stream_->WritesDone(); }
  grpc::Status Finish() {
    v1::ProvideTokensResponse rest;
    while (stream_->Read(&rest)) {
    }
    finished_ = true;
    return stream_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ProvideTokensRequest, v1::ProvideTokensResponse>>
      stream_;
  bool finished_ = false;
};

class TokenStreamTest : public ServerTest {
 protected:
  std::string CreateProvided(const std::string& user, const std::string& name) {
    grpc::ClientContext context;
    v1::CreateSessionRequest request;
    request.set_app_id("demo");
    request.set_user_id(user);
    request.mutable_token_fetcher()->mutable_provider()->set_provider_name(name);
    v1::CreateSessionResponse response;
    const grpc::Status status = sessions_->CreateSession(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(response.session().credential_kind(), v1::CREDENTIAL_KIND_PROVIDER_FETCHER);
    return response.session().session_id();
  }
  // Waits until the session has this reason; UNSPECIFIED: until it has none.
  void ExpectReason(const std::string& id, v1::ErrorReason reason) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    v1::WatchSessionsRequest request;
    request.add_session_ids(id);
    const auto watch = sessions_->WatchSessions(&context, request);
    v1::WatchSessionsResponse response;
    while (watch->Read(&response)) {
      if (response.sessions_size() == 0 || response.sessions(0).reason() != reason) continue;
      context.TryCancel();
      watch->Finish();
      return;
    }
    ADD_FAILURE() << "no session with " << v1::ErrorReason_Name(reason);
    watch->Finish();
  }
};

TEST_F(TokenStreamTest, AProviderIsAskedAndItsAnswersCount) {
  const std::string alice = CreateProvided("alice", "p");
  ExpectReason(alice, v1::ERROR_REASON_TOKEN_PROVIDER_ABSENT);
  Provider provider(*sessions_);
  ASSERT_TRUE(provider.Register("p"));
  v1::TokenQuery query = provider.NextQuery();
  EXPECT_EQ(query.session_id(), alice);
  EXPECT_EQ(query.app_id(), "demo");
  EXPECT_EQ(query.user_id(), "alice");
  EXPECT_EQ(query.cause(), v1::TOKEN_QUERY_CAUSE_FIRST);
  EXPECT_TRUE(query.has_deadline_time());
  provider.Answer(query.query_id(), Token("bob"));
  EXPECT_EQ(provider.NextRejection().reason(), v1::ERROR_REASON_TOKEN_WRONG_USER);
  ExpectReason(alice, v1::ERROR_REASON_TOKEN_WRONG_USER);
  query = provider.NextQuery();
  provider.AnswerFailure(query.query_id(), "sealed");
  ExpectReason(alice, v1::ERROR_REASON_TOKEN_PROVIDER_FAILED);
  query = provider.NextQuery();
  provider.Answer("unknown", Token("alice"));
  provider.Answer(query.query_id(), Token("alice"));
  ExpectReason(alice, v1::ERROR_REASON_UNSPECIFIED);
  // One stream, several sessions.
  const std::string bob = CreateProvided("bob", "p");
  EXPECT_EQ(provider.NextQuery().session_id(), bob);
  provider.Leave();
  EXPECT_TRUE(provider.Finish().ok());
  ExpectReason(bob, v1::ERROR_REASON_TOKEN_PROVIDER_ABSENT);
}

TEST_F(TokenStreamTest, AnotherProviderTakesOver) {
  Provider first(*sessions_);
  ASSERT_TRUE(first.Register("p"));
  Provider second(*sessions_);
  ASSERT_TRUE(second.Register("p"));
  const std::string alice = CreateProvided("alice", "p");
  first.NextQuery();
  first.Leave();
  EXPECT_TRUE(first.Finish().ok());
  EXPECT_EQ(second.NextQuery().session_id(), alice);
}

TEST_F(TokenStreamTest, WhoDoesNotKeepToItIsRefused) {
  const std::string alice = CreateProvided("alice", "p");
  const std::string plain = CreateSession("plain");
  const auto registered = [&](const std::string& name, const std::string& id) {
    Provider provider(*sessions_);
    EXPECT_FALSE(provider.Register(name, {id}));
    return Why(provider.Finish());
  };
  EXPECT_EQ(registered("p", "unknown"), Expected(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND"));
  const std::string wrong = Expected(StatusCode::FAILED_PRECONDITION, "WRONG_CREDENTIAL_KIND");
  EXPECT_EQ(registered("p", plain), wrong);
  EXPECT_EQ(registered("other", alice), wrong);
  ASSERT_TRUE(DestroySession(plain).ok());
  EXPECT_EQ(registered("p", plain), Expected(StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED"));

  const std::string invalid = Expected(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD");
  Provider hasty(*sessions_);
  hasty.Answer("q", "token");
  EXPECT_EQ(Why(hasty.Finish()), invalid);
  Provider twice(*sessions_);
  ASSERT_TRUE(twice.Register("p", {alice}));
  twice.Register("p");
  EXPECT_EQ(Why(twice.Finish()), invalid);
}

TEST_F(TokenStreamTest, ADrainEndsIt) {
  Provider provider(*sessions_);
  ASSERT_TRUE(provider.Register("p"));
  std::thread drain([this] { server_->Drain(); });
  EXPECT_EQ(Why(provider.Finish()), Expected(StatusCode::UNAVAILABLE, "DRAINING"));
  drain.join();
}

}  // namespace
}  // namespace talkjsd::api
