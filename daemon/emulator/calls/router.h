// Which function answers which call. For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_CALLS_ROUTER_H_
#define TALKJSD_EMULATOR_CALLS_ROUTER_H_

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/model/content.h"
#include "daemon/emulator/model/files.h"
#include "daemon/emulator/model/world.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

// One call of a logged-in user. `args` are the decoded segments that the pattern leaves open, in
// order.
struct Call {
  World& world;
  const ContentRules& content_rules;
  const FileStore& files;
  std::string_view caller;  // a user id: "me"
  std::vector<std::string> args;
  const wire::json::object& data;
};

using CallResult = absl::StatusOr<wire::json::object>;
using CallHandler = CallResult (*)(const Call& call);

// Immutable once built; thread-safe.
class Router {
 public:
  // All calls of the realtime protocol but those about the socket itself (login, ping,
  // subscriptions).
  static Router ForRealtime();

  // `pattern` is like "users/*/online": "*" matches any one segment.
  void Add(std::string_view method, std::string_view pattern, CallHandler handler);

  // 405 METHOD_NOT_ALLOWED for anything unknown. Fills call.args.
  CallResult Route(std::string_view method, const std::vector<std::string>& path, Call& call) const;

 private:
  struct Entry {
    std::string method;
    std::vector<std::string> pattern;
    CallHandler handler;
  };
  std::vector<Entry> entries_;
};

// By area.
void AddUserCalls(Router& router);
void AddConversationCalls(Router& router);
void AddParticipantCalls(Router& router);
void AddMessageCalls(Router& router);
void AddFileCalls(Router& router);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_CALLS_ROUTER_H_
