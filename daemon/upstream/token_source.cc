#include "daemon/upstream/token_source.h"

#include <boost/json.hpp>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/upstream/loop_fetch.h"
#include "daemon/upstream/token_check.h"
#include "daemon/wire/json.h"
#include "daemon/wire/jwt.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;

// Several refused tokens in a row mean that the credentials are wrong, not that one token was.
constexpr int kRefusalsUntilFatal = 3;

TokenResult Failure(TokenResult::Kind kind, absl::StatusCode code, v1::ErrorReason reason,
                    std::string_view message) {
  TokenResult result;
  result.kind = kind;
  result.why = MakeError(code, reason, message);
  return result;
}

TokenResult Fatal(v1::ErrorReason reason, std::string_view message) {
  return Failure(TokenResult::Kind::kFatal, absl::StatusCode::kFailedPrecondition, reason, message);
}

TokenResult Found(Secret token, std::optional<int64_t> expires_at) {
  TokenResult result;
  result.kind = TokenResult::Kind::kToken;
  result.token = std::move(token);
  result.expires_at = expires_at;
  return result;
}

class StaticTokenSource : public TokenSource {
 public:
  StaticTokenSource(Secret token, const Clock& clock)
      : token_(std::move(token)), clock_(clock), expires_(TokenExpiry(token_.Expose())) {}

  void Get(const NeedToken& need, Done done) override {
    if (need.cause == TokenCause::kExpired) login_ended_ = true;
    // By this host's clock, or by TalkJS's, which first ended the login and then refused the token.
    const bool expired =
        expires_.has_value() && (*expires_ * 1000 <= clock_.WallMillis() ||
                                 (login_ended_ && need.cause == TokenCause::kRefused));
    if (need.cause == TokenCause::kRenewal && std::exchange(given_, true)) {
      done(Failure(TokenResult::Kind::kWait, absl::StatusCode::kFailedPrecondition,
                   v1::ERROR_REASON_TOKEN_EXPIRED, "the token cannot be renewed; use SetToken"));
    } else if (need.cause == TokenCause::kRefused) {
      done(Failure(TokenResult::Kind::kWait, absl::StatusCode::kFailedPrecondition,
                   expired ? v1::ERROR_REASON_TOKEN_EXPIRED : v1::ERROR_REASON_TOKEN_REFUSED,
                   expired ? "the token has expired; supply a new one with SetToken"
                           : "TalkJS refused the token; supply another one with SetToken and check "
                             "that it is signed with the key of this app"));
    } else if (expired) {
      done(Failure(TokenResult::Kind::kWait, absl::StatusCode::kFailedPrecondition,
                   v1::ERROR_REASON_TOKEN_EXPIRED,
                   "the token has expired; supply a new one with SetToken"));
    } else {
      given_ = true;
      done(Found(token_, expires_));
    }
  }

 private:
  const Secret token_;
  const Clock& clock_;
  const std::optional<int64_t> expires_;
  bool given_ = false;
  bool login_ended_ = false;  // by TalkJS, since the token was made
};

class FirstTokenSource : public TokenSource {
 public:
  FirstTokenSource(Secret first, std::unique_ptr<TokenSource> next, const Clock& clock)
      : first_(std::move(first)), next_(std::move(next)), clock_(clock) {}

  void Get(const NeedToken& need, Done done) override {
    const Secret token = std::exchange(first_, Secret());
    if (!token.empty()) {
      const std::optional<int64_t> expires = TokenExpiry(token.Expose());
      if (!expires.has_value() || *expires * 1000 > clock_.WallMillis()) {
        done(Found(token, expires));
        return;
      }
    }
    next_->Get(need, std::move(done));
  }

 private:
  Secret first_;  // until it has been asked for
  const std::unique_ptr<TokenSource> next_;
  const Clock& clock_;
};

class SigningKeyTokenSource : public TokenSource {
 public:
  SigningKeyTokenSource(std::string app_id, std::string user_id, Secret key, Duration lifetime,
                        const Clock& clock)
      : app_id_(std::move(app_id)),
        user_id_(std::move(user_id)),
        key_(std::move(key)),
        lifetime_(lifetime),
        clock_(clock) {}

  void Get(const NeedToken& need, Done done) override {
    if (need.refusals >= kRefusalsUntilFatal) {
      done(Fatal(
          v1::ERROR_REASON_TOKEN_REFUSED,
          "TalkJS refuses tokens signed with this key: check that it is the secret key of the "
          "app and that this host's clock is right, then replace the credentials"));
      return;
    }
    wire::JwtClaims claims;
    claims.token_type = "user";
    claims.issuer = app_id_;
    claims.subject = user_id_;
    claims.expires = clock_.WallMillis() / 1000 +
                     std::chrono::duration_cast<std::chrono::seconds>(lifetime_).count();
    done(Found(wire::MintJwt(claims, key_), claims.expires));
  }

 private:
  const std::string app_id_;
  const std::string user_id_;
  const Secret key_;
  const Duration lifetime_;
  const Clock& clock_;
};

class BokenTokenSource : public TokenSource {
 public:
  BokenTokenSource(std::string internal_url, std::string app_id, std::string user_id,
                   Secret signature, net::EventLoop& loop, net::HttpClient& http)
      : url_(std::move(internal_url) + "/" + wire::EncodeSegment(app_id) + "/bokens/" +
             wire::EncodeSegment(user_id)),
        signature_(std::move(signature)),
        fetch_(loop, http) {}

  void Get(const NeedToken& need, Done done) override {
    if (need.refusals >= kRefusalsUntilFatal) {
      done(Fatal(v1::ERROR_REASON_AUTHENTICATION_REFUSED,
                 "TalkJS refuses this session's logins: use a token or a signing key instead"));
      return;
    }
    net::HttpRequest request;
    request.url = url_ + "?signature=" + wire::EncodeSegment(signature_.Expose());
    request.headers = {"Content-Type: application/json"};
    fetch_.Start(std::move(request),
                 [this, done = std::move(done)](const absl::StatusOr<net::HttpResponse>& response) {
                   done(Read(response));
                 });
  }

 private:
  TokenResult Read(const absl::StatusOr<net::HttpResponse>& response) const {
    const auto retry = [](const absl::Status& why) {
      TokenResult result;
      result.kind = TokenResult::Kind::kRetry;
      result.why = why;
      return result;
    };
    if (!response.ok()) return retry(response.status());
    const int status = response->status;
    if (status == 401) {
      return Fatal(v1::ERROR_REASON_SIGNATURE_REFUSED,
                   signature_.empty()
                       ? "TalkJS demands authentication for this app: create the session with a "
                         "token, a signing key or a signature"
                       : "TalkJS refused the signature: it must be the HMAC-SHA256 of the user id "
                         "with the app's secret key, in hex; replace the credentials");
    }
    if (status == 404) {
      return Fatal(v1::ERROR_REASON_APP_NOT_FOUND, "TalkJS does not know this app id: check it");
    }
    if (status != 200) {
      const std::string message =
          "TalkJS answered " + std::to_string(status) + " when asked for a login token";
      if (status >= 400 && status < 500 && status != 429) {
        return Fatal(v1::ERROR_REASON_AUTHENTICATION_REFUSED,
                     message + "; replace the credentials");
      }
      return retry(MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
                             message + "; trying again"));
    }
    auto body = wire::ParseJson(response->body);
    const boost::json::value* boken =
        body.ok() && body->is_object() ? body->get_object().if_contains("boken") : nullptr;
    if (boken == nullptr || !boken->is_string()) {
      return retry(MakeError(absl::StatusCode::kUnavailable,
                             v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR,
                             "the answer for a login token was not understood; trying again"));
    }
    return Found(Secret(std::string(boken->get_string())), std::nullopt);
  }

  const std::string url_;
  const Secret signature_;
  LoopFetch fetch_;
};

}  // namespace

std::unique_ptr<TokenSource> MakeStaticTokenSource(Secret token, const Clock& clock) {
  return std::make_unique<StaticTokenSource>(std::move(token), clock);
}

std::unique_ptr<TokenSource> MakeFirstTokenSource(Secret first, std::unique_ptr<TokenSource> next,
                                                  const Clock& clock) {
  return std::make_unique<FirstTokenSource>(std::move(first), std::move(next), clock);
}

std::unique_ptr<TokenSource> MakeSigningKeyTokenSource(std::string app_id, std::string user_id,
                                                       Secret key, Duration lifetime,
                                                       const Clock& clock) {
  return std::make_unique<SigningKeyTokenSource>(std::move(app_id), std::move(user_id),
                                                 std::move(key), lifetime, clock);
}

std::unique_ptr<TokenSource> MakeBokenTokenSource(std::string internal_url, std::string app_id,
                                                  std::string user_id, Secret signature,
                                                  net::EventLoop& loop, net::HttpClient& http) {
  return std::make_unique<BokenTokenSource>(std::move(internal_url), std::move(app_id),
                                            std::move(user_id), std::move(signature), loop, http);
}

}  // namespace talkjsd::upstream
