#include "daemon/api/convert/credentials.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <optional>
#include <utility>

#include "daemon/api/convert/convert.h"
#include "daemon/api/convert/field_checks.h"
#include "daemon/api/convert/validate.h"
#include "daemon/api/limits.h"
#include "daemon/net/url.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

// The value of a well-formed one; nullopt of one that is not, or does not fit into a Duration.
std::optional<Duration> ToDuration(const google::protobuf::Duration& duration) {
  constexpr int64_t kMaxSeconds = 100LL * 365 * 24 * 3600;
  if (duration.seconds() < 0 || duration.seconds() > kMaxSeconds || duration.nanos() < 0 ||
      duration.nanos() > kMaxNanos) {
    return std::nullopt;
  }
  return std::chrono::seconds(duration.seconds()) + std::chrono::nanoseconds(duration.nanos());
}

void CheckDuration(std::string_view field, const google::protobuf::Duration& duration, Duration min,
                   Duration max, std::string_view description, FieldErrors& errors) {
  const std::optional<Duration> value = ToDuration(duration);
  if (!value.has_value() || *value < min || *value > max) errors.Add(field, description);
}

// Names as HTTP has them, and values on one line. Values are secret: no message quotes them.
void CheckHeaders(const google::protobuf::Map<std::string, std::string>& headers,
                  FieldErrors& errors) {
  constexpr std::string_view kField = "token_fetcher.http.headers";
  if (headers.size() > kMaxFetcherHeaders) errors.Add(kField, "must have at most 32 entries");
  const auto is_name = [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  };
  const auto is_text = [](unsigned char c) { return (c >= ' ' && c != 0x7f) || c == '\t'; };
  for (const auto& [name, value] : headers) {
    if (name.empty() || name.size() > kMaxHeaderBytes ||
        !std::all_of(name.begin(), name.end(), is_name)) {
      errors.Add(kField,
                 "has a name that is no header's: letters, digits and -, such as X-Api-Key");
    }
    if (value.size() > kMaxHeaderBytes || !std::all_of(value.begin(), value.end(), is_text)) {
      errors.Add(kField, "has a value that is longer than 4096 bytes or not one line of text");
    }
  }
}

void CheckHttpSource(const v1::HttpTokenSource& http, FieldErrors& errors) {
  CheckSize("token_fetcher.http.url", http.url(), 1, kMaxUrlBytes, errors);
  const absl::StatusOr<net::Url> url = net::ParseUrl(http.url());
  if (!http.url().empty() && !url.ok()) {
    errors.Add("token_fetcher.http.url", MessageOf(url.status()));
  } else if (url.ok() && !http.url().starts_with("http")) {
    errors.Add("token_fetcher.http.url", "must begin with https:// or http://");
  }
  if (!http.method().empty() && http.method() != "POST" && http.method() != "GET") {
    errors.Add("token_fetcher.http.method", "must be POST or GET; leave it out for POST");
  }
  CheckHeaders(http.headers(), errors);
  CheckSize("token_fetcher.http.token_field", http.token_field(), 0, kMaxTokenFieldBytes, errors);
  if (http.has_timeout()) {
    CheckDuration("token_fetcher.http.timeout", http.timeout(), kMinFetchTimeout, kMaxFetchTimeout,
                  "must be 100 ms to 60 s; leave it out for 10 s", errors);
  }
}

void CheckFetcher(const v1::TokenFetcher& fetcher, FieldErrors& errors) {
  if (fetcher.has_initial_token()) {
    CheckSize("token_fetcher.initial_token", fetcher.initial_token(), 1, kMaxTokenBytes, errors);
  }
  switch (fetcher.source_case()) {
    case v1::TokenFetcher::kHttp:
      CheckHttpSource(fetcher.http(), errors);
      break;
    case v1::TokenFetcher::kProvider:
      CheckSize("token_fetcher.provider.provider_name", fetcher.provider().provider_name(), 0,
                kMaxIdBytes, errors);
      break;
    case v1::TokenFetcher::kFile: {
      const std::string& path = fetcher.file().path();
      CheckSize("token_fetcher.file.path", path, 1, kMaxPathBytes, errors);
      if (!path.empty() && (path.front() != '/' || path.find('\0') != std::string::npos)) {
        errors.Add("token_fetcher.file.path", "must be an absolute path: begin with /");
      }
      break;
    }
    case v1::TokenFetcher::SOURCE_NOT_SET:
      errors.Add("token_fetcher.source", "is required: set http, provider or file");
      break;
  }
}

upstream::TokenFetcher ToFetcher(const v1::TokenFetcher& fetcher) {
  if (fetcher.has_file()) return upstream::FileFetcher{fetcher.file().path()};
  if (fetcher.has_provider()) {
    return upstream::ProviderFetcher{fetcher.provider().provider_name()};
  }
  const v1::HttpTokenSource& source = fetcher.http();
  upstream::HttpFetcher http;
  http.url = source.url();
  if (!source.method().empty()) http.method = source.method();
  for (const auto& [name, value] : source.headers()) http.headers.emplace(name, Secret(value));
  http.token_field = source.token_field();
  if (source.has_timeout()) http.timeout = ToDuration(source.timeout()).value_or(http.timeout);
  return http;
}

session::CredentialKind KindOf(const v1::TokenFetcher& fetcher) {
  switch (fetcher.source_case()) {
    case v1::TokenFetcher::kFile:
      return session::CredentialKind::kFileFetcher;
    case v1::TokenFetcher::kProvider:
      return session::CredentialKind::kProviderFetcher;
    case v1::TokenFetcher::kHttp:
    case v1::TokenFetcher::SOURCE_NOT_SET:
      break;
  }
  return session::CredentialKind::kHttpFetcher;
}

v1::TokenQueryCause ToProto(upstream::TokenCause cause) {
  switch (cause) {
    case upstream::TokenCause::kRenewal:
      return v1::TOKEN_QUERY_CAUSE_RENEWAL;
    case upstream::TokenCause::kRefused:
      return v1::TOKEN_QUERY_CAUSE_REFUSED;
    case upstream::TokenCause::kFirst:
    case upstream::TokenCause::kExpired:
      break;
  }
  return v1::TOKEN_QUERY_CAUSE_FIRST;
}

}  // namespace

void CheckCredentials(const v1::CreateSessionRequest& request, FieldErrors& errors) {
  switch (request.credentials_case()) {
    case v1::CreateSessionRequest::kToken:
      CheckSize("token", request.token(), 1, kMaxTokenBytes, errors);
      break;
    case v1::CreateSessionRequest::kSigningKey: {
      const v1::SigningKey& key = request.signing_key();
      CheckSize("signing_key.secret_key", key.secret_key(), 1, kMaxSecretKeyBytes, errors);
      if (key.has_token_lifetime()) {
        CheckDuration("signing_key.token_lifetime", key.token_lifetime(), kMinTokenLifetime,
                      kMaxTokenLifetime, "must be 10 s to 24 h; leave it out for 30 minutes",
                      errors);
      }
      break;
    }
    case v1::CreateSessionRequest::kTokenFetcher:
      CheckFetcher(request.token_fetcher(), errors);
      break;
    case v1::CreateSessionRequest::kSignature:
    case v1::CreateSessionRequest::CREDENTIALS_NOT_SET:
      break;
  }
}

absl::Status Validate(const v1::SetMeRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  switch (request.me_case()) {
    case v1::SetMeRequest::kUser:
      CheckUserAttributes("user", request.user(), errors);
      break;
    case v1::SetMeRequest::kUserId:
      CheckId("user_id", request.user_id(), errors);
      break;
    case v1::SetMeRequest::ME_NOT_SET:
      errors.Add("me", "is required: set user or user_id");
      break;
  }
  return errors.ToStatus();
}

absl::Status Validate(const v1::SetTokenRequest& request) {
  FieldErrors errors;
  CheckSessionId("session_id", request.session_id(), errors);
  CheckSize("token", request.token(), 1, kMaxTokenBytes, errors);
  return errors.ToStatus();
}

absl::Status Validate(const v1::ProvideTokensRequest& request) {
  FieldErrors errors;
  switch (request.message_case()) {
    case v1::ProvideTokensRequest::kRegistration: {
      const v1::TokenRegistration& registration = request.registration();
      CheckSize("registration.provider_name", registration.provider_name(), 0, kMaxIdBytes, errors);
      if (static_cast<size_t>(registration.session_ids_size()) > kMaxSelectedIds) {
        errors.Add("registration.session_ids", "must have at most 1000 entries");
        break;
      }
      for (const std::string& id : registration.session_ids()) {
        CheckSessionId("registration.session_ids", id, errors);
      }
      break;
    }
    case v1::ProvideTokensRequest::kAnswer:
      CheckSize("answer.query_id", request.answer().query_id(), 0, kMaxQueryIdBytes, errors);
      // What is wrong with a token is told in a rejection.
      if (request.answer().outcome_case() == v1::TokenAnswer::OUTCOME_NOT_SET) {
        errors.Add("answer.outcome", "is required: set token or failure");
      }
      break;
    case v1::ProvideTokensRequest::MESSAGE_NOT_SET:
      errors.Add("message", "is required: set registration or answer");
      break;
  }
  return errors.ToStatus();
}

session::Credentials ToCredentials(const v1::CreateSessionRequest& request) {
  session::Credentials credentials;
  switch (request.credentials_case()) {
    case v1::CreateSessionRequest::kToken:
      credentials.kind = session::CredentialKind::kToken;
      credentials.secret = Secret(request.token());
      break;
    case v1::CreateSessionRequest::kSignature:
      credentials.kind = session::CredentialKind::kSignature;
      credentials.secret = Secret(request.signature());
      break;
    case v1::CreateSessionRequest::kSigningKey:
      credentials.kind = session::CredentialKind::kSigningKey;
      credentials.secret = Secret(request.signing_key().secret_key());
      if (request.signing_key().has_token_lifetime()) {
        credentials.token_lifetime =
            ToDuration(request.signing_key().token_lifetime()).value_or(credentials.token_lifetime);
      }
      break;
    case v1::CreateSessionRequest::kTokenFetcher:
      credentials.kind = KindOf(request.token_fetcher());
      credentials.fetcher = ToFetcher(request.token_fetcher());
      credentials.first_token = Secret(request.token_fetcher().initial_token());
      break;
    case v1::CreateSessionRequest::CREDENTIALS_NOT_SET:
      break;
  }
  return credentials;
}

v1::ProvideTokensResponse ToProto(const upstream::TokenBroker::Outbox& outbox) {
  v1::ProvideTokensResponse response;
  for (const upstream::TokenBroker::Query& query : outbox.queries) {
    v1::TokenQuery* proto = response.add_queries();
    proto->set_query_id(query.query_id);
    proto->set_session_id(query.member.session_id);
    proto->set_app_id(query.member.app_id);
    proto->set_user_id(query.member.user_id);
    proto->set_cause(ToProto(query.cause));
    *proto->mutable_deadline_time() = ToTimestamp(query.deadline);
  }
  for (const std::string& id : outbox.withdrawn) response.add_withdrawn_query_ids(id);
  for (const upstream::TokenBroker::Rejection& rejection : outbox.rejections) {
    v1::TokenRejection* proto = response.add_rejections();
    proto->set_query_id(rejection.query_id);
    proto->set_reason(ReasonOf(rejection.why));
    proto->set_reason_message(std::string(MessageOf(rejection.why)));
  }
  return response;
}

}  // namespace talkjsd::api
