#include "daemon/emulator/control/control.h"

#include <absl/strings/str_split.h>

#include <algorithm>

#include "daemon/base/error.h"
#include "daemon/emulator/model/encode.h"
#include "daemon/emulator/path_pattern.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr std::string_view kRoot = "/_emulator";
constexpr std::string_view kPrefix = "/_emulator/v1/";

CallResult Overview(const ControlCall& call) {
  json::object answer;
  answer["app_id"] = call.app.authenticator().app_id();
  answer["connections"] = call.app.connections().size();
  answer["users"] = call.app.world().user_count();
  answer["faults"] = call.app.faults().entries().size();
  answer["routes"] = ControlRoutes::All().List();
  return answer;
}

absl::StatusOr<json::object> ReadBody(const net::ServerRequest& request) {
  if (request.body.empty()) return json::object();
  auto body = wire::ParseJson(request.body, request.body.size());
  if (!body.ok())
    return BadRequest("the body is not JSON: " + std::string(MessageOf(body.status())));
  if (!body->is_object()) return BadRequest("the body must be a JSON object");
  return std::move(body->as_object());
}

CallResult Answer(App& app, const net::ServerRequest& request) {
  // A browser names the page that a request comes from; programs have no reason to.
  if (!request.Header("Origin").empty()) {
    return Refuse(403, "FORBIDDEN", "web pages may not use the control endpoint");
  }
  if (!request.target.starts_with(kPrefix)) {
    return Refuse(404, "NOT_FOUND", "the control endpoint is at /_emulator/v1/");
  }
  const std::string_view target = request.target;
  const auto path = wire::SplitPath(target.substr(0, target.find('?')).substr(kPrefix.size() - 1));
  if (!path) return BadRequest("the path is not percent-encoded UTF-8");
  const auto body = ReadBody(request);
  if (!body.ok()) return body.status();
  return ControlRoutes::All().Answer(app, request.method, *path, *body);
}

}  // namespace

const ControlRoutes& ControlRoutes::All() {
  static const ControlRoutes routes = [] {
    ControlRoutes all;
    all.Add("GET", "", "this overview", Overview);
    AddFaultRoutes(all);
    AddConnectionRoutes(all);
    AddClockRoutes(all);
    AddStateRoutes(all);
    return all;
  }();
  return routes;
}

void ControlRoutes::Add(std::string_view method, std::string_view pattern, std::string_view summary,
                        ControlHandler handler) {
  Route route{std::string(method), {}, std::string(kPrefix), std::string(summary), handler};
  if (!pattern.empty()) route.pattern = absl::StrSplit(std::string(pattern), '/');
  route.path.append(pattern);
  routes_.push_back(std::move(route));
}

CallResult ControlRoutes::Answer(App& app, std::string_view method,
                                 const std::vector<std::string>& path,
                                 const json::object& body) const {
  bool known_path = false;
  for (const Route& route : routes_) {
    if (!MatchesPath(route.pattern, path)) continue;
    known_path = true;
    if (route.method != method) continue;
    ControlCall call{app, {}, body};
    for (size_t i = 0; i < path.size(); ++i) {
      if (route.pattern[i] == "*") call.args.push_back(path[i]);
    }
    return route.handler(call);
  }
  if (known_path) return Refuse(405, "METHOD_NOT_ALLOWED", "this path does not take that method");
  return Refuse(404, "NOT_FOUND", "no such path; GET /_emulator/v1/ lists them");
}

json::array ControlRoutes::List() const {
  json::array list;
  for (const Route& route : routes_) {
    list.push_back(
        json::object{{"method", route.method}, {"path", route.path}, {"summary", route.summary}});
  }
  return list;
}

bool IsForControl(std::string_view target) {
  if (!target.starts_with(kRoot)) return false;
  target.remove_prefix(kRoot.size());
  return target.empty() || target.front() == '/' || target.front() == '?';
}

net::ServerResponse AnswerControl(App& app, const net::ServerRequest& request) {
  const CallResult answer =
      app.Perform(request.method != "GET", [&] { return Answer(app, request); });
  net::ServerResponse response;
  if (answer.ok()) {
    response.body = json::serialize(*answer);
    return response;
  }
  const Refusal refusal = RefusalOf(answer.status());
  response.status = refusal.status;
  response.body = json::serialize(EncodeRefusal(refusal));
  return response;
}

}  // namespace talkjsd::emulator
