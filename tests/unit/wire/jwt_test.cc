#include "daemon/wire/jwt.h"

#include <gtest/gtest.h>

namespace talkjsd::wire {
namespace {

// A token that the recorded SDK logged in with, and an app token; both with the key of the
// recordings.
constexpr std::string_view kUserToken =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJ0b2tlblR5cGUiOiJ1c2VyIiwiaXNzIjoiZGVtbyIsInN1YiI6ImFsaWNlIiwiZXhwIjoxNzk1NDQxMjA5fQ."
    "tA6zu6S7KC7bUq08YKwZIh9cFDTmGpPqlw8EwZaONw8";
constexpr std::string_view kAppToken =
    "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlblR5cGUiOiJhcHAiLCJpc3MiOiJkZW1vIiwiZXhwIjoxNzk1NDM5NjYxfQ."
    "heVQP-Yi6wa83ODlem_RJ9HolfOjhPMD3Q_yqx_xfIg";
constexpr int64_t kNow = 1795400000;

Secret Key() { return Secret("sk_test_demo"); }

// Header and payload in base64url with a dot between, made by other means.
constexpr std::string_view kNoAlgorithm = "e30.e30.AA";                           // {} . {}
constexpr std::string_view kNone = "eyJhbGciOiJub25lIn0.e30.";                    // {"alg":"none"}
constexpr std::string_view kAlgNumber = "eyJhbGciOjV9.e30.AA";                    // {"alg":5}
constexpr std::string_view kPayloadArray = "eyJhbGciOiJIUzI1NiJ9.W10.AA";         // []
constexpr std::string_view kExpText = "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOiIxIn0.AA";  // {"exp":"1"}
constexpr std::string_view kExpHuge =
    "eyJhbGciOiJIUzI1NiJ9.eyJleHAiOjFlMzAwfQ.AA";                                  // {"exp":1e300}
constexpr std::string_view kIssNull = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOm51bGx9.AA";  // {"iss":null}

TEST(JwtTest, UserSignatureMatchesTheVectors) {
  EXPECT_EQ(UserSignature("alice", Key()),
            "cf5a1a74e02dd6efa288394100b06412daa6b1a0072ea7817a8c20937622b35d");
  EXPECT_EQ(UserSignature("zoë", Key()),
            "e2d9429956d956b9c7605424c55be2344e6f3fd5b7371aeaa90f31398847c414");
}

TEST(JwtTest, MintingGivesTheRecordedToken) {
  EXPECT_EQ(MintJwt({"user", "demo", "alice", 1795441209, std::nullopt}, Key()).Expose(),
            kUserToken);
}

TEST(JwtTest, VectorsVerify) {
  JwtClaims claims;
  EXPECT_EQ(VerifyJwt(kAppToken, Key(), kNow, &claims), JwtVerdict::kValid);
  EXPECT_EQ(claims.token_type, "app");
  EXPECT_EQ(claims.issuer, "demo");
  EXPECT_EQ(claims.subject, "");
  EXPECT_EQ(claims.expires, 1795439661);
  EXPECT_EQ(claims.not_before, std::nullopt);
  EXPECT_EQ(VerifyJwt(kUserToken, Key(), kNow, nullptr), JwtVerdict::kValid);
}

TEST(JwtTest, MintedClaimsComeBack) {
  for (const auto& expires : {std::optional<int64_t>(kNow + 1), std::optional<int64_t>()}) {
    for (const auto& not_before : {std::optional<int64_t>(kNow), std::optional<int64_t>()}) {
      const Secret token = MintJwt({"user", "demo", "zoë \"x\"", expires, not_before}, Key());
      JwtClaims claims;
      EXPECT_EQ(VerifyJwt(token.Expose(), Key(), kNow, &claims), JwtVerdict::kValid);
      EXPECT_EQ(claims.subject, "zoë \"x\"");
      EXPECT_EQ(claims.expires, expires);
      EXPECT_EQ(claims.not_before, not_before);
      EXPECT_TRUE(ReadJwt(token.Expose()).ok());
    }
  }
}

TEST(JwtTest, ValidityEndsAtExpAndBeginsAtNbf) {
  const Secret token = MintJwt({"user", "demo", "a", 2000000000, 1900000000}, Key());
  EXPECT_EQ(VerifyJwt(token.Expose(), Key(), 1899999999, nullptr), JwtVerdict::kNotYetValid);
  EXPECT_EQ(VerifyJwt(token.Expose(), Key(), 1900000000, nullptr), JwtVerdict::kValid);
  EXPECT_EQ(VerifyJwt(token.Expose(), Key(), 1999999999, nullptr), JwtVerdict::kValid);
  EXPECT_EQ(VerifyJwt(token.Expose(), Key(), 2000000000, nullptr), JwtVerdict::kExpired);
}

TEST(JwtTest, AnotherKeyOrAnotherPayloadIsABadSignature) {
  JwtClaims claims;
  EXPECT_EQ(VerifyJwt(kUserToken, Secret("sk_test_other"), kNow, &claims),
            JwtVerdict::kBadSignature);
  EXPECT_EQ(claims.subject, "alice");
  EXPECT_EQ(VerifyJwt(kUserToken, Secret(), kNow, nullptr), JwtVerdict::kBadSignature);
  const std::string bob(MintJwt({"user", "demo", "bob", 1795441209, std::nullopt}, Key()).Expose());
  const std::string forged =
      bob.substr(0, bob.rfind('.')) + std::string(kUserToken.substr(kUserToken.rfind('.')));
  EXPECT_EQ(VerifyJwt(forged, Key(), kNow, nullptr), JwtVerdict::kBadSignature);
  const std::string unsigned_token(kUserToken.substr(0, kUserToken.rfind('.') + 1));
  EXPECT_EQ(VerifyJwt(unsigned_token, Key(), kNow, nullptr), JwtVerdict::kBadSignature);
}

TEST(JwtTest, OnlyHs256IsTaken) {
  EXPECT_EQ(VerifyJwt(kNone, Key(), kNow, nullptr), JwtVerdict::kWrongAlgorithm);
  EXPECT_EQ(ReadJwt(kNone).status().message(), "malformed token: header: alg is not HS256");
}

TEST(JwtTest, MalformedTokensAreNamed) {
  const std::string padded = std::string(kUserToken) + "=";
  const std::string stray_bits =
      "eyJhbGciOiJIUzI1NiJ9.e31.AA";  // "e30" with a bit that belongs to no byte
  const std::string long_token(70000, 'a');
  const struct {
    std::string_view token;
    std::string_view message;
  } kCases[] = {
      {"", "not three parts separated by dots"},
      {"garbage", "not three parts separated by dots"},
      {"a.b", "not three parts separated by dots"},
      {"a.b.c.d", "not three parts separated by dots"},
      {"!.b.c", "header: not base64url without padding"},
      {"a.b.c", "header: not base64url without padding"},
      {"AAAA.b.c", "header: not JSON"},
      {"..", "header: not JSON"},
      {kNoAlgorithm, "header: alg is missing"},
      {kAlgNumber, "alg: not a string"},
      {kPayloadArray, "payload: not a JSON object"},
      {kExpText, "exp: not a number"},
      {kExpHuge, "exp: out of range"},
      {kIssNull, "iss: not a string"},
      {stray_bits, "payload: not base64url without padding"},
      {padded, "signature: not base64url without padding"},
      {long_token, "longer than 64 KiB"},
  };
  for (const auto& test : kCases) {
    const absl::StatusOr<JwtClaims> claims = ReadJwt(test.token);
    ASSERT_FALSE(claims.ok()) << test.token;
    EXPECT_EQ(std::string(claims.status().message()),
              "malformed token: " + std::string(test.message));
    EXPECT_EQ(VerifyJwt(test.token, Key(), kNow, nullptr), JwtVerdict::kMalformed) << test.token;
  }
}

TEST(JwtTest, ErrorsDoNotQuoteTheToken) {
  const absl::StatusOr<JwtClaims> claims = ReadJwt("sk_live_abc");
  EXPECT_EQ(claims.status().ToString().find("sk_live"), std::string::npos);
}

TEST(JwtTest, ConstantTimeEqualsCompares) {
  EXPECT_TRUE(ConstantTimeEquals("", ""));
  EXPECT_TRUE(ConstantTimeEquals("abc", "abc"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "abd"));
  EXPECT_FALSE(ConstantTimeEquals("abc", "ab"));
}

}  // namespace
}  // namespace talkjsd::wire
