#include "daemon/upstream/conversation_query.h"

#include <boost/json.hpp>
#include <utility>

namespace talkjsd::upstream {
namespace {

namespace json = boost::json;

// What a condition comes to.
struct Condition {
  enum class Kind { kAlways, kNever, kPredicate };
  Kind kind = Kind::kPredicate;
  json::value predicate;
};

Condition Constant(bool holds) {
  return {holds ? Condition::Kind::kAlways : Condition::Kind::kNever, nullptr};
}

json::value Operand(const std::optional<std::string>& text) {
  if (!text.has_value()) return nullptr;
  return json::value(*text);
}

Condition Encode(const TextMatch& match) {
  if (match.values.empty()) return Constant(match.negated);
  if (match.values.size() == 1) {
    return {Condition::Kind::kPredicate,
            json::array{match.negated ? "!=" : "==", Operand(match.values.front())}};
  }
  json::array operands;
  for (const auto& value : match.values) operands.push_back(Operand(value));
  return {Condition::Kind::kPredicate,
          json::array{match.negated ? "!oneOf" : "oneOf", std::move(operands)}};
}

Condition Encode(const KeyMatch& match) {
  if (!match.exists.has_value()) return Encode(match.value);
  return {Condition::Kind::kPredicate, json::value(*match.exists ? "exists" : "!exists")};
}

Condition Encode(const TimeMatch& match) {
  if (!match.start.has_value()) {
    return {Condition::Kind::kPredicate, json::array{match.negated ? ">=" : "<", *match.end}};
  }
  if (!match.end.has_value()) {
    return {Condition::Kind::kPredicate, json::array{match.negated ? "<" : ">=", *match.start}};
  }
  if (*match.start >= *match.end) return Constant(match.negated);
  return {Condition::Kind::kPredicate, json::array{match.negated ? "!between" : "between",
                                                   json::array{*match.start, *match.end}}};
}

// False: the condition never holds, and nor does what it is part of.
bool Put(json::object& into, std::string_view name, Condition condition) {
  if (condition.kind == Condition::Kind::kNever) return false;
  if (condition.kind == Condition::Kind::kPredicate) {
    into[json::string_view(name.data(), name.size())] = std::move(condition.predicate);
  }
  return true;
}

template <typename Match>
bool PutIfSet(json::object& into, std::string_view name, const std::optional<Match>& match) {
  return !match.has_value() || Put(into, name, Encode(*match));
}

// nullopt: it never holds.
std::optional<json::object> Encode(const ConversationMatch& match) {
  json::object simple;
  if (!PutIfSet(simple, "access", match.access)) return std::nullopt;
  if (!PutIfSet(simple, "subject", match.subject)) return std::nullopt;
  json::object custom;
  for (const auto& [key, predicate] : match.custom) {
    if (!Put(custom, key, Encode(predicate))) return std::nullopt;
  }
  if (!custom.empty()) simple["custom"] = std::move(custom);
  if (match.is_unread.has_value()) simple["isUnread"] = *match.is_unread;
  if (match.has_messages.has_value()) simple["hasMessages"] = *match.has_messages;
  if (!PutIfSet(simple, "lastActivityAt", match.last_message_at)) return std::nullopt;
  if (!PutIfSet(simple, "createdAt", match.created_at)) return std::nullopt;
  if (!PutIfSet(simple, "joinedAt", match.joined_at)) return std::nullopt;
  return simple;
}

json::value FilterOf(const std::vector<ConversationMatch>& any) {
  json::array alternatives;
  for (const ConversationMatch& match : any) {
    std::optional<json::object> simple = Encode(match);
    if (!simple.has_value()) continue;
    if (simple->empty()) return json::object();
    alternatives.push_back(*std::move(simple));
  }
  if (alternatives.size() == 1) return std::move(alternatives.front());
  return json::array{"any", std::move(alternatives)};
}

}  // namespace

std::string EncodeFilter(const std::vector<ConversationMatch>& any) {
  return json::serialize(FilterOf(any));
}

Request ListConversations(int limit, const std::vector<ConversationMatch>& any) {
  json::object data;
  data["limit"] = limit;
  data["filter"] = FilterOf(any);
  return {"GET", "/me/conversations", json::serialize(data)};
}

}  // namespace talkjsd::upstream
