#include "daemon/api/access/methods.h"

#include <cstdlib>

#include "daemon/base/log.h"

namespace talkjsd::api {
namespace {

constexpr std::string_view kSuffix = "Request";

// Acknowledge moves a position and DeleteSubscription removes one: both change the daemon. Opening
// a named subscription does, too (admit.cc).
constexpr Method kMethods[] = {
    {"SessionService", "CreateSession", Right::kCreate, false, true},
    {"SessionService", "GetSession", Right::kRead},
    {"SessionService", "ListSessions", Right::kRead},
    {"SessionService", "WatchSessions", Right::kRead, true},
    {"SessionService", "DestroySession", Right::kCreate},
    {"SessionService", "SetMe", Right::kCreate},
    {"SessionService", "SetToken", Right::kSupplyTokens},
    {"SessionService", "ProvideTokens", Right::kSupplyTokens, true},
    {"SessionService", "HasValidCredentials", Right::kRead},
    {"SessionService", "SetPushRegistration", Right::kWrite},
    {"SessionService", "UnsetPushRegistration", Right::kWrite},
    {"SessionService", "ClearPushRegistrations", Right::kWrite},
    {"UserService", "GetUser", Right::kWrite},
    {"UserService", "GetUserById", Right::kRead},
    // With only an id it reads; what else it may do is looked at in admit.cc.
    {"ConversationService", "GetConversation", Right::kRead},
    {"ConversationService", "ListConversations", Right::kRead},
    {"ConversationService", "MarkConversationRead", Right::kWrite},
    {"ConversationService", "MarkConversationUnread", Right::kWrite},
    {"MessageService", "SendMessage", Right::kWrite},
    {"MessageService", "ListMessages", Right::kRead},
    {"EventService", "StreamMessages", Right::kRead, true},
    {"EventService", "StreamUnreads", Right::kRead, true},
    {"EventService", "Acknowledge", Right::kWrite},
    {"EventService", "ListSubscriptions", Right::kRead},
    {"EventService", "DeleteSubscription", Right::kWrite},
    {"DaemonService", "GetInfo", Right::kRead},
};

}  // namespace

absl::Span<const Method> AllMethods() { return kMethods; }

const Method& MethodOfRequest(std::string_view request_name) {
  if (request_name.ends_with(kSuffix)) request_name.remove_suffix(kSuffix.size());
  for (const Method& method : kMethods) {
    if (method.name == request_name) return method;
  }
  LogError("a method has no entry in the table of methods", {{"method", request_name}});
  std::abort();
}

}  // namespace talkjsd::api
