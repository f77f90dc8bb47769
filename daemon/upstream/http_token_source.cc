#include "daemon/upstream/http_token_source.h"

#include <absl/strings/match.h>

#include <boost/json.hpp>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/net/url.h"
#include "daemon/upstream/loop_fetch.h"
#include "daemon/upstream/token_check.h"
#include "daemon/wire/json.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace json = boost::json;
namespace v1 = talkjs::sidecar::v1;

// A token may stand among other things in a JSON answer.
constexpr size_t kMaxAnswerBytes = 64 << 10;

absl::Status Trouble(v1::ErrorReason reason, std::string_view message) {
  return MakeError(absl::StatusCode::kFailedPrecondition, reason, message);
}

// "the token endpoint https://host:443"
std::string NameOf(const HttpFetcher& fetcher) {
  const absl::StatusOr<net::Url> url = net::ParseUrl(fetcher.url);
  std::string name = "the token endpoint";
  if (!url.ok()) return name;
  name.append(url->tls ? " https://" : " http://");
  const bool is_v6 = url->host.find(':') != std::string::npos;
  name.append(is_v6 ? "[" + url->host + "]" : url->host);
  name.append(":").append(std::to_string(url->port));
  return name;
}

// Many a framework calls a bare token "text/html"; no page is without "<" or white space.
bool IsHtml(const net::HttpResponse& response, std::string_view body) {
  if (body.front() == '<') return true;
  return absl::StrContains(response.content_type, "html") && body.front() != '{' &&
         body.find_first_of(" \t\r\n<") != std::string_view::npos;
}

// `field` is a path: "data.token".
absl::StatusOr<Secret> ReadField(std::string_view body, std::string_view field,
                                 const std::string& name) {
  const auto unreadable = [&](std::string_view what) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE,
                   name + std::string(what) + ": check token_field and what the endpoint answers");
  };
  const absl::StatusOr<json::value> parsed = wire::ParseJson(body, kMaxAnswerBytes);
  if (!parsed.ok()) return unreadable(" did not answer JSON");
  const json::value* value = &*parsed;
  for (std::string_view rest = field; value != nullptr;) {
    const size_t dot = rest.find('.');
    const std::string_view key = rest.substr(0, dot);
    value = value->is_object()
                ? value->get_object().if_contains(json::string_view(key.data(), key.size()))
                : nullptr;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  if (value == nullptr) return unreadable(" answered JSON without the field of token_field");
  if (!value->is_string()) return unreadable(" answered something else than a string as token");
  const json::string& text = value->get_string();
  return Secret(std::string(TrimSpace(std::string_view(text.data(), text.size()))));
}

absl::Status ReasonOfFailure(const absl::Status& error) {
  const std::string message =
      std::string("asking for a token: ").append(MessageOf(error)).append("; trying again");
  if (net::IsTlsError(error)) return Trouble(v1::ERROR_REASON_TOKEN_FETCH_TLS, message);
  switch (error.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      return Trouble(v1::ERROR_REASON_TOKEN_FETCH_TIMEOUT, message);
    case absl::StatusCode::kResourceExhausted:
      return Trouble(v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE, message);
    default:
      return Trouble(v1::ERROR_REASON_TOKEN_FETCH_FAILED, message);
  }
}

class HttpTokenSource : public TokenSource {
 public:
  HttpTokenSource(HttpFetcher fetcher, TokenOwner owner, net::EventLoop& loop,
                  net::HttpClient& http)
      : fetcher_(std::move(fetcher)), owner_(std::move(owner)), fetch_(loop, http) {}

  void Get(const NeedToken&, Done done) override {
    fetch_.Start(TokenRequest(fetcher_, owner_.app_id, owner_.user_id),
                 [this, done = std::move(done)](const absl::StatusOr<net::HttpResponse>& response) {
                   done(Read(response));
                 });
  }

 private:
  TokenResult Read(const absl::StatusOr<net::HttpResponse>& response) const {
    TokenResult result;
    result.kind = TokenResult::Kind::kTrouble;
    absl::StatusOr<Secret> token = ReadTokenResponse(fetcher_, response);
    if (!token.ok()) {
      result.why = token.status();
      return result;
    }
    const absl::Status checked = CheckFetchedToken(token->Expose(), owner_.app_id, owner_.user_id,
                                                   owner_.clock.WallMillis());
    if (!checked.ok()) {
      result.why = WithContext(checked, "in the answer of " + NameOf(fetcher_));
      return result;
    }
    result.kind = TokenResult::Kind::kToken;
    result.expires_at = TokenExpiry(token->Expose());
    result.token = *std::move(token);
    return result;
  }

  const HttpFetcher fetcher_;
  const TokenOwner owner_;
  LoopFetch fetch_;
};

}  // namespace

net::HttpRequest TokenRequest(const HttpFetcher& fetcher, std::string_view app_id,
                              std::string_view user_id) {
  net::HttpRequest request;
  request.method = fetcher.method;
  request.url = fetcher.url;
  request.timeout = fetcher.timeout;
  request.max_response_bytes = kMaxAnswerBytes;
  bool has_type = false;
  for (const auto& [name, value] : fetcher.headers) {
    std::string header(name);
    header.append(": ").append(value.Expose());
    request.headers.push_back(std::move(header));
    has_type = has_type || absl::EqualsIgnoreCase(name, "content-type");
  }
  if (fetcher.method == "GET") {
    request.url.append(request.url.find('?') == std::string::npos ? "?" : "&")
        .append("app_id=")
        .append(wire::EncodeSegment(app_id))
        .append("&user_id=")
        .append(wire::EncodeSegment(user_id));
    return request;
  }
  if (!has_type) request.headers.push_back("Content-Type: application/json");
  json::object body;
  body["app_id"] = json::string_view(app_id.data(), app_id.size());
  body["user_id"] = json::string_view(user_id.data(), user_id.size());
  request.body = json::serialize(body);
  return request;
}

absl::StatusOr<Secret> ReadTokenResponse(const HttpFetcher& fetcher,
                                         const absl::StatusOr<net::HttpResponse>& response) {
  if (!response.ok()) return ReasonOfFailure(response.status());
  const std::string name = NameOf(fetcher);
  const int status = response->status;
  if (status >= 300 && status < 400) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_REDIRECTED,
                   name + " answered with a redirect (" + std::to_string(status) +
                       "), which is not followed: give the address that it leads to");
  }
  if (status < 200 || status >= 300) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_HTTP_STATUS,
                   name + " answered " + std::to_string(status) +
                       (status == 401 || status == 403 ? ": check the headers; " : "; ") +
                       "trying again");
  }
  const std::string_view body = TrimSpace(response->body);
  if (body.empty()) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_EMPTY,
                   name + " answered with nothing: it should answer 200 with a token");
  }
  if (IsHtml(*response, body)) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_HTML,
                   name +
                       " answered an HTML page: check its address, and whether a proxy or a "
                       "login page stands before it");
  }
  absl::StatusOr<Secret> token = Secret(std::string(body));
  if (!fetcher.token_field.empty()) token = ReadField(body, fetcher.token_field, name);
  if (!token.ok()) return token.status();
  if (fetcher.token_field.empty() && (body.front() == '{' || body.front() == '"')) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_UNREADABLE,
                   name +
                       " answered JSON: say in token_field where the token is, or have it "
                       "answer the bare token");
  }
  if (token->empty()) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_EMPTY, name + " answered with an empty token");
  }
  if (token->Expose().size() > kMaxTokenBytes) {
    return Trouble(v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE,
                   name + " answered with more than 16 KiB, which is no token");
  }
  return token;
}

std::unique_ptr<TokenSource> MakeHttpTokenSource(HttpFetcher fetcher, TokenOwner owner,
                                                 net::EventLoop& loop, net::HttpClient& http) {
  return std::make_unique<HttpTokenSource>(std::move(fetcher), std::move(owner), loop, http);
}

}  // namespace talkjsd::upstream
