#include "daemon/session/check.h"

#include <absl/strings/match.h>

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/base/error.h"
#include "daemon/net/url.h"
#include "daemon/upstream/token_check.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

// TalkJS documents no limits; these keep URLs and logs sane (proto comments of
// CreateSessionRequest).
constexpr size_t kMaxIdBytes = 255;
constexpr Duration kMinTokenLifetime = std::chrono::seconds(10);
constexpr Duration kMaxTokenLifetime = std::chrono::hours(24);
constexpr Duration kMinFetchTimeout = std::chrono::milliseconds(100);
constexpr Duration kMaxFetchTimeout = std::chrono::seconds(60);

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

bool IsHexDigest(std::string_view text) {
  return text.size() == 64 &&
         text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

absl::Status CheckSpecToken(const Spec& spec, const Secret& token, UnixMillis now) {
  std::optional<std::string_view> user_id;
  if (spec.user_id.has_value()) user_id = *spec.user_id;
  return upstream::CheckToken(token.Expose(), spec.app_id, user_id, now);
}

absl::Status CheckHttpFetcher(const upstream::HttpFetcher& fetcher) {
  // The parser also takes WebSocket URLs.
  const absl::StatusOr<net::Url> url = net::ParseUrl(fetcher.url);
  if (!url.ok()) return WithContext(url.status(), "token_fetcher.http.url");
  if (!absl::StartsWithIgnoreCase(fetcher.url, "http")) {
    return Invalid(v1::ERROR_REASON_INVALID_FIELD,
                   "token_fetcher.http.url must begin with https:// or http://");
  }
  if (fetcher.method != "POST" && fetcher.method != "GET") {
    return Invalid(v1::ERROR_REASON_INVALID_FIELD,
                   "token_fetcher.http.method must be POST or GET; leave it out for POST");
  }
  if (fetcher.timeout < kMinFetchTimeout || fetcher.timeout > kMaxFetchTimeout) {
    return Invalid(v1::ERROR_REASON_INVALID_FIELD,
                   "token_fetcher.http.timeout must be 100 ms to 60 s; leave it out for 10 s");
  }
  return absl::OkStatus();
}

absl::Status CheckFetcher(const Spec& spec, UnixMillis now) {
  const Credentials& credentials = spec.credentials;
  absl::Status status = absl::OkStatus();
  if (const auto* http = std::get_if<upstream::HttpFetcher>(&credentials.fetcher)) {
    status = CheckHttpFetcher(*http);
  } else if (const auto* file = std::get_if<upstream::FileFetcher>(&credentials.fetcher)) {
    if (!file->path.starts_with("/")) {
      status = Invalid(v1::ERROR_REASON_INVALID_FIELD,
                       "token_fetcher.file.path must be absolute: begin with /");
    }
  }
  if (status.ok() && !credentials.first_token.empty()) {
    status = CheckSpecToken(spec, credentials.first_token, now);
  }
  return status;
}

absl::Status CheckCredentials(const Spec& spec, UnixMillis now) {
  const Credentials& credentials = spec.credentials;
  const size_t size = credentials.secret.Expose().size();
  if (size > upstream::kMaxTokenBytes ||
      credentials.first_token.Expose().size() > upstream::kMaxTokenBytes) {
    return Invalid(v1::ERROR_REASON_CREDENTIALS_INVALID,
                   "the credentials are longer than 16 KiB: that is no token or key");
  }
  switch (credentials.kind) {
    case CredentialKind::kNone:
      return absl::OkStatus();
    case CredentialKind::kToken:
      return CheckSpecToken(spec, credentials.secret, now);
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
    case CredentialKind::kHttpFetcher:
    case CredentialKind::kFileFetcher:
    case CredentialKind::kProviderFetcher:
      return CheckFetcher(spec, now);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckCreate(const Spec& spec, UnixMillis now) {
  absl::Status status = CheckId("app_id", spec.app_id);
  if (status.ok() && spec.user_id.has_value()) status = CheckUserId(*spec.user_id);
  if (status.ok()) status = CheckCredentials(spec, now);
  return status;
}

absl::Status CheckUserId(const std::string& user_id) { return CheckId("me.id", user_id); }

}  // namespace talkjsd::session
