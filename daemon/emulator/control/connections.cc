#include <algorithm>
#include <vector>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/control/control.h"
#include "daemon/emulator/faults/fault_json.h"
#include "daemon/emulator/realtime/connection.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr int64_t kMaxMillis = 24 * 60 * 60 * 1000;

CallResult ListConnections(const ControlCall& call) {
  json::array list;
  for (const auto& [id, connection] : call.app.connections()) {
    list.push_back(json::object{{"id", id},
                                {"user", connection->user_id()},
                                {"client_id", connection->client_id()},
                                {"since", connection->opened_at()},
                                {"logged_in", connection->logged_in()},
                                {"subscriptions", connection->subscription_count()},
                                {"state", json::string_view(connection->state())}});
  }
  return json::object{{"connections", std::move(list)}};
}

// Those that the body names by exactly one of "id", "user" (a glob) and "all".
absl::StatusOr<std::vector<Connection*>> Chosen(const ControlCall& call,
                                                std::vector<std::string_view> parameters) {
  for (const auto& member : call.body) {
    const std::string_view name(member.key());
    const bool chooses = name == "id" || name == "user" || name == "all";
    if (chooses || std::find(parameters.begin(), parameters.end(), name) != parameters.end()) {
      continue;
    }
    return BadRequest("unknown property: " + std::string(name.substr(0, 100)));
  }
  const auto id = ReadWhole(call.body, "id", 1, INT64_MAX);
  if (!id.ok()) return id.status();
  const auto user = ReadText(call.body, "user");
  if (!user.ok()) return user.status();
  const auto all = ReadFlag(call.body, "all");
  if (!all.ok()) return all.status();
  if (static_cast<int>(id->has_value()) + static_cast<int>(user->has_value()) +
          static_cast<int>(*all) !=
      1) {
    return BadRequest("name the connections: one of id, user (a pattern) and \"all\": true");
  }
  std::vector<Connection*> chosen;
  for (const auto& [number, connection] : call.app.connections()) {
    if (*all || (id->has_value() && **id == number) ||
        (user->has_value() && GlobMatches(**user, connection->user_id()))) {
      chosen.push_back(connection);
    }
  }
  if (id->has_value() && chosen.empty()) {
    return Refuse(404, "CONNECTION_NOT_FOUND", "there is no open connection with that id");
  }
  return chosen;
}

json::object Count(const std::vector<Connection*>& chosen) {
  return json::object{{"connections", chosen.size()}};
}

template <typename Action>
CallResult ForChosen(const ControlCall& call, Action action) {
  const auto chosen = Chosen(call, {});
  if (!chosen.ok()) return chosen.status();
  for (Connection* connection : *chosen) action(*connection);
  return Count(*chosen);
}

CallResult Close(const ControlCall& call) {
  const auto chosen = Chosen(call, {"code", "reason"});
  if (!chosen.ok()) return chosen.status();
  const auto how = ReadClose(call.body);
  if (!how.ok()) return how.status();
  for (Connection* connection : *chosen) connection->Close(how->code, how->reason);
  return Count(*chosen);
}

CallResult Drop(const ControlCall& call) {
  const auto chosen = Chosen(call, {"reset"});
  if (!chosen.ok()) return chosen.status();
  const auto reset = ReadFlag(call.body, "reset");
  if (!reset.ok()) return reset.status();
  for (Connection* connection : *chosen) connection->Drop(*reset);
  return Count(*chosen);
}

CallResult Expire(const ControlCall& call) {
  return ForChosen(call, [](Connection& connection) { connection.ExpireSession(); });
}

CallResult HalfOpen(const ControlCall& call) {
  return ForChosen(call, [](Connection& connection) { connection.HalfOpen(); });
}

CallResult Resume(const ControlCall& call) {
  return ForChosen(call, [](Connection& connection) { connection.Resume(); });
}

CallResult Stall(const ControlCall& call) {
  const auto chosen = Chosen(call, {"ms"});
  if (!chosen.ok()) return chosen.status();
  const auto millis = ReadWhole(call.body, "ms", 1, kMaxMillis);
  if (!millis.ok()) return millis.status();
  const std::chrono::milliseconds time(millis->value_or(kMaxMillis));
  for (Connection* connection : *chosen) connection->Stall(time);
  return Count(*chosen);
}

CallResult Restart(const ControlCall& call) {
  const auto chosen = Chosen(call, {"ms"});
  if (!chosen.ok()) return chosen.status();
  const auto millis = ReadWhole(call.body, "ms", 1, kMaxMillis);
  if (!millis.ok()) return millis.status();
  const std::chrono::milliseconds time(millis->value_or(kRestartMillis));
  for (Connection* connection : *chosen) connection->AnnounceRestart(time);
  return Count(*chosen);
}

}  // namespace

void AddConnectionRoutes(ControlRoutes& routes) {
  routes.Add("GET", "connections", "the open realtime sockets", ListConnections);
  routes.Add("POST", "connections/close", "close with \"code\" and \"reason\"", Close);
  routes.Add("POST", "connections/drop", "cut the TCP connection, with \"reset\" by a reset", Drop);
  routes.Add("POST", "connections/expire", "send session.expired, and void the login", Expire);
  routes.Add("POST", "connections/stall", "hold up both directions for \"ms\"", Stall);
  routes.Add("POST", "connections/half-open", "let all frames vanish, until resume", HalfOpen);
  routes.Add("POST", "connections/resume", "end stall and half-open", Resume);
  routes.Add("POST", "connections/restart", "announce a restart, and cut \"ms\" later", Restart);
}

}  // namespace talkjsd::emulator
