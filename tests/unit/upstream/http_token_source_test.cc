#include "daemon/upstream/http_token_source.h"

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

constexpr char kCanary[] = "canary-of-the-answer";

std::string Token(const std::string& user, const std::string& app = "demo", int64_t lifetime = 60) {
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = app;
  claims.subject = user;
  claims.expires = SystemClock().WallMillis() / 1000 + lifetime;
  return std::string(wire::MintJwt(claims, Secret("sk_test_demo")).Expose());
}

class HttpTokens : public testing::Test {
 protected:
  HttpTokens()
      : loop_("test"),
        http_(""),
        server_(loop_, {}, [this](net::ServerRequest request, net::HttpServer::Respond respond) {
          seen_ = std::move(request);
          if (hangs_) {
            hung_ = std::move(respond);
          } else {
            respond(response_);
          }
        }) {
    EXPECT_TRUE(server_.Start().ok());
    loop_.Start();
    fetcher_.url = "http://127.0.0.1:" + std::to_string(server_.port()) + "/token?key=secret1";
  }
  ~HttpTokens() override { loop_.Stop(); }

  TokenResult Get() {
    std::promise<TokenResult> promise;
    std::unique_ptr<TokenSource> source;
    loop_.PostAndWait([&] {
      source = MakeHttpTokenSource(fetcher_, {"demo", "zo\xc3\xab", SystemClock()}, loop_, http_);
      source->Get({TokenCause::kFirst, 0},
                  [&](TokenResult result) { promise.set_value(std::move(result)); });
    });
    TokenResult result = promise.get_future().get();
    loop_.PostAndWait([&] { source.reset(); });
    if (result.kind != Kind::kToken) {
      EXPECT_EQ(result.kind, Kind::kTrouble);
      const std::string message(MessageOf(result.why));
      EXPECT_GT(message.size(), 20u);
      EXPECT_EQ(message.find(kCanary), std::string::npos) << message;
      EXPECT_EQ(message.find("secret"), std::string::npos) << message;
      EXPECT_EQ(result.why.code() == absl::StatusCode::kOk, false);
    }
    return result;
  }
  TokenResult Get(int status, const std::string& type, const std::string& body) {
    response_ = {};
    response_.status = status;
    response_.content_type = type;
    response_.body = body;
    return Get();
  }

  net::EventLoop loop_;
  net::HttpClient http_;
  net::HttpServer server_;
  net::ServerResponse response_;
  net::ServerRequest seen_;
  bool hangs_ = false;
  net::HttpServer::Respond hung_;
  HttpFetcher fetcher_;
};

TEST_F(HttpTokens, TheEndpointIsToldWhoseTokenIsWanted) {
  fetcher_.headers.emplace("Authorization", Secret("Bearer secret2"));
  fetcher_.headers.emplace("X-Empty", Secret(""));
  const std::string token = Token("zo\xc3\xab");
  TokenResult result = Get(200, "text/plain", "\r\n " + token + "\n");
  ASSERT_EQ(result.kind, Kind::kToken) << result.why;
  EXPECT_EQ(result.token.Expose(), token);
  EXPECT_TRUE(result.expires_at.has_value());
  EXPECT_EQ(seen_.method, "POST");
  EXPECT_EQ(seen_.target, "/token?key=secret1");
  EXPECT_EQ(seen_.body, "{\"app_id\":\"demo\",\"user_id\":\"zo\xc3\xab\"}");
  EXPECT_EQ(seen_.Header("content-type"), "application/json");
  EXPECT_EQ(seen_.Header("authorization"), "Bearer secret2");

  fetcher_.method = "GET";
  EXPECT_EQ(Get(200, "text/plain", token).kind, Kind::kToken);
  EXPECT_EQ(seen_.method, "GET");
  EXPECT_EQ(seen_.target, "/token?key=secret1&app_id=demo&user_id=zo%C3%AB");
  EXPECT_EQ(seen_.body, "");
}

TEST_F(HttpTokens, TheTokenMayBeAFieldOfTheAnswer) {
  const std::string token = Token("zo\xc3\xab");
  fetcher_.token_field = "token";
  EXPECT_EQ(Get(200, "application/json", R"({"token":")" + token + "\"}").kind, Kind::kToken);
  fetcher_.token_field = "data.talkjs.token";
  EXPECT_EQ(Get(201, "text/html", R"({"data":{"talkjs":{"token":")" + token + "\"}}}").kind,
            Kind::kToken);
}

TEST_F(HttpTokens, ABareTokenIsTakenWhateverItsTypeIsSaidToBe) {
  EXPECT_EQ(Get(200, "text/html; charset=UTF-8", Token("zo\xc3\xab")).kind, Kind::kToken);
}

TEST_F(HttpTokens, EachWrongAnswerHasAReasonOfItsOwn) {
  const std::string canary = kCanary;
  const std::string good = Token("zo\xc3\xab");
  const std::string malformed = good.substr(0, good.rfind('.'));
  const struct {
    int status;
    std::string type;
    std::string body;
    std::string field;
    v1::ErrorReason reason;
  } cases[] = {
      {500, "text/plain", canary, "", v1::ERROR_REASON_TOKEN_FETCH_HTTP_STATUS},
      {401, "text/plain", canary, "", v1::ERROR_REASON_TOKEN_FETCH_HTTP_STATUS},
      {404, "text/html", "<html>" + canary, "", v1::ERROR_REASON_TOKEN_FETCH_HTTP_STATUS},
      {302, "text/plain", canary, "", v1::ERROR_REASON_TOKEN_FETCH_REDIRECTED},
      {307, "text/plain", "", "", v1::ERROR_REASON_TOKEN_FETCH_REDIRECTED},
      {200, "text/html", "<!doctype html><p>" + canary, "", v1::ERROR_REASON_TOKEN_FETCH_HTML},
      {200, "text/plain", " <html>" + canary, "x", v1::ERROR_REASON_TOKEN_FETCH_HTML},
      {200, "text/html", "Please log in, " + canary, "", v1::ERROR_REASON_TOKEN_FETCH_HTML},
      {200, "text/plain", "", "", v1::ERROR_REASON_TOKEN_FETCH_EMPTY},
      {200, "text/plain", " \r\n\t", "", v1::ERROR_REASON_TOKEN_FETCH_EMPTY},
      {204, "text/plain", "", "", v1::ERROR_REASON_TOKEN_FETCH_EMPTY},
      {200, "application/json", R"({"t":" "})", "t", v1::ERROR_REASON_TOKEN_FETCH_EMPTY},
      {200, "application/json", R"({"t":")" + canary + "\"}", "",
       v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE},
      {200, "application/json", "\"" + good + "\"", "", v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE},
      {200, "application/json", canary, "t", v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE},
      {200, "application/json", "{}", "t", v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE},
      {200, "application/json", R"({"t":{"u":1}})", "t.u", v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE},
      {200, "application/json", R"({"t":[]})", "t.u", v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE},
      {200, "text/plain", std::string(16 * 1024 + 1, 'x'), "",
       v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE},
      {200, "text/plain", std::string(100'000, 'x'), "", v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE},
      {200, "text/plain", canary, "", v1::ERROR_REASON_TOKEN_MALFORMED},
      {200, "text/plain", malformed, "", v1::ERROR_REASON_TOKEN_MALFORMED},
      {200, "text/plain", Token("bob"), "", v1::ERROR_REASON_TOKEN_WRONG_USER},
      {200, "text/plain", Token("zo\xc3\xab", "other"), "", v1::ERROR_REASON_TOKEN_WRONG_APP},
      {200, "text/plain", Token("zo\xc3\xab", "demo", -1), "", v1::ERROR_REASON_TOKEN_EXPIRED},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(std::to_string(one.status) + " " + one.body.substr(0, 60));
    fetcher_.token_field = one.field;
    EXPECT_EQ(ReasonOf(Get(one.status, one.type, one.body).why), one.reason);
  }
}

TEST_F(HttpTokens, AnEndpointThatHangsOrIsNotThere) {
  hangs_ = true;
  fetcher_.timeout = std::chrono::milliseconds(100);
  EXPECT_EQ(ReasonOf(Get().why), v1::ERROR_REASON_TOKEN_FETCH_TIMEOUT);
  loop_.PostAndWait([this] { hung_({}); });
  hangs_ = false;
  response_.fate = net::ServerResponse::Fate::kDrop;
  EXPECT_EQ(ReasonOf(Get().why), v1::ERROR_REASON_TOKEN_FETCH_FAILED);
  fetcher_.url = "http://127.0.0.1:9/token?secret";
  EXPECT_EQ(ReasonOf(Get().why), v1::ERROR_REASON_TOKEN_FETCH_FAILED);
}

TEST_F(HttpTokens, NothingIsHeardOfASourceThatIsGone) {
  hangs_ = true;
  fetcher_.timeout = std::chrono::seconds(5);
  std::unique_ptr<TokenSource> source;
  loop_.PostAndWait([&] {
    source = MakeHttpTokenSource(fetcher_, {"demo", "zo\xc3\xab", SystemClock()}, loop_, http_);
    source->Get({TokenCause::kFirst, 0}, [](TokenResult) { ADD_FAILURE(); });
    source->Get({TokenCause::kFirst, 0}, [](TokenResult) { ADD_FAILURE(); });
    source.reset();
  });
  loop_.PostAndWait([this] {
    if (hung_ != nullptr) hung_({});
  });
}

}  // namespace
}  // namespace talkjsd::upstream
