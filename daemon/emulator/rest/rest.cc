#include "daemon/emulator/rest/rest.h"

#include <absl/strings/match.h>

#include <algorithm>
#include <array>

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/http/http_request.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/rest/call.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

using Path = std::vector<std::string>;

// All behave like the newest here.
constexpr std::array<std::string_view, 4> kVersions = {"2021-01-01", "2021-02-09", "2021-07-30",
                                                       "2024-01-01"};

absl::Status CheckVersion(std::string_view version) {
  if (std::find(kVersions.begin(), kVersions.end(), version) != kVersions.end()) {
    return absl::OkStatus();
  }
  return BadRequest("unknown API version; the newest is 2024-01-01");
}

absl::Status CheckBearer(const net::ServerRequest& request, const Authenticator& authenticator) {
  const std::string_view token = BearerTokenOf(request);
  if (token.empty()) {
    return Unauthorized("send the secret key or an app token: Authorization: Bearer ...");
  }
  return authenticator.CheckServer(token);
}

absl::StatusOr<RestParameters> ReadParameters(std::string_view query) {
  RestParameters parameters;
  while (!query.empty()) {
    const size_t end = query.find('&');
    std::string pair(query.substr(0, end));
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    std::replace(pair.begin(), pair.end(), '+', ' ');
    const size_t equals = pair.find('=');
    const auto name = wire::DecodeSegment(pair.substr(0, equals));
    const auto value =
        wire::DecodeSegment(equals == std::string::npos ? "" : pair.substr(equals + 1));
    if (!name || !value) return BadRequest("the query is not percent-encoded UTF-8");
    parameters[*name] = *value;
  }
  return parameters;
}

absl::StatusOr<json::value> ReadBody(const net::ServerRequest& request) {
  if (request.method == "GET" || request.body.empty()) return json::value(json::object());
  const std::string_view type = request.Header("Content-Type");
  if (!absl::StartsWithIgnoreCase({type.data(), type.size()}, "application/json")) {
    return BadRequest("the body must come with Content-Type: application/json");
  }
  auto body = wire::ParseJson(request.body);
  if (!body.ok()) return BadRequest("the body is not JSON");
  return body;
}

const RestRouter& Routes();

// --- batches ---

struct Operation {
  json::value number;  // any, as it came
  std::string method;
  std::string target;
  json::value payload = json::object();
  std::string version;
};

absl::StatusOr<Operation> ReadOperation(const json::value& value) {
  const json::array* parts = value.if_array();
  const bool well_formed = parts != nullptr && parts->size() >= 3 && parts->size() <= 5 &&
                           (*parts)[0].is_number() && (*parts)[1].is_string() &&
                           (*parts)[2].is_string() && (*parts)[2].get_string().starts_with('/');
  if (!well_formed) {
    return BadRequest("an operation is [number, \"METHOD\", \"/path\", payload?, options?]");
  }
  Operation operation;
  operation.number = (*parts)[0];
  operation.method = std::string((*parts)[1].get_string());
  operation.target = std::string((*parts)[2].get_string());
  if (parts->size() > 3 && !(*parts)[3].is_null()) operation.payload = (*parts)[3];
  if (parts->size() > 4 && !(*parts)[4].is_null()) {
    const json::object* options = (*parts)[4].if_object();
    if (options == nullptr) return BadRequest("an operation's options are an object");
    const json::value* version = options->if_contains("api_version");
    if (version != nullptr && !version->is_string()) {
      return BadRequest("api_version: expected text");
    }
    if (version != nullptr) operation.version = std::string(version->get_string());
  }
  return operation;
}

// A GET's payload takes the place of its query.
absl::Status AddParameters(const json::value& payload, RestParameters& parameters) {
  const json::object* object = payload.if_object();
  if (object == nullptr) return BadRequest("the payload of a GET is an object of texts");
  for (const auto& parameter : *object) {
    if (!parameter.value().is_string()) {
      return BadRequest("the payload of a GET is an object of texts");
    }
    parameters[std::string(parameter.key())] = std::string(parameter.value().get_string());
  }
  return absl::OkStatus();
}

RestResult Perform(App& app, const Operation& operation) {
  if (!operation.version.empty()) {
    if (auto status = CheckVersion(operation.version); !status.ok()) return status;
  }
  const std::string_view target = operation.target;
  const size_t question = target.find('?');
  auto path = wire::SplitPath(target.substr(0, question));
  if (!path) return BadRequest("the path is not percent-encoded UTF-8");
  if (*path == Path{"batch"} || *path == Path{"files"}) {
    return Refuse(404, "NOT_FOUND", "not available within a batch");
  }
  auto parameters = ReadParameters(
      question == std::string_view::npos ? std::string_view() : target.substr(question + 1));
  if (!parameters.ok()) return parameters.status();
  json::value body = operation.payload;
  if (operation.method == "GET") {
    if (auto status = AddParameters(operation.payload, *parameters); !status.ok()) return status;
    body = json::object();
  }
  RestCall call{app, {}, *parameters, body};
  return Routes().Route(operation.method, *path, call);
}

json::object EncodeError(const absl::Status& status) {
  return json::object{{"errorCode", RefusalOf(status).code}, {"reasons", ReasonsOf(status)}};
}

RestResult PerformBatch(const RestCall& call) {
  const auto list = BodyList(call, kMaxOperations);
  if (!list.ok()) return list.status();
  std::vector<Operation> operations;
  for (const json::value& value : **list) {
    auto operation = ReadOperation(value);
    if (!operation.ok()) return operation.status();
    operations.push_back(*std::move(operation));
  }
  json::array answers;
  for (const Operation& operation : operations) {
    const RestResult result = Perform(call.app, operation);
    // Clients hear of each by itself, as of single calls.
    call.app.Settle();
    const int status = result.ok() ? 200 : RefusalOf(result.status()).status;
    answers.push_back(
        json::array{operation.number, status,
                    result.ok() ? *result : json::value(EncodeError(result.status()))});
  }
  return json::value(std::move(answers));
}

RestRouter AllRoutes() {
  RestRouter router;
  AddRestUsers(router);
  AddRestConversations(router);
  AddRestParticipants(router);
  AddRestMessages(router);
  AddRestPresences(router);
  router.Add("POST", "batch", PerformBatch);
  return router;
}

const RestRouter& Routes() {
  static const RestRouter& routes = *new RestRouter(AllRoutes());
  return routes;
}

RestResult Answer(App& app, const net::ServerRequest& request, Path path, std::string_view query) {
  if (auto status = CheckBearer(request, app.authenticator()); !status.ok()) return status;
  const std::string_view version = request.Header("TalkJS-REST-Version");
  if (!version.empty()) {
    if (auto status = CheckVersion(version); !status.ok()) return status;
  }
  if (path.size() > 1 && path.back().empty()) path.pop_back();  // one trailing slash
  const auto parameters = ReadParameters(query);
  if (!parameters.ok()) return parameters.status();
  const auto body = ReadBody(request);
  if (!body.ok()) return body.status();
  RestCall call{app, {}, *parameters, *body};
  return Routes().Route(request.method, path, call);
}

}  // namespace

net::ServerResponse AnswerRest(App& app, const net::ServerRequest& request,
                               const std::vector<std::string>& path, std::string_view query) {
  const RestResult result = Answer(app, request, path, query);
  net::ServerResponse response;
  if (result.ok()) {
    response.body = json::serialize(*result);
    return response;
  }
  response.status = RefusalOf(result.status()).status;
  response.body = json::serialize(EncodeError(result.status()));
  return response;
}

}  // namespace talkjsd::emulator
