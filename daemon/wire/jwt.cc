#include "daemon/wire/jwt.h"

#include <absl/status/status.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <cmath>
#include <cstddef>

#include "daemon/wire/json.h"

namespace talkjsd::wire {
namespace {

constexpr size_t kMaxTokenBytes = 64 << 10;

// Seconds beyond this (the year 33 million) are not a time.
constexpr double kMaxSeconds = 1e15;

constexpr std::string_view kBase64Url =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string Base64UrlEncode(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 4 / 3 + 3);
  uint32_t buffer = 0;
  int bits = 0;
  for (const char c : bytes) {
    buffer = (buffer << 8) | static_cast<unsigned char>(c);
    bits += 8;
    while (bits >= 6) {
      bits -= 6;
      out += kBase64Url[(buffer >> bits) & 63];
    }
  }
  if (bits > 0) out += kBase64Url[(buffer << (6 - bits)) & 63];
  return out;
}

constexpr std::array<int8_t, 256> MakeBase64Table() {
  std::array<int8_t, 256> table{};
  for (int8_t& entry : table) entry = -1;
  for (size_t i = 0; i < kBase64Url.size(); ++i) {
    table[static_cast<unsigned char>(kBase64Url[i])] = static_cast<int8_t>(i);
  }
  return table;
}

// Strict: no padding, no other alphabet, no stray bits, so that each byte string has one encoding
// only.
std::optional<std::string> Base64UrlDecode(std::string_view text) {
  static constexpr std::array<int8_t, 256> kTable = MakeBase64Table();
  if (text.size() % 4 == 1) return std::nullopt;
  std::string out;
  out.reserve(text.size() * 3 / 4);
  uint32_t buffer = 0;
  int bits = 0;
  for (const char c : text) {
    const int8_t value = kTable[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    buffer = (buffer << 6) | static_cast<uint32_t>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out += static_cast<char>((buffer >> bits) & 0xFF);
    }
  }
  if ((buffer & ((1u << bits) - 1)) != 0) return std::nullopt;
  return out;
}

std::string HmacSha256(std::string_view message, const Secret& key) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  const std::string_view bytes = key.Expose();
  // OpenSSL takes a null key pointer for "the key of before".
  const void* key_data = bytes.empty() ? "" : bytes.data();
  HMAC(EVP_sha256(), key_data, static_cast<int>(bytes.size()),
       reinterpret_cast<const unsigned char*>(message.data()), message.size(), digest, &length);
  return std::string(reinterpret_cast<const char*>(digest), length);
}

struct Jws {
  std::string_view signed_part;  // "<header>.<payload>" as it came
  std::string algorithm;
  JwtClaims claims;
  std::string signature;
};

absl::Status Malformed(const std::string& what) {
  return absl::InvalidArgumentError("malformed token: " + what);
}

absl::StatusOr<json::object> ReadPart(std::string_view part, const std::string& name) {
  const std::optional<std::string> text = Base64UrlDecode(part);
  if (!text) return Malformed(name + ": not base64url without padding");
  absl::StatusOr<json::value> value = ParseJson(*text, kMaxTokenBytes);
  if (!value.ok()) return Malformed(name + ": not JSON");
  json::object* object = value->if_object();
  if (object == nullptr) return Malformed(name + ": not a JSON object");
  return std::move(*object);
}

// Absent claims stay empty: which ones are needed depends on who asks.
absl::Status ReadString(const json::object& object, std::string_view name, std::string& out) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return absl::OkStatus();
  const json::string* text = value->if_string();
  if (text == nullptr) return Malformed(std::string(name) + ": not a string");
  out.assign(text->data(), text->size());
  return absl::OkStatus();
}

// RFC 7519 allows fractions of a second; `round` turns them to the side that keeps the token
// shorter valid.
absl::Status ReadSeconds(const json::object& object, std::string_view name, double (*round)(double),
                         std::optional<int64_t>& out) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_number()) return Malformed(std::string(name) + ": not a number");
  const double seconds = value->is_double()  ? round(value->get_double())
                         : value->is_int64() ? static_cast<double>(value->get_int64())
                                             : static_cast<double>(value->get_uint64());
  if (!(std::abs(seconds) <= kMaxSeconds)) return Malformed(std::string(name) + ": out of range");
  out = static_cast<int64_t>(seconds);
  return absl::OkStatus();
}

double Floor(double value) { return std::floor(value); }
double Ceil(double value) { return std::ceil(value); }

absl::StatusOr<Jws> ReadJws(std::string_view token) {
  if (token.size() > kMaxTokenBytes) return Malformed("longer than 64 KiB");
  const size_t first = token.find('.');
  const size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return Malformed("not three parts separated by dots");
  }
  Jws jws;
  jws.signed_part = token.substr(0, second);

  absl::StatusOr<json::object> header = ReadPart(token.substr(0, first), "header");
  if (!header.ok()) return header.status();
  if (!header->contains("alg")) return Malformed("header: alg is missing");
  if (absl::Status status = ReadString(*header, "alg", jws.algorithm); !status.ok()) return status;

  absl::StatusOr<json::object> payload =
      ReadPart(token.substr(first + 1, second - first - 1), "payload");
  if (!payload.ok()) return payload.status();
  absl::Status status = ReadString(*payload, "tokenType", jws.claims.token_type);
  if (status.ok()) status = ReadString(*payload, "iss", jws.claims.issuer);
  if (status.ok()) status = ReadString(*payload, "sub", jws.claims.subject);
  if (status.ok()) status = ReadSeconds(*payload, "exp", Floor, jws.claims.expires);
  if (status.ok()) status = ReadSeconds(*payload, "nbf", Ceil, jws.claims.not_before);
  if (!status.ok()) return status;

  std::optional<std::string> signature = Base64UrlDecode(token.substr(second + 1));
  if (!signature) return Malformed("signature: not base64url without padding");
  jws.signature = std::move(*signature);
  return jws;
}

}  // namespace

Secret MintJwt(const JwtClaims& claims, const Secret& key) {
  json::object payload;
  payload["tokenType"] = claims.token_type;
  payload["iss"] = claims.issuer;
  if (!claims.subject.empty()) payload["sub"] = claims.subject;
  if (claims.expires) payload["exp"] = *claims.expires;
  if (claims.not_before) payload["nbf"] = *claims.not_before;
  std::string token = Base64UrlEncode(R"({"alg":"HS256","typ":"JWT"})");
  token += '.';
  token += Base64UrlEncode(json::serialize(payload));
  const std::string signature = HmacSha256(token, key);
  token += '.';
  token += Base64UrlEncode(signature);
  return Secret(std::move(token));
}

absl::StatusOr<JwtClaims> ReadJwt(std::string_view token) {
  absl::StatusOr<Jws> jws = ReadJws(token);
  if (!jws.ok()) return jws.status();
  if (jws->algorithm != "HS256") return Malformed("header: alg is not HS256");
  return std::move(jws->claims);
}

JwtVerdict VerifyJwt(std::string_view token, const Secret& key, int64_t now, JwtClaims* claims) {
  absl::StatusOr<Jws> jws = ReadJws(token);
  if (!jws.ok()) return JwtVerdict::kMalformed;
  if (claims != nullptr) *claims = jws->claims;
  if (jws->algorithm != "HS256") return JwtVerdict::kWrongAlgorithm;
  if (!ConstantTimeEquals(jws->signature, HmacSha256(jws->signed_part, key))) {
    return JwtVerdict::kBadSignature;
  }
  if (jws->claims.expires && *jws->claims.expires <= now) return JwtVerdict::kExpired;
  if (jws->claims.not_before && *jws->claims.not_before > now) return JwtVerdict::kNotYetValid;
  return JwtVerdict::kValid;
}

std::string UserSignature(std::string_view user_id, const Secret& key) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : HmacSha256(user_id, key)) {
    const auto byte = static_cast<unsigned char>(c);
    out += kHex[byte >> 4];
    out += kHex[byte & 15];
  }
  return out;
}

bool ConstantTimeEquals(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace talkjsd::wire
