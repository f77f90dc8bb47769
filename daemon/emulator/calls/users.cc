// Calls about users (realtime.md 6.2).
#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/calls/router.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

CallResult GetUsers(const Call& call) {
  const auto ids = TextList(call.data, "ids");
  if (!ids.ok()) return ids.status();
  if (ids->size() > kMaxUserIdsPerCall) return BadRequest("ids: at most 1000");
  json::object users;
  for (const std::string& id : *ids) {
    if (const UserRecord* user = call.world.FindUser(id)) users[id] = wire::EncodeUser(user->shown);
  }
  return users;
}

// One without a batch; the SDK makes no such call.
CallResult GetUser(const Call& call) {
  const UserRecord* user = call.world.FindUser(call.args[0]);
  if (user == nullptr) return UserNotFound();
  return wire::EncodeUser(user->shown);
}

CallResult PutUser(const Call& call) {
  const auto write = ReadUserWrite(call.data);
  if (!write.ok()) return write.status();
  if (auto status = call.world.PutUser(call.args[0], *write); !status.ok()) return status;
  return json::object();
}

CallResult CreateUser(const Call& call) {
  const auto write = ReadUserWrite(call.data);
  if (!write.ok()) return write.status();
  if (auto status = call.world.CreateUser(call.args[0], *write); !status.ok()) return status;
  return json::object();
}

CallResult GetOnline(const Call& call) {
  const auto connected = call.world.IsConnected(call.args[0]);
  if (!connected.ok()) return connected.status();
  return json::object{{"isConnected", *connected}};
}

}  // namespace

void AddUserCalls(Router& router) {
  router.Add("GET", "users", GetUsers);
  router.Add("GET", "users/*", GetUser);
  router.Add("PUT", "users/*", PutUser);
  router.Add("POST", "users/*", CreateUser);
  router.Add("GET", "users/*/online", GetOnline);
}

}  // namespace talkjsd::emulator
