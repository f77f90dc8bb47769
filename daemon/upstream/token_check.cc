#include "daemon/upstream/token_check.h"

#include <string>

#include "daemon/base/error.h"
#include "daemon/wire/jwt.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;

absl::Status Invalid(v1::ErrorReason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

}  // namespace

absl::Status CheckToken(std::string_view token, std::string_view app_id,
                        std::optional<std::string_view> user_id, UnixMillis now) {
  const auto claims = wire::ReadJwt(token);
  if (!claims.ok()) {
    return Invalid(v1::ERROR_REASON_TOKEN_MALFORMED, "token is not a TalkJS token (" +
                                                         std::string(MessageOf(claims.status())) +
                                                         "): it must be a JWT signed with HS256");
  }
  if (claims->token_type != "user") {
    return Invalid(v1::ERROR_REASON_TOKEN_WRONG_TYPE,
                   "token has not tokenType \"user\": make it for a user, not for the app");
  }
  if (claims->issuer != app_id) {
    return Invalid(v1::ERROR_REASON_TOKEN_WRONG_APP,
                   "token was made for another app: its iss must be the app_id");
  }
  if (user_id.has_value() && claims->subject != *user_id) {
    return Invalid(v1::ERROR_REASON_TOKEN_WRONG_USER,
                   "token was made for another user: its sub must be the user's id");
  }
  if (claims->expires.has_value() && *claims->expires * 1000 <= now) {
    return Invalid(v1::ERROR_REASON_TOKEN_EXPIRED, "token has expired: make a new one");
  }
  if (claims->not_before.has_value() && *claims->not_before * 1000 > now) {
    return Invalid(v1::ERROR_REASON_TOKEN_NOT_YET_VALID,
                   "token is not valid yet: check its nbf and this host's clock");
  }
  return absl::OkStatus();
}

absl::Status CheckFetchedToken(std::string_view token, std::string_view app_id,
                               std::string_view user_id, UnixMillis now) {
  if (token.empty()) return Invalid(v1::ERROR_REASON_TOKEN_FETCH_EMPTY, "there is no token in it");
  if (token.size() > kMaxTokenBytes) {
    return Invalid(v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE, "it is longer than 16 KiB: no token is");
  }
  return CheckToken(token, app_id, user_id, now);
}

std::optional<int64_t> TokenExpiry(std::string_view token) {
  const auto claims = wire::ReadJwt(token);
  if (!claims.ok()) return std::nullopt;
  return claims->expires;
}

std::string_view TrimSpace(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

}  // namespace talkjsd::upstream
