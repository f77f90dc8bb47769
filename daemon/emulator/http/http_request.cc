#include "daemon/emulator/http/http_request.h"

#include <algorithm>

#include "daemon/emulator/model/encode.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/json.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {

HttpTarget SplitTarget(std::string_view target) {
  const size_t question = target.find('?');
  HttpTarget result;
  result.path = wire::SplitPath(target.substr(0, question));
  if (question != std::string_view::npos) result.query = target.substr(question + 1);
  return result;
}

absl::StatusOr<std::optional<std::string>> QueryValue(std::string_view query,
                                                      std::string_view name) {
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    std::string text(pair.substr(equals + 1));
    std::replace(text.begin(), text.end(), '+', ' ');
    std::optional<std::string> value = wire::DecodeSegment(text);
    if (!value) return BadRequest(std::string(name) + ": expected percent-encoded UTF-8");
    return value;
  }
  return std::optional<std::string>();
}

std::string_view BearerTokenOf(const net::ServerRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view token = request.Header("Authorization");
  if (!token.starts_with(kScheme)) return {};
  token.remove_prefix(kScheme.size());
  return token;
}

absl::StatusOr<Authenticator::Login> BearerOf(const net::ServerRequest& request,
                                              const Authenticator& authenticator) {
  const std::string_view token = BearerTokenOf(request);
  if (token.empty()) return Unauthorized("no bearer token");
  auto login = authenticator.CheckAnyUser(token);
  // Here a token that cannot be read is one more that does not count.
  if (!login.ok()) return Unauthorized(RefusalOf(login.status()).reason);
  return login;
}

net::ServerResponse RefusalResponse(const absl::Status& status) {
  const Refusal refusal = RefusalOf(status);
  net::ServerResponse response;
  response.status = refusal.status;
  response.body = wire::json::serialize(EncodeRefusal(refusal));
  return response;
}

}  // namespace talkjsd::emulator
