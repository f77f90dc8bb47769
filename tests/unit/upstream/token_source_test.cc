#include "daemon/upstream/token_source.h"

#include <gtest/gtest.h>

#include <future>

#include "daemon/base/error.h"
#include "daemon/net/http_server.h"
#include "daemon/wire/jwt.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;
using Kind = TokenResult::Kind;

const Secret kKey("sk_test_demo");

Secret TokenUntil(std::optional<int64_t> expires) {
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = "demo";
  claims.subject = "alice";
  claims.expires = expires;
  return wire::MintJwt(claims, kKey);
}

TokenResult Ask(TokenSource& source, TokenCause cause, int refusals = 0) {
  std::optional<TokenResult> result;
  source.Get({cause, refusals}, [&](TokenResult got) { result = std::move(got); });
  EXPECT_TRUE(result.has_value());
  return result.value_or(TokenResult());
}

class StaticToken : public testing::Test {
 protected:
  int64_t Seconds() const { return clock_.WallMillis() / 1000; }
  ManualClock clock_;
};

TEST_F(StaticToken, IsGivenWithItsEnd) {
  const Secret token = TokenUntil(Seconds() + 60);
  const auto source = MakeStaticTokenSource(token, clock_);
  const TokenResult result = Ask(*source, TokenCause::kFirst);
  EXPECT_EQ(result.kind, Kind::kToken);
  EXPECT_TRUE(result.token == token);
  EXPECT_EQ(result.expires_at, Seconds() + 60);
  EXPECT_EQ(
      Ask(*MakeStaticTokenSource(TokenUntil(std::nullopt), clock_), TokenCause::kFirst).expires_at,
      std::nullopt);
}

TEST_F(StaticToken, CannotBeRenewedButServesAgainAfterTheLoginEnded) {
  const auto source = MakeStaticTokenSource(TokenUntil(Seconds() + 60), clock_);
  Ask(*source, TokenCause::kFirst);
  EXPECT_EQ(Ask(*source, TokenCause::kRenewal).kind, Kind::kWait);
  EXPECT_EQ(Ask(*source, TokenCause::kExpired).kind, Kind::kToken);
}

TEST_F(StaticToken, ANewOneRenewsALiveSession) {
  const auto source = MakeStaticTokenSource(TokenUntil(Seconds() + 60), clock_);
  EXPECT_EQ(Ask(*source, TokenCause::kRenewal).kind, Kind::kToken);
}

TEST_F(StaticToken, WaitsForAnotherWhenItHasExpiredOrWasRefused) {
  const auto source = MakeStaticTokenSource(TokenUntil(Seconds() + 60), clock_);
  TokenResult result = Ask(*source, TokenCause::kRefused, 1);
  EXPECT_EQ(result.kind, Kind::kWait);
  EXPECT_EQ(ReasonOf(result.why), v1::ERROR_REASON_TOKEN_REFUSED);
  clock_.Advance(std::chrono::seconds(60));
  for (const TokenCause cause : {TokenCause::kFirst, TokenCause::kExpired, TokenCause::kRefused}) {
    result = Ask(*source, cause);
    EXPECT_EQ(result.kind, Kind::kWait);
    EXPECT_EQ(ReasonOf(result.why), v1::ERROR_REASON_TOKEN_EXPIRED);
  }
}

TEST_F(StaticToken, ThatTalkJSRefusesAfterItEndedTheLoginHasExpired) {
  const auto source = MakeStaticTokenSource(TokenUntil(Seconds() + 60), clock_);
  Ask(*source, TokenCause::kFirst);
  EXPECT_EQ(Ask(*source, TokenCause::kExpired).kind, Kind::kToken);
  EXPECT_EQ(ReasonOf(Ask(*source, TokenCause::kRefused, 1).why), v1::ERROR_REASON_TOKEN_EXPIRED);
  const auto endless = MakeStaticTokenSource(TokenUntil(std::nullopt), clock_);
  Ask(*endless, TokenCause::kExpired);
  EXPECT_EQ(ReasonOf(Ask(*endless, TokenCause::kRefused, 1).why), v1::ERROR_REASON_TOKEN_REFUSED);
}

TEST_F(StaticToken, AFirstOneIsUsedBeforeTheSourceIsAsked) {
  const auto make = [&](const Secret& first) {
    return MakeFirstTokenSource(
        first, MakeSigningKeyTokenSource("demo", "alice", kKey, std::chrono::minutes(30), clock_),
        clock_);
  };
  const Secret first = TokenUntil(Seconds() + 60);
  for (const TokenCause cause : {TokenCause::kFirst, TokenCause::kRenewal}) {
    const auto source = make(first);
    TokenResult result = Ask(*source, cause);
    EXPECT_TRUE(result.token == first);
    EXPECT_EQ(result.expires_at, Seconds() + 60);
    result = Ask(*source, TokenCause::kRefused, 1);
    ASSERT_EQ(result.kind, Kind::kToken);
    EXPECT_FALSE(result.token == first);
  }
  EXPECT_FALSE(Ask(*make(TokenUntil(Seconds())), TokenCause::kFirst).token == first)
      << "it has expired";
}

TEST(SigningKey, MintsATokenForTheUserEachTime) {
  ManualClock clock;
  const auto source =
      MakeSigningKeyTokenSource("demo", "alice", kKey, std::chrono::minutes(30), clock);
  for (const TokenCause cause : {TokenCause::kFirst, TokenCause::kRenewal, TokenCause::kExpired}) {
    const TokenResult result = Ask(*source, cause);
    ASSERT_EQ(result.kind, Kind::kToken);
    EXPECT_EQ(result.expires_at, clock.WallMillis() / 1000 + 1800);
    wire::JwtClaims claims;
    EXPECT_EQ(wire::VerifyJwt(result.token.Expose(), kKey, clock.WallMillis() / 1000, &claims),
              wire::JwtVerdict::kValid);
    EXPECT_EQ(claims.issuer, "demo");
    EXPECT_EQ(claims.subject, "alice");
    EXPECT_EQ(claims.token_type, "user");
    clock.Advance(std::chrono::minutes(25));
  }
}

TEST(SigningKey, ThatTalkJSRefusesThriceIsWrong) {
  ManualClock clock;
  const auto source =
      MakeSigningKeyTokenSource("demo", "alice", kKey, std::chrono::minutes(30), clock);
  EXPECT_EQ(Ask(*source, TokenCause::kRefused, 2).kind, Kind::kToken);
  const TokenResult result = Ask(*source, TokenCause::kRefused, 3);
  EXPECT_EQ(result.kind, Kind::kFatal);
  EXPECT_EQ(ReasonOf(result.why), v1::ERROR_REASON_TOKEN_REFUSED);
}

class Boken : public testing::Test {
 protected:
  Boken()
      : loop_("test"),
        http_(""),
        server_(loop_, {}, [this](net::ServerRequest request, net::HttpServer::Respond respond) {
          target_ = request.target;
          net::ServerResponse response;
          response.status = status_;
          response.body = body_;
          respond(std::move(response));
        }) {
    EXPECT_TRUE(server_.Start().ok());
    loop_.Start();
  }
  ~Boken() override { loop_.Stop(); }

  TokenResult Get(const std::string& signature, int status, const std::string& body) {
    status_ = status;
    body_ = body;
    std::promise<TokenResult> promise;
    std::unique_ptr<TokenSource> source;
    loop_.PostAndWait([&] {
      source =
          MakeBokenTokenSource("http://127.0.0.1:" + std::to_string(server_.port()) + "/api/v0",
                               "demo", "bo ken/é", Secret(signature), loop_, http_);
      source->Get({TokenCause::kFirst, 0},
                  [&](TokenResult result) { promise.set_value(std::move(result)); });
    });
    TokenResult result = promise.get_future().get();
    loop_.PostAndWait([&] { source.reset(); });
    return result;
  }

  net::EventLoop loop_;
  net::HttpClient http_;
  net::HttpServer server_;
  int status_ = 200;
  std::string body_;
  std::string target_;
};

TEST_F(Boken, IsFetchedForTheUser) {
  const TokenResult result = Get("", 200, R"({"boken":"b1"})");
  ASSERT_EQ(result.kind, Kind::kToken) << result.why;
  EXPECT_EQ(result.token.Expose(), "b1");
  EXPECT_EQ(target_, "/api/v0/demo/bokens/bo%20ken%2F%C3%A9?signature=");
  Get("abc", 200, R"({"boken":"b1"})");
  EXPECT_EQ(target_, "/api/v0/demo/bokens/bo%20ken%2F%C3%A9?signature=abc");
}

TEST_F(Boken, RefusalsAreFatalAndTroubleIsNot) {
  const struct {
    int status;
    const char* body;
    Kind want;
    v1::ErrorReason reason;
  } cases[] = {
      {401, "{}", Kind::kFatal, v1::ERROR_REASON_SIGNATURE_REFUSED},
      {404, "{}", Kind::kFatal, v1::ERROR_REASON_APP_NOT_FOUND},
      {403, "{}", Kind::kFatal, v1::ERROR_REASON_AUTHENTICATION_REFUSED},
      {429, "{}", Kind::kRetry, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE},
      {500, "{}", Kind::kRetry, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE},
      {502, "x", Kind::kRetry, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE},
      {200, "x", Kind::kRetry, v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR},
      {200, "[]", Kind::kRetry, v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR},
      {200, R"({"boken":7})", Kind::kRetry, v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(std::to_string(one.status) + " " + one.body);
    const TokenResult result = Get("abc", one.status, one.body);
    EXPECT_EQ(result.kind, one.want);
    EXPECT_EQ(ReasonOf(result.why), one.reason);
  }
}

}  // namespace
}  // namespace talkjsd::upstream
