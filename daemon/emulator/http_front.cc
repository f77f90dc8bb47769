#include "daemon/emulator/http_front.h"

#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/control/control.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/http/http_files.h"
#include "daemon/emulator/http/http_request.h"
#include "daemon/emulator/http/http_search.h"
#include "daemon/emulator/model/encode.h"
#include "daemon/emulator/realtime/connection.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/rest/rest.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

using Path = std::vector<std::string>;

// path: api, v0, app, ...
CallResult Internal(const net::ServerRequest& request, const Path& path, std::string_view query,
                    const App& app) {
  const Authenticator& authenticator = app.authenticator();
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
    const auto signature = QueryValue(query, "signature");
    if (!signature.ok()) return signature.status();
    const auto boken = authenticator.Boken(path[4], signature->value_or(""));
    if (!boken.ok()) return boken.status();
    return json::object{{"boken", json::string_view(boken->Expose())}};
  }
  const auto bearer = BearerOf(request, authenticator);
  if (!bearer.ok()) return bearer.status();
  return app.ui_settings();
}

net::ServerResponse AnswerInternal(App& app, const net::ServerRequest& request,
                                   const HttpTarget& target) {
  const CallResult answer = Internal(request, *target.path, target.query, app);
  if (!answer.ok()) return RefusalResponse(answer.status());
  net::ServerResponse response;
  response.body = json::serialize(*answer);
  return response;
}

// path: public_api, v1, app, ...
net::ServerResponse AnswerPublic(App& app, const net::ServerRequest& request,
                                 const HttpTarget& target) {
  if ((*target.path)[2] != app.authenticator().app_id()) {
    return RefusalResponse(Refuse(404, "APP_NOT_FOUND", "no such app"));
  }
  const Path rest(target.path->begin() + 3, target.path->end());
  if (!rest.empty() && rest[0] == "files") return AnswerFiles(app, request, rest);
  if (!rest.empty()) return AnswerRest(app, request, rest, target.query);
  return RefusalResponse(Refuse(404, "NOT_FOUND", "no such path"));
}

net::ServerResponse Answer(App& app, const net::ServerRequest& request) {
  const HttpTarget target = SplitTarget(request.target);
  if (!target.path) return RefusalResponse(BadRequest("the path is not percent-encoded UTF-8"));
  const Path& path = *target.path;
  if (path.size() >= 3 && path[0] == "api" && path[1] == "v0") {
    return AnswerInternal(app, request, target);
  }
  if (path.size() >= 3 && path[0] == "public_api" && path[1] == "v1") {
    return AnswerPublic(app, request, target);
  }
  return RefusalResponse(Refuse(404, "NOT_FOUND", "no such path"));
}

net::ServerResponse Preflight() {
  net::ServerResponse response;
  response.status = 204;
  response.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE");
  // Spelled out: a "*" would not cover Authorization.
  response.headers.emplace_back(
      "Access-Control-Allow-Headers",
      "Authorization, Content-Type, x-talkjs-client-build, x-talkjs-client-date");
  response.headers.emplace_back("Access-Control-Max-Age", "600");
  return response;
}

net::ServerResponse ForAnyOrigin(net::ServerResponse response) {
  response.headers.emplace_back("Access-Control-Allow-Origin", "*");
  return response;
}

// Answers if it is for "/public_api/v1/{app}/me/...": searches change nothing.
bool Search(App& app, const net::ServerRequest& request, size_t slice,
            const net::HttpServer::Respond& respond) {
  const HttpTarget target = SplitTarget(request.target);
  const bool search = target.path && target.path->size() > 3 && (*target.path)[0] == "public_api" &&
                      (*target.path)[1] == "v1" &&
                      (*target.path)[2] == app.authenticator().app_id() &&
                      (*target.path)[3] == "me";
  if (!search) return false;
  const Path path(target.path->begin() + 3, target.path->end());
  AnswerMe(app, request, path, target.query, slice,
           [respond](net::ServerResponse response) { respond(ForAnyOrigin(std::move(response))); });
  return true;
}

}  // namespace

void HttpFront::Respond(net::ServerRequest request, net::HttpServer::Respond respond) {
  if (request.method == "OPTIONS" || !Search(app_, request, kSearchSlice, respond)) {
    respond(RespondNow(request));
  }
}

net::ServerResponse HttpFront::RespondNow(const net::ServerRequest& request) {
  if (IsForControl(request.target)) return AnswerControl(app_, request);
  if (request.method == "OPTIONS") return ForAnyOrigin(Preflight());
  net::ServerResponse response;
  const auto take = [&response](net::ServerResponse found) { response = std::move(found); };
  if (Search(app_, request, SIZE_MAX, take)) return response;
  response = app_.Perform(
      request.method != "GET", [&] { return Answer(app_, request); }, RefusalResponse);
  return ForAnyOrigin(std::move(response));
}

net::ServerResponse HttpFront::Refuse(int status, std::string_view reason) {
  const std::string code = status == 413 ? "TOO_LARGE" : "BAD_REQUEST";
  net::ServerResponse response;
  response.status = status;
  response.body = json::serialize(EncodeRefusal({status, code, std::string(reason)}));
  return ForAnyOrigin(std::move(response));
}

size_t HttpFront::BodyLimit(const net::ServerRequest& head) const {
  if (IsForControl(head.target)) return kMaxSnapshotBytes;
  const HttpTarget target = SplitTarget(head.target);
  const bool upload = head.method == "POST" && target.path && target.path->size() == 4 &&
                      (*target.path)[0] == "public_api" && (*target.path)[1] == "v1" &&
                      (*target.path)[2] == app_.authenticator().app_id() &&
                      (*target.path)[3] == "files";
  return upload ? kMaxUploadBytes : kMaxFrameBytes;
}

std::unique_ptr<net::ServerSocketHandler> HttpFront::Upgrade(const net::ServerRequest& request) {
  const HttpTarget target = SplitTarget(request.target);
  if (!target.path || target.path->size() != 5) return nullptr;
  const Path& path = *target.path;
  if (path[0] != "public_api" || path[1] != "v1" || path[3] != "realtime") return nullptr;
  const auto client_id = QueryValue(target.query, "talkjs-client-id");
  return std::make_unique<Connection>(app_, path[4], path[2] == app_.authenticator().app_id(),
                                      client_id.ok() ? client_id->value_or("") : "");
}

}  // namespace talkjsd::emulator
