#include "daemon/session/check.h"

#include <gtest/gtest.h>

#include "daemon/wire/jwt.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr UnixMillis kNow = 1'700'000'000'000;

CreateRequest WithToken(const std::function<void(wire::JwtClaims&)>& change) {
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = "demo";
  claims.subject = "alice";
  claims.expires = kNow / 1000 + 3600;
  change(claims);
  CreateRequest request;
  request.app_id = "demo";
  request.user_id = "alice";
  request.credentials.kind = CredentialKind::kToken;
  request.credentials.secret = wire::MintJwt(claims, Secret("sk_test_demo"));
  return request;
}

CreateRequest Plain(CredentialKind kind, const std::string& secret) {
  CreateRequest request;
  request.app_id = "demo";
  request.user_id = "alice";
  request.credentials.kind = kind;
  request.credentials.secret = Secret(secret);
  return request;
}

ErrorReason Reason(const CreateRequest& request) {
  const absl::Status status = CheckCreate(request, kNow);
  if (status.ok()) return v1::ERROR_REASON_UNSPECIFIED;
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status).find("sk_test"), std::string_view::npos);
  return ReasonOf(status);
}

TEST(CheckCreate, IdsAreThereShortAndPlainText) {
  const auto with_user = [](const std::string& id) {
    CreateRequest request = Plain(CredentialKind::kNone, "");
    request.user_id = id;
    return Reason(request);
  };
  EXPECT_EQ(with_user("alice"), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(with_user("zo\xc3\xab / \xf0\x9f\x98\x80"), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(with_user(std::string(255, 'a')), v1::ERROR_REASON_UNSPECIFIED);
  for (const std::string& bad : {std::string(), std::string(256, 'a'), std::string("a\nb"),
                                 std::string(1, '\0'), std::string("\x7f"), std::string("\xff")}) {
    EXPECT_EQ(with_user(bad), v1::ERROR_REASON_INVALID_FIELD);
  }
  CreateRequest request = Plain(CredentialKind::kNone, "");
  request.app_id.clear();
  EXPECT_EQ(Reason(request), v1::ERROR_REASON_INVALID_FIELD);
}

TEST(CheckCreate, ATokenIsForThisUserAndAppAndTime) {
  const auto reason = [](const std::function<void(wire::JwtClaims&)>& change) {
    return Reason(WithToken(change));
  };
  EXPECT_EQ(reason([](auto&) {}), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(reason([](auto& claims) { claims.expires.reset(); }), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(reason([](auto& claims) { claims.token_type = "app"; }),
            v1::ERROR_REASON_TOKEN_WRONG_TYPE);
  EXPECT_EQ(reason([](auto& claims) { claims.issuer = "other"; }),
            v1::ERROR_REASON_TOKEN_WRONG_APP);
  EXPECT_EQ(reason([](auto& claims) { claims.subject = "bob"; }),
            v1::ERROR_REASON_TOKEN_WRONG_USER);
  EXPECT_EQ(reason([](auto& claims) { claims.expires = kNow / 1000; }),
            v1::ERROR_REASON_TOKEN_EXPIRED);
  EXPECT_EQ(reason([](auto& claims) { claims.not_before = kNow / 1000 + 1; }),
            v1::ERROR_REASON_TOKEN_NOT_YET_VALID);
  for (const char* text : {"", "x", "a.b.c", "..."}) {
    EXPECT_EQ(Reason(Plain(CredentialKind::kToken, text)), v1::ERROR_REASON_TOKEN_MALFORMED)
        << text;
  }
}

TEST(CheckCreate, OtherCredentialsHaveTheirForm) {
  EXPECT_EQ(Reason(Plain(CredentialKind::kSignature, std::string(64, 'a'))),
            v1::ERROR_REASON_UNSPECIFIED);
  for (const std::string& bad : {std::string(), std::string(63, 'a'), std::string(64, 'g')}) {
    EXPECT_EQ(Reason(Plain(CredentialKind::kSignature, bad)), v1::ERROR_REASON_CREDENTIALS_INVALID);
  }
  EXPECT_EQ(Reason(Plain(CredentialKind::kSigningKey, "sk_test_demo")),
            v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(Reason(Plain(CredentialKind::kSigningKey, "")), v1::ERROR_REASON_CREDENTIALS_INVALID);
  EXPECT_EQ(Reason(Plain(CredentialKind::kSigningKey, std::string(16 * 1024 + 1, 'x'))),
            v1::ERROR_REASON_CREDENTIALS_INVALID);
  CreateRequest request = Plain(CredentialKind::kSigningKey, "sk_test_demo");
  for (const Duration bad : {Duration(std::chrono::milliseconds(9999)),
                             Duration(std::chrono::hours(24) + std::chrono::seconds(1))}) {
    request.credentials.token_lifetime = bad;
    EXPECT_EQ(Reason(request), v1::ERROR_REASON_INVALID_FIELD);
  }
}

TEST(CheckCreate, FetchersHaveTheirLimits) {
  CreateRequest request = Plain(CredentialKind::kHttpFetcher, "");
  const auto with = [&](const std::function<void(upstream::HttpFetcher&)>& change) {
    upstream::HttpFetcher http;
    http.url = "https://example.com/token";
    change(http);
    request.credentials.fetcher = http;
    return Reason(request);
  };
  EXPECT_EQ(with([](auto&) {}), v1::ERROR_REASON_UNSPECIFIED);
  EXPECT_EQ(with([](auto& http) { http.method = "GET"; }), v1::ERROR_REASON_UNSPECIFIED);
  for (const char* url : {"", "example.com", "ws://example.com/", "https://a:b@example.com/"}) {
    EXPECT_EQ(with([&](auto& http) { http.url = url; }), v1::ERROR_REASON_INVALID_FIELD) << url;
  }
  EXPECT_EQ(with([](auto& http) { http.method = "PUT"; }), v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(with([](auto& http) { http.timeout = Duration::zero(); }),
            v1::ERROR_REASON_INVALID_FIELD);
  EXPECT_EQ(with([](auto& http) { http.timeout = std::chrono::seconds(61); }),
            v1::ERROR_REASON_INVALID_FIELD);
  request = Plain(CredentialKind::kFileFetcher, "");
  request.credentials.fetcher = upstream::FileFetcher{"/run/secrets/token"};
  EXPECT_EQ(Reason(request), v1::ERROR_REASON_UNSPECIFIED);
  request.credentials.first_token = Secret("no token");
  EXPECT_EQ(Reason(request), v1::ERROR_REASON_TOKEN_MALFORMED);
  request.credentials.first_token = Secret();
  request.credentials.fetcher = upstream::FileFetcher{"secrets/token"};
  EXPECT_EQ(Reason(request), v1::ERROR_REASON_INVALID_FIELD);
}

}  // namespace
}  // namespace talkjsd::session
