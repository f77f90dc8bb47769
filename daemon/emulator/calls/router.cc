#include "daemon/emulator/calls/router.h"

#include <absl/strings/str_split.h>

#include <algorithm>

#include "daemon/emulator/path_pattern.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
Router Router::ForRealtime() {
  Router router;
  AddUserCalls(router);
  AddConversationCalls(router);
  AddParticipantCalls(router);
  AddMessageCalls(router);
  AddFileCalls(router);
  return router;
}

void Router::Add(std::string_view method, std::string_view pattern, CallHandler handler) {
  entries_.push_back({std::string(method), absl::StrSplit(std::string(pattern), '/'), handler});
}

CallResult Router::Route(std::string_view method, const std::vector<std::string>& path,
                         Call& call) const {
  for (const Entry& entry : entries_) {
    if (entry.method != method || !MatchesPath(entry.pattern, path)) continue;
    call.args.clear();
    for (size_t i = 0; i < path.size(); ++i) {
      if (entry.pattern[i] == "*") call.args.push_back(path[i]);
    }
    return entry.handler(call);
  }
  return Refuse(405, "METHOD_NOT_ALLOWED", "there is no such call");
}

}  // namespace talkjsd::emulator
