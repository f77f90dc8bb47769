#include "daemon/emulator/model/encode.h"

#include <algorithm>

#include "daemon/emulator/decisions.h"
#include "daemon/wire/frame.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

json::object EncodeTimes(const std::map<std::string, UnixMillis>& others) {
  json::object users;
  for (const auto& [user_id, since] : others) users[user_id] = since;
  return users;
}

}  // namespace

json::object EncodeRefusal(const Refusal& refusal) {
  return wire::EncodeErrorData(refusal.code, {refusal.reason});
}

json::object EncodeTyping(const std::map<std::string, UnixMillis>& others) {
  if (others.size() > kMaxTypingListed) return json::object{{"many", true}};
  return json::object{{"many", false}, {"usersTyping", EncodeTimes(others)}};
}

std::optional<json::object> EncodeTypingDiff(const std::map<std::string, UnixMillis>& others,
                                             const std::string& user_id,
                                             std::optional<UnixMillis> since) {
  const bool many = others.size() > kMaxTypingListed;
  const size_t before = since ? others.size() - 1 : others.size() + 1;
  const bool were_many = before > kMaxTypingListed;
  if (many && were_many) return std::nullopt;
  if (many) return json::object{{"many", true}};
  if (were_many) return EncodeTyping(others);
  json::object users;
  if (since) {
    users[user_id] = *since;
  } else {
    users[user_id] = nullptr;
  }
  return json::object{{"usersTyping", std::move(users)}};
}

json::value EncodeReaction(const MessageRecord& record, const std::string& emoji,
                           std::string_view viewer) {
  const auto found = record.reactions.find(emoji);
  if (found == record.reactions.end()) return nullptr;
  const auto& users = found->second.users;
  const bool mine = std::any_of(users.begin(), users.end(),
                                [&](const auto& one) { return one.user_id == viewer; });
  return json::object{{"count", users.size()},
                      {"currentUserReacted", mine},
                      {"createdAt", found->second.created_at}};
}

}  // namespace talkjsd::emulator
