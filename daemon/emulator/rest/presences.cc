// The REST API's calls about who is connected, and looks at what.
#include <algorithm>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/rest/call.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// A socket, as servers see it: a chat on a screen if it holds the messages of a conversation.
struct Session {
  const Subscriber& socket;
  bool typing = false;

  const std::string& conversation() const { return socket.subscriptions().latest_messages(); }
  bool visible() const { return !conversation().empty(); }
};

std::vector<Session> SessionsOf(const RestCall& call, const std::string& user_id) {
  std::vector<Session> sessions;
  const bool types = call.world().IsTyping(user_id);
  for (const Subscriber* socket : call.app.publisher().SocketsOf(user_id)) {
    sessions.push_back({*socket, types});
  }
  return sessions;
}

RestResult GetSessions(const RestCall& call) {
  if (call.world().FindUser(call.args[0]) == nullptr) return UserNotFound();
  json::array sessions;
  for (const Session& session : SessionsOf(call, call.args[0])) {
    sessions.push_back(
        json::object{{"isTyping", session.typing}, {"currentConversationId", nullptr}});
  }
  return json::value(std::move(sessions));
}

struct PresenceQuery {
  std::optional<std::vector<std::string>> user_ids;
  wire::Patch<std::string> conversation;  // null: none selected
  std::optional<bool> focus;
  std::optional<bool> typing;
  bool background = false;

  bool Accepts(const Session& session) const {
    if (!background && !session.visible()) return false;
    if (conversation.present && session.conversation() != conversation.value.value_or("")) {
      return false;
    }
    if (focus && *focus != session.visible()) return false;
    return !typing || *typing == session.typing;
  }
};

absl::Status ReadFlag(const json::object& body, std::string_view name, std::optional<bool>& into) {
  const json::value* value = Find(body, name);
  if (value == nullptr || value->is_null()) return absl::OkStatus();
  if (!value->is_bool()) return BadField(name, "expected true or false");
  into = value->get_bool();
  return absl::OkStatus();
}

absl::StatusOr<PresenceQuery> ReadQuery(const json::object& body) {
  PresenceQuery query;
  if (const json::value* ids = Find(body, "userIds"); ids != nullptr && !ids->is_null()) {
    auto list = TextList(body, "userIds");
    if (!list.ok()) return list.status();
    query.user_ids = *std::move(list);
  }
  if (const json::value* selected = Find(body, "selectedConversationId")) {
    query.conversation = wire::Patch<std::string>::Null();
    if (selected->is_string()) {
      query.conversation.value = std::string(selected->get_string());
    } else if (!selected->is_null()) {
      return BadField("selectedConversationId", "expected text or null");
    }
  }
  std::optional<bool> background;
  for (const auto& [name, into] :
       {std::pair("hasFocus", &query.focus), std::pair("isTyping", &query.typing),
        std::pair("includeBackgroundSessions", &background)}) {
    if (auto status = ReadFlag(body, name, *into); !status.ok()) return status;
  }
  query.background = background.value_or(false);
  return query;
}

json::object EncodeSession(const Session& session) {
  json::object out;
  out["selectedConversationId"] =
      session.visible() ? json::value(session.conversation()) : json::value(nullptr);
  out["custom"] = json::object();
  out["hasFocus"] = session.visible();
  out["isTyping"] = session.typing;
  out["sessionId"] = session.socket.client_id();
  return out;
}

RestResult ListPresences(const RestCall& call) {
  const auto body = BodyObject(call);
  if (!body.ok()) return body.status();
  const auto query = ReadQuery(**body);
  if (!query.ok()) return query.status();
  json::object data;
  for (const std::string& user_id :
       query->user_ids.value_or(call.app.publisher().ConnectedUsers())) {
    json::array background;
    json::array widgets;
    for (const Session& session : SessionsOf(call, user_id)) {
      if (!query->Accepts(session)) continue;
      (session.visible() ? widgets : background).push_back(EncodeSession(session));
    }
    if (background.empty() && widgets.empty()) continue;
    data[user_id] = json::object{{"status", "online"},
                                 {"backgroundSessions", std::move(background)},
                                 {"widgets", std::move(widgets)}};
  }
  return json::value(json::object{{"data", std::move(data)}});
}

}  // namespace

void AddRestPresences(RestRouter& router) {
  router.Add("GET", "users/*/sessions", GetSessions);
  router.Add("POST", "presences", ListPresences);
}

}  // namespace talkjsd::emulator
