#include "daemon/emulator/http_front.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/connection.h"
#include "daemon/emulator/control.h"
#include "daemon/emulator/encode.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/json.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

using Path = std::vector<std::string>;

struct Target {
  std::optional<Path> path;  // nullopt: not decodable
  std::string_view query;
};

Target SplitTarget(std::string_view target) {
  const size_t question = target.find('?');
  Target result;
  result.path = wire::SplitPath(target.substr(0, question));
  if (question != std::string_view::npos) result.query = target.substr(question + 1);
  return result;
}

// The decoded value of a query parameter; empty if absent or not decodable.
std::string QueryValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
      return wire::DecodeSegment(pair.substr(equals + 1)).value_or("");
    }
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
  }
  return "";
}

CallResult Bearer(const net::ServerRequest& request, const Authenticator& authenticator) {
  constexpr std::string_view kScheme = "Bearer ";
  std::string_view token = request.Header("Authorization");
  if (!token.starts_with(kScheme)) return Unauthorized("no bearer token");
  token.remove_prefix(kScheme.size());
  const auto login = authenticator.CheckAnyUser(token);
  // Here a token that cannot be read is one more that does not count.
  if (!login.ok()) return Unauthorized(RefusalOf(login.status()).reason);
  return json::object();
}

json::object Settings(const std::string& app_id) {
  return json::object{{"appMetadata", json::object{{"id", app_id},
                                                   {"name", app_id},
                                                   {"defaultLocale", "en-US"},
                                                   {"custom", json::object()}}},
                      {"features", json::array{"location_sharing", "search_in_conv"}},
                      {"configuration", json::object()}};
}

// path: api, v0, app, ...
CallResult Internal(const net::ServerRequest& request, const Path& path, std::string_view query,
                    const Authenticator& authenticator) {
  if (path[2] != authenticator.app_id()) return Refuse(404, "APP_NOT_FOUND", "no such app");
  const bool app_check = path.size() == 3;
  const bool bokens = path.size() == 5 && path[3] == "bokens";
  const bool settings = (path.size() == 5 && path[3].empty() && path[4] == "app") ||
                        (path.size() == 4 && path[3] == "app");
  if (!app_check && !bokens && !settings) return Refuse(404, "NOT_FOUND", "no such path");
  if (request.method != "GET") {
    return Refuse(405, "METHOD_NOT_ALLOWED", "this path does not take that method");
  }
  if (app_check) return json::object();
  if (bokens) {
    const auto boken = authenticator.Boken(path[4], QueryValue(query, "signature"));
    if (!boken.ok()) return boken.status();
    return json::object{{"boken", json::string_view(boken->Expose())}};
  }
  const CallResult bearer = Bearer(request, authenticator);
  if (!bearer.ok()) return bearer.status();
  return Settings(authenticator.app_id());
}

CallResult Answer(const net::ServerRequest& request, const Authenticator& authenticator) {
  const Target target = SplitTarget(request.target);
  if (!target.path) return BadRequest("the path is not percent-encoded UTF-8");
  const Path& path = *target.path;
  if (path.size() >= 3 && path[0] == "api" && path[1] == "v0") {
    return Internal(request, path, target.query, authenticator);
  }
  return Refuse(404, "NOT_FOUND", "no such path");
}

}  // namespace

net::ServerResponse HttpFront::Respond(const net::ServerRequest& request) {
  if (IsForControl(request.target)) return AnswerControl(app_, request);
  net::ServerResponse response;
  response.headers = {{"Access-Control-Allow-Origin", "*"}};
  if (request.method == "OPTIONS") {
    response.status = 204;
    response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE");
    // Spelled out: a "*" would not cover Authorization.
    response.headers.emplace_back(
        "Access-Control-Allow-Headers",
        "Authorization, Content-Type, x-talkjs-client-build, x-talkjs-client-date");
    response.headers.emplace_back("Access-Control-Max-Age", "600");
    return response;
  }
  const CallResult answer = Answer(request, app_.authenticator());
  app_.Settle();
  if (answer.ok()) {
    response.body = json::serialize(*answer);
    return response;
  }
  const Refusal refusal = RefusalOf(answer.status());
  response.status = refusal.status;
  response.body = json::serialize(EncodeRefusal(refusal));
  return response;
}

std::unique_ptr<net::ServerSocketHandler> HttpFront::Upgrade(const net::ServerRequest& request) {
  const Target target = SplitTarget(request.target);
  if (!target.path || target.path->size() != 5) return nullptr;
  const Path& path = *target.path;
  if (path[0] != "public_api" || path[1] != "v1" || path[3] != "realtime") return nullptr;
  return std::make_unique<Connection>(app_, path[4], path[2] == app_.authenticator().app_id(),
                                      QueryValue(target.query, "talkjs-client-id"));
}

}  // namespace talkjsd::emulator
