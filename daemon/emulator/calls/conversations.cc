// Calls about conversations, one's own side of them, and typing (realtime.md 6.3 and 6.6).
#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/calls/router.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/encode.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

CallResult Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return json::object();
}

CallResult CreateConversation(const Call& call) {
  const auto write = ReadConversationWrite(call.data);
  if (!write.ok()) return write.status();
  return Done(call.world.CreateConversation(call.args[0], *write));
}

CallResult PutConversation(const Call& call) {
  const auto write = ReadConversationWrite(call.data);
  if (!write.ok()) return write.status();
  return Done(call.world.PutConversation(call.args[0], *write));
}

CallResult GetConversation(const Call& call) {
  const auto side = call.world.GetConversation(call.caller, call.args[0]);
  if (!side.ok()) return side.status();
  return wire::EncodeConversation(*side);
}

CallResult ListConversations(const Call& call) {
  const auto limit = ReadLimit(call.data, kConversationPage, kMaxConversationPage);
  if (!limit.ok()) return limit.status();
  const auto after = ReadTimeAndId(call.data);
  if (!after.ok()) return after.status();
  // A cursor brings its filter along.
  json::value filter_json = json::object();
  if (const json::value* given = Find(call.data, "filter")) filter_json = *given;
  if (after->has_value()) {
    const auto cursor = ReadCursor(call.data);
    if (!cursor.ok()) return cursor.status();
    if ((*cursor)->size() > 2) filter_json = (**cursor)[2];
  }
  const auto filter = ConversationFilter::Parse(filter_json);
  if (!filter.ok()) return filter.status();
  const auto page = call.world.ListConversations(call.caller, *filter, *limit, *after);
  if (!page.ok()) return page.status();
  json::array items;
  json::array last;
  for (const wire::Conversation& side : page->items) {
    items.push_back(wire::EncodeConversation(side));
    last = {side.last_message_at, side.id, filter_json};
  }
  return EncodePage(std::move(items), page->more, last);
}

CallResult MarkRead(const Call& call) {
  return Done(call.world.MarkRead(call.caller, call.args[0]));
}

CallResult MarkUnread(const Call& call) {
  return Done(call.world.MarkUnread(call.caller, call.args[0]));
}

CallResult MarkTyping(const Call& call) {
  return Done(call.world.MarkTyping(call.caller, call.args[0]));
}

CallResult GetTyping(const Call& call) {
  const auto others = call.world.GetTyping(call.caller, call.args[0]);
  if (!others.ok()) return others.status();
  return EncodeTyping(*others);
}

}  // namespace

void AddConversationCalls(Router& router) {
  router.Add("POST", "conversations/*", CreateConversation);
  router.Add("PUT", "conversations/*", PutConversation);
  router.Add("GET", "me/conversations", ListConversations);
  router.Add("GET", "me/conversations/*", GetConversation);
  router.Add("POST", "me/conversations/*/read", MarkRead);
  router.Add("POST", "me/conversations/*/unread", MarkUnread);
  router.Add("POST", "me/conversations/*/typing", MarkTyping);
  router.Add("GET", "me/conversations/*/typing", GetTyping);
}

}  // namespace talkjsd::emulator
