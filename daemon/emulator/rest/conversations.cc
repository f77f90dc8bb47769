// The REST API's calls about conversations and lists of them.
#include <algorithm>
#include <set>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/model/filter.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/rest/call.h"
#include "daemon/emulator/rest/json.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

RestResult PutConversation(const RestCall& call) {
  const auto body = BodyObject(call);
  if (!body.ok()) return body.status();
  const auto write = ReadConversationWrite(**body);
  if (!write.ok()) return write.status();
  std::vector<std::string> participants;
  if (const json::value* given = Find(**body, "participants"); given != nullptr) {
    auto list = TextList(**body, "participants");
    if (!list.ok()) return list.status();
    participants = *std::move(list);
  }
  for (const std::string& user : participants) {
    if (call.world().FindUser(user) == nullptr) {
      return BadField("participants", "there is no user " + user);
    }
  }
  if (auto status = call.world().PutConversation(call.args[0], *write); !status.ok()) return status;
  for (const std::string& user : participants) {
    if (call.world().LookUpConversation(call.args[0])->participants.contains(user)) continue;
    const auto status = call.world().Admit(call.args[0], user, World::JoinMode::kCreate, {});
    if (!status.ok()) return status;
  }
  return Done(absl::OkStatus());
}

RestResult GetConversation(const RestCall& call) {
  const ConversationRecord* conversation = call.world().LookUpConversation(call.args[0]);
  if (conversation == nullptr) return ConversationNotFound();
  return json::value(EncodeRestConversation(call.world(), *conversation));
}

RestResult DeleteConversation(const RestCall& call) {
  return Done(call.world().DeleteConversation(call.args[0]));
}

RestResult Notify(const RestCall& call) {
  if (!call.world().HasConversation(call.args[0])) return ConversationNotFound();
  return Done(absl::OkStatus());
}

// --- lists ---

struct ConversationQuery {
  size_t limit = 0;
  bool ascending = false;
  bool by_creation = false;
  bool unreads_only = false;
  std::optional<UnixMillis> offset;
  std::optional<UnixMillis> last_message_after;
  std::optional<UnixMillis> last_message_before;
  ConversationFilter filter;
};

// What filters of servers may say: a custom property that equals a text is written as that text.
absl::StatusOr<ConversationFilter> ReadFilter(const RestCall& call, bool of_user) {
  auto text = TextOf(call, "filter");
  if (!text) return ConversationFilter();
  if (text->starts_with("%7B") || text->starts_with("%5B")) {
    text = wire::DecodeSegment(*text);  // some clients encode twice
  }
  auto filter = text ? wire::ParseJson(*text) : absl::StatusOr<json::value>(BadRequest(""));
  if (!filter.ok()) return BadField("filter", "expected JSON");
  json::object* simple = filter->if_object();
  if (simple == nullptr) return BadField("filter", "expected an object");
  static const std::set<std::string_view> kOfAnyList = {"custom", "subject", "createdAt"};
  for (auto& property : *simple) {
    const std::string_view name(property.key().data(), property.key().size());
    if (!of_user && !kOfAnyList.contains(name)) {
      return BadField("filter", std::string(name) + " is not known to this list");
    }
    if (name != "custom" || !property.value().is_object()) continue;
    for (auto& custom : property.value().get_object()) {
      json::value& predicate = custom.value();
      if (predicate.is_string() && predicate != "exists" && predicate != "!exists") {
        predicate = json::array{"==", predicate};
      }
    }
  }
  auto parsed = ConversationFilter::Parse(*filter);
  if (!parsed.ok()) return BadField("filter", RefusalOf(parsed.status()).reason);
  return parsed;
}

absl::StatusOr<ConversationQuery> ReadQuery(const RestCall& call, bool of_user) {
  ConversationQuery query;
  const auto limit = LimitOf(call);
  if (!limit.ok()) return limit.status();
  query.limit = *limit;
  const auto ascending = IsAscending(call);
  if (!ascending.ok()) return ascending.status();
  query.ascending = *ascending;
  const std::string order = TextOf(call, "orderBy").value_or("lastActivity");
  if (order != "lastActivity" && order != "createdAt") {
    return BadField("orderBy", "expected lastActivity or createdAt");
  }
  query.by_creation = order == "createdAt";
  const auto unreads = FlagOf(call, "unreadsOnly");
  if (!unreads.ok()) return unreads.status();
  query.unreads_only = unreads->value_or(false);
  if (query.unreads_only && !of_user) {
    return BadField("unreadsOnly", "is for the conversations of one user");
  }
  for (const auto& [name, into] : {std::pair("offsetTs", &query.offset),
                                   std::pair("lastMessageAfter", &query.last_message_after),
                                   std::pair("lastMessageBefore", &query.last_message_before)}) {
    const auto time = TimeOf(call, name);
    if (!time.ok()) return time.status();
    *into = *time;
  }
  auto filter = ReadFilter(call, of_user);
  if (!filter.ok()) return filter.status();
  query.filter = *std::move(filter);
  return query;
}

std::optional<UnixMillis> LastMessageAt(const ConversationRecord& conversation) {
  if (conversation.messages.empty()) return std::nullopt;
  return conversation.messages.rbegin()->first.created_at;
}

// A conversation and, in a user's list, that user's part in it.
struct Listed {
  const ConversationRecord* conversation = nullptr;
  const ParticipantRecord* participant = nullptr;
};

wire::Conversation SideOf(const Listed& listed) {
  static const ParticipantRecord kNobody;
  return World::SideOf(*listed.conversation,
                       listed.participant != nullptr ? *listed.participant : kNobody);
}

ListPosition PositionOf(const Listed& listed, const ConversationQuery& query) {
  const ConversationRecord& conversation = *listed.conversation;
  UnixMillis time = conversation.created_at;
  if (!query.by_creation) {
    time = listed.participant != nullptr ? SideOf(listed).last_message_at
                                         : LastMessageAt(conversation).value_or(time);
  }
  return {time, conversation.id};
}

bool Matches(const Listed& listed, const ConversationQuery& query) {
  const auto last = LastMessageAt(*listed.conversation);
  if (query.last_message_after && !(last && *last > *query.last_message_after)) return false;
  if (query.last_message_before && !(last && *last < *query.last_message_before)) return false;
  const wire::Conversation side = SideOf(listed);
  if (query.unreads_only && !side.is_unread) return false;
  return query.filter.Matches(side);
}

RestResult List(const RestCall& call, const std::map<std::string, Listed>& all, bool of_user) {
  const auto query = ReadQuery(call, of_user);
  if (!query.ok()) return query.status();
  std::optional<ListPosition> after;
  if (const auto id = TextOf(call, "startingAfter")) {
    const auto last = all.find(*id);
    if (last == all.end()) return BadField("startingAfter", "is not in this list");
    after = PositionOf(last->second, *query);
  }
  std::vector<ListPosition> matching;
  for (const auto& [id, listed] : all) {
    if (!Matches(listed, *query)) continue;
    ListPosition position = PositionOf(listed, *query);
    const bool beyond = !query->offset || (query->ascending ? position.first > *query->offset
                                                            : position.first < *query->offset);
    if (beyond) matching.push_back(std::move(position));
  }
  json::array items;
  for (const auto& [time, id] :
       PageOf(std::move(matching), query->ascending, query->limit, after)) {
    const Listed& listed = all.at(id);
    items.push_back(of_user
                        ? EncodeRestSide(call.world(), *listed.conversation, *listed.participant)
                        : EncodeRestConversation(call.world(), *listed.conversation));
  }
  return EncodeList(std::move(items));
}

RestResult ListConversations(const RestCall& call) {
  std::map<std::string, Listed> all;
  call.world().ForEachConversation([&](const ConversationRecord& conversation) {
    all[conversation.id] = {&conversation, nullptr};
  });
  return List(call, all, false);
}

RestResult ListConversationsOfUser(const RestCall& call) {
  const std::string& user = call.args[0];
  if (call.world().FindUser(user) == nullptr) return UserNotFound();
  std::map<std::string, Listed> all;
  for (const ConversationRecord* conversation : call.world().ConversationsOf(user)) {
    all[conversation->id] = {conversation, &conversation->participants.at(user)};
  }
  return List(call, all, true);
}

}  // namespace

void AddRestConversations(RestRouter& router) {
  router.Add("GET", "conversations", ListConversations);
  router.Add("PUT", "conversations/*", PutConversation);
  router.Add("GET", "conversations/*", GetConversation);
  router.Add("DELETE", "conversations/*", DeleteConversation);
  router.Add("POST", "conversations/*/notifications", Notify);
  router.Add("GET", "users/*/conversations", ListConversationsOfUser);
}

}  // namespace talkjsd::emulator
