#include "daemon/session/check.h"

#include <string>
#include <string_view>

#include "daemon/base/error.h"
#include "daemon/wire/jwt.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

// TalkJS documents no limits; these keep URLs and logs sane (proto comments of
// CreateSessionRequest).
constexpr size_t kMaxIdBytes = 255;
constexpr size_t kMaxSecretBytes = 16 * 1024;
constexpr Duration kMinTokenLifetime = std::chrono::seconds(10);
constexpr Duration kMaxTokenLifetime = std::chrono::hours(24);

absl::Status Invalid(v1::ErrorReason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, message);
}

absl::Status CheckId(std::string_view name, std::string_view id) {
  const std::string field(name);
  if (id.empty()) {
    return Invalid(v1::ERROR_REASON_INVALID_FIELD, field + " is empty: it is required");
  }
  if (id.size() > kMaxIdBytes) {
    return Invalid(v1::ERROR_REASON_INVALID_FIELD,
                   field + " is longer than " + std::to_string(kMaxIdBytes) + " bytes");
  }
  for (const char c : id) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return Invalid(v1::ERROR_REASON_INVALID_FIELD, field + " has a control character");
    }
  }
  if (!wire::IsValidUtf8(id)) {
    return Invalid(v1::ERROR_REASON_INVALID_FIELD, field + " is not UTF-8");
  }
  return absl::OkStatus();
}

absl::Status CheckToken(const CreateRequest& request, UnixMillis now) {
  const auto claims = wire::ReadJwt(request.credentials.secret.Expose());
  if (!claims.ok()) {
    return Invalid(v1::ERROR_REASON_TOKEN_MALFORMED, "token is not a TalkJS token (" +
                                                         std::string(MessageOf(claims.status())) +
                                                         "): it must be a JWT signed with HS256");
  }
  if (claims->token_type != "user") {
    return Invalid(v1::ERROR_REASON_TOKEN_WRONG_TYPE,
                   "token has not tokenType \"user\": make it for a user, not for the app");
  }
  if (claims->issuer != request.app_id) {
    return Invalid(v1::ERROR_REASON_TOKEN_WRONG_APP,
                   "token was made for another app: its iss must be the app_id");
  }
  if (request.user_id.has_value() && claims->subject != *request.user_id) {
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

bool IsHexDigest(std::string_view text) {
  return text.size() == 64 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

absl::Status CheckCredentials(const CreateRequest& request, UnixMillis now) {
  const Credentials& credentials = request.credentials;
  const size_t size = credentials.secret.Expose().size();
  if (size > kMaxSecretBytes) {
    return Invalid(v1::ERROR_REASON_CREDENTIALS_INVALID,
                   "the credentials are longer than 16 KiB: that is no token or key");
  }
  switch (credentials.kind) {
    case CredentialKind::kNone:
      return absl::OkStatus();
    case CredentialKind::kToken:
      return CheckToken(request, now);
    case CredentialKind::kSignature:
      if (!IsHexDigest(credentials.secret.Expose())) {
        return Invalid(v1::ERROR_REASON_CREDENTIALS_INVALID,
                       "signature is not 64 hexadecimal digits: it must be the HMAC-SHA256 of the "
                       "user's id");
      }
      return absl::OkStatus();
    case CredentialKind::kSigningKey:
      if (size == 0) {
        return Invalid(v1::ERROR_REASON_CREDENTIALS_INVALID,
                       "signing_key.secret_key is empty: give the app's secret key");
      }
      if (credentials.token_lifetime < kMinTokenLifetime ||
          credentials.token_lifetime > kMaxTokenLifetime) {
        return Invalid(v1::ERROR_REASON_INVALID_FIELD,
                       "signing_key.token_lifetime must be between 10 s and 24 h");
      }
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCreate(const CreateRequest& request, UnixMillis now) {
  absl::Status status = CheckId("app_id", request.app_id);
  if (status.ok() && request.user_id.has_value()) status = CheckId("me.id", *request.user_id);
  if (status.ok()) status = CheckCredentials(request, now);
  return status;
}

}  // namespace talkjsd::session
