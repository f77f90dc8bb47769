// The REST API's calls about users.
#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/rest/call.h"
#include "daemon/emulator/rest/json.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// One address or number counts as a list of one.
void MakeList(json::object& body, const char* name) {
  json::value* value = body.if_contains(name);
  if (value != nullptr && value->is_string()) *value = json::array{*value};
}

absl::StatusOr<UserWrite> ReadUser(const World& world, const std::string& id,
                                   const json::value& given) {
  if (!given.is_object()) return BadRequest("expected an object");
  json::object body = given.get_object();
  MakeList(body, "email");
  MakeList(body, "phone");
  // The name of `role` in older versions.
  if (body.contains("configuration") && !body.contains("role")) {
    body["role"] = body.at("configuration");
  }
  auto write = ReadUserWrite(body);
  if (!write.ok()) return write.status();
  if (const json::value* text = Find(body, "availabilityText")) {
    if (!text->is_null() && !text->is_string()) {
      return BadField("availabilityText", "expected text or null");
    }
    write->availability_text = wire::Patch<std::string>::Null();
    if (text->is_string()) write->availability_text.value = std::string(text->get_string());
  }
  if (!write->name && world.FindUser(id) == nullptr) return BadField("name", "is required");
  return write;
}

RestResult PutUser(const RestCall& call) {
  const auto write = ReadUser(call.world(), call.args[0], call.body);
  if (!write.ok()) return write.status();
  return Done(call.world().PutUser(call.args[0], *write));
}

RestResult PutUsers(const RestCall& call) {
  const auto body = BodyObject(call);
  if (!body.ok()) return body.status();
  if ((*body)->size() > kMaxRestUsers) return BadRequest("the body: expected 100 users at most");
  std::map<std::string, UserWrite> writes;
  json::object wrong;
  for (const auto& user : **body) {
    const std::string id(user.key());
    auto write = ReadUser(call.world(), id, user.value());
    if (write.ok()) {
      writes[id] = *std::move(write);
    } else {
      wrong[id] = ReasonsOf(write.status());
    }
  }
  if (!wrong.empty()) {
    return WithReasons(BadRequest("some users are not valid; none was stored"), wrong);
  }
  for (const auto& [id, write] : writes) {
    if (auto status = call.world().PutUser(id, write); !status.ok()) return status;
  }
  return Done(absl::OkStatus());
}

RestResult GetUser(const RestCall& call) {
  const UserRecord* user = call.world().FindUser(call.args[0]);
  if (user == nullptr) return UserNotFound();
  return json::value(EncodeRestUser(*user));
}

RestResult ListUsers(const RestCall& call) {
  const auto limit = LimitOf(call);
  if (!limit.ok()) return limit.status();
  const auto online = FlagOf(call, "isOnline");
  if (!online.ok()) return online.status();
  std::optional<ListPosition> after;
  if (const auto id = TextOf(call, "startingAfter")) {
    const UserRecord* last = call.world().FindUser(*id);
    if (last == nullptr) return BadField("startingAfter", "is not the id of a user");
    after = ListPosition(last->created_at, *id);
  }
  std::vector<ListPosition> all;
  for (const auto& [id, user] : call.world().users()) {
    if (*online && call.world().IsConnected(id).value_or(false) != **online) continue;
    all.emplace_back(user.created_at, id);
  }
  json::array items;
  for (const ListPosition& one : PageOf(std::move(all), false, *limit, after)) {
    items.push_back(EncodeRestUser(*call.world().FindUser(one.second)));
  }
  return EncodeList(std::move(items));
}

}  // namespace

void AddRestUsers(RestRouter& router) {
  router.Add("PUT", "users", PutUsers);
  router.Add("GET", "users", ListUsers);
  router.Add("PUT", "users/*", PutUser);
  router.Add("GET", "users/*", GetUser);
}

}  // namespace talkjsd::emulator
