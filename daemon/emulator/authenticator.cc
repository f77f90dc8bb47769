#include "daemon/emulator/authenticator.h"

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/jwt.h"

namespace talkjsd::emulator {

Authenticator::Authenticator(std::string app_id, Secret secret_key, const Clock& clock)
    : app_id_(std::move(app_id)), secret_key_(std::move(secret_key)), clock_(clock) {}

absl::StatusOr<wire::JwtClaims> Authenticator::Check(std::string_view token,
                                                     std::string_view type) const {
  wire::JwtClaims claims;
  switch (wire::VerifyJwt(token, secret_key_, clock_.WallMillis() / 1000, &claims)) {
    case wire::JwtVerdict::kValid:
      break;
    case wire::JwtVerdict::kMalformed:
      return BadRequest("malformed token");
    case wire::JwtVerdict::kBadSignature:
      return Unauthorized("invalid signature");
    case wire::JwtVerdict::kWrongAlgorithm:
      return Unauthorized("alg must be HS256");
    case wire::JwtVerdict::kExpired:
      return Unauthorized("token expired");
    case wire::JwtVerdict::kNotYetValid:
      return Unauthorized("token not yet valid");
  }
  if (claims.token_type != type) {
    return Unauthorized("tokenType must be \"" + std::string(type) + "\"");
  }
  if (claims.issuer != app_id_) return Unauthorized("iss must be the app id");
  return claims;
}

absl::StatusOr<Authenticator::Login> Authenticator::CheckAnyUser(std::string_view token) const {
  const auto claims = Check(token, "user");
  if (!claims.ok()) return claims.status();
  return Login{claims->subject, claims->expires};
}

absl::Status Authenticator::CheckServer(std::string_view token) const {
  if (wire::ConstantTimeEquals(token, secret_key_.Expose())) return absl::OkStatus();
  const absl::Status status = Check(token, "app").status();
  if (status.ok()) return status;
  return Unauthorized("neither the secret key nor an app token: " + RefusalOf(status).reason);
}

absl::StatusOr<Authenticator::Login> Authenticator::CheckUser(std::string_view token,
                                                              std::string_view user_id) const {
  auto login = CheckAnyUser(token);
  if (login.ok() && login->user_id != user_id) return Unauthorized("token is for another user");
  return login;
}

absl::StatusOr<Secret> Authenticator::Boken(std::string_view user_id,
                                            std::string_view signature) const {
  if (!signature.empty() &&
      !wire::ConstantTimeEquals(signature, wire::UserSignature(user_id, secret_key_))) {
    return Unauthorized("the signature does not belong to this user id");
  }
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = app_id_;
  claims.subject = user_id;
  claims.expires = clock_.WallMillis() / 1000 + kBokenLifetimeSeconds;
  return wire::MintJwt(claims, secret_key_);
}

}  // namespace talkjsd::emulator
