// TalkJS tokens: compact JWS, HS256 (realtime.md 4.2 and 4.3).
#ifndef TALKJSD_WIRE_JWT_H_
#define TALKJSD_WIRE_JWT_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/secret.h"

namespace talkjsd::wire {

struct JwtClaims {
  std::string token_type;          // user, app
  std::string issuer;              // the app id
  std::string subject;             // the user id; empty for app tokens
  std::optional<int64_t> expires;  // seconds since the epoch; nullopt never expires
  std::optional<int64_t> not_before;
};

// Header {"alg":"HS256","typ":"JWT"}.
Secret MintJwt(const JwtClaims& claims, const Secret& key);

// What is in the token, without checking the signature: a client's view. The error names what is
// malformed.
absl::StatusOr<JwtClaims> ReadJwt(std::string_view token);

enum class JwtVerdict {
  kValid,
  kMalformed,
  kBadSignature,
  kWrongAlgorithm,
  kExpired,
  kNotYetValid
};

// The server's view: signature (constant-time compare), algorithm, exp and nbf against `now`
// (seconds). `claims` is filled unless the token is malformed. Who it is for (issuer, subject,
// type) is the caller's check.
JwtVerdict VerifyJwt(std::string_view token, const Secret& key, int64_t now, JwtClaims* claims);

// Lower-case hex of HMAC-SHA256 over the user id: the legacy "signature" (4.2).
std::string UserSignature(std::string_view user_id, const Secret& key);

// True if equal; takes the same time wherever they differ.
bool ConstantTimeEquals(std::string_view a, std::string_view b);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_JWT_H_
