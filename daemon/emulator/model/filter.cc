#include "daemon/emulator/model/filter.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <string_view>

#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

absl::Status Wrong(std::string_view what, std::string_view expected) {
  return BadRequest("filter: " + std::string(what) + ": expected " + std::string(expected));
}

// A predicate is ["operator", operand].
const json::array* AsPredicate(const json::value& value) {
  const json::array* array = value.if_array();
  return array != nullptr && array->size() == 2 && array->front().is_string() ? array : nullptr;
}

std::string_view OperatorOf(const json::array& predicate) {
  const json::string& text = predicate.front().get_string();
  return {text.data(), text.size()};
}

bool ReadText(const json::value& value, std::set<std::optional<std::string>>& into) {
  if (value.is_null()) {
    into.insert(std::nullopt);
  } else if (value.is_string()) {
    into.insert(std::string(value.get_string()));
  } else {
    return false;
  }
  return true;
}

// Bounds may be fractions: low <= x and x < high for integers x is the same after rounding up.
std::optional<int64_t> ReadBound(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_uint64()) return INT64_MAX;
  if (!value.is_double()) return std::nullopt;
  const double up = std::ceil(value.get_double());
  if (up >= 9.2e18) return INT64_MAX;
  if (up <= -9.2e18) return INT64_MIN;
  return static_cast<int64_t>(up);
}

bool IsFraction(const json::value& value) {
  return value.is_double() && value.get_double() != std::floor(value.get_double());
}

int64_t Next(int64_t n) { return n == INT64_MAX ? n : n + 1; }

std::optional<std::string> AccessName(wire::Access access) {
  return access == wire::Access::kRead ? "Read" : "ReadWrite";
}

absl::Status SetFlag(const json::value& value, std::string_view name, std::optional<bool>& flag) {
  if (!value.is_bool()) return Wrong(name, "true or false");
  flag = value.get_bool();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ConversationFilter> ConversationFilter::Parse(const json::value& filter) {
  ConversationFilter result;
  result.alternatives_.clear();
  const json::array* any = filter.if_array();
  if (any == nullptr) {
    auto simple = ParseSimple(filter);
    if (!simple.ok()) return simple.status();
    result.alternatives_.push_back(*std::move(simple));
    return result;
  }
  const json::array* list = nullptr;
  if (AsPredicate(filter) != nullptr && OperatorOf(*any) == "any") list = any->back().if_array();
  if (list == nullptr) return Wrong("the filter", "an object or [\"any\", [...]]");
  for (const json::value& alternative : *list) {
    auto simple = ParseSimple(alternative);
    if (!simple.ok()) return simple.status();
    result.alternatives_.push_back(*std::move(simple));
  }
  return result;
}

absl::StatusOr<ConversationFilter::Simple> ConversationFilter::ParseSimple(
    const json::value& filter) {
  const json::object* object = filter.if_object();
  if (object == nullptr) return Wrong("an alternative", "an object");
  Simple simple;
  const auto text = [](const json::value& value, std::optional<TextPredicate>& into) {
    auto predicate = ParseText(value);
    if (predicate.ok()) into = *std::move(predicate);
    return predicate.status();
  };
  const auto number = [](const json::value& value, std::optional<NumberPredicate>& into) {
    auto predicate = ParseNumber(value);
    if (predicate.ok()) into = *predicate;
    return predicate.status();
  };
  for (const auto& property : *object) {
    const std::string_view name(property.key().data(), property.key().size());
    const json::value& value = property.value();
    absl::Status status;
    if (name == "access") {
      status = text(value, simple.access);
    } else if (name == "subject") {
      status = text(value, simple.subject);
    } else if (name == "custom") {
      status = ParseCustom(value, simple);
    } else if (name == "isUnread") {
      status = SetFlag(value, name, simple.is_unread);
    } else if (name == "hasMessages") {
      status = SetFlag(value, name, simple.has_messages);
    } else if (name == "lastActivityAt") {
      status = number(value, simple.last_activity_at);
    } else if (name == "createdAt") {
      status = number(value, simple.created_at);
    } else if (name == "joinedAt") {
      status = number(value, simple.joined_at);
    } else {
      status = Wrong(name, "a property that filters know");
    }
    if (!status.ok()) return status;
  }
  return simple;
}

absl::StatusOr<ConversationFilter::TextPredicate> ConversationFilter::ParseText(
    const json::value& value) {
  const json::array* array = AsPredicate(value);
  if (array == nullptr) return Wrong("a predicate", "[operator, operand]");
  std::string_view op = OperatorOf(*array);
  TextPredicate predicate;
  if (op.starts_with('!')) {
    predicate.negated = true;
    op.remove_prefix(1);
  }
  const json::value& operand = array->back();
  bool understood = false;
  if (op == (predicate.negated ? "=" : "==")) {
    understood = ReadText(operand, predicate.operands);
  } else if (op == "oneOf" && operand.is_array()) {
    const json::array& list = operand.get_array();
    understood = std::all_of(list.begin(), list.end(), [&](const json::value& one) {
      return ReadText(one, predicate.operands);
    });
  }
  if (!understood) return Wrong("a predicate", "==, !=, oneOf or !oneOf with text");
  return predicate;
}

absl::StatusOr<ConversationFilter::NumberPredicate> ConversationFilter::ParseNumber(
    const json::value& value) {
  const json::array* array = AsPredicate(value);
  if (array == nullptr) return Wrong("a predicate", "[operator, operand]");
  const std::string_view op = OperatorOf(*array);
  const json::value& operand = array->back();
  NumberPredicate predicate;
  if (op == "between" || op == "!between") {
    const json::array* pair = operand.if_array();
    if (pair == nullptr || pair->size() != 2) return Wrong(op, "two numbers");
    const auto low = ReadBound(pair->front());
    const auto high = ReadBound(pair->back());
    if (!low || !high) return Wrong(op, "two numbers");
    predicate = {op == "!between", *low, *high};
    return predicate;
  }
  const auto bound = ReadBound(operand);
  if (!bound) return Wrong(op, "a number");
  const int64_t above = IsFraction(operand) ? *bound : Next(*bound);  // smallest integer > operand
  if (op == ">") {
    predicate.low = above;
  } else if (op == ">=") {
    predicate.low = *bound;
  } else if (op == "<") {
    predicate.high = *bound;
  } else if (op == "<=") {
    predicate.high = above;
  } else {
    return Wrong("a predicate", ">, <, >=, <=, between or !between with numbers");
  }
  return predicate;
}

absl::Status ConversationFilter::ParseCustom(const json::value& custom, Simple& simple) {
  const json::object* object = custom.if_object();
  if (object == nullptr) return Wrong("custom", "an object");
  for (const auto& property : *object) {
    CustomPredicate predicate;
    if (property.value().is_string()) {
      const std::string word(property.value().get_string());
      if (word != "exists" && word != "!exists") return Wrong("custom", "exists or !exists");
      predicate.exists = word == "exists";
    } else {
      auto text = ParseText(property.value());
      if (!text.ok()) return text.status();
      predicate.text = *std::move(text);
    }
    simple.custom.emplace(std::string(property.key()), std::move(predicate));
  }
  return absl::OkStatus();
}

bool ConversationFilter::Matches(const wire::Conversation& conversation) const {
  return std::any_of(alternatives_.begin(), alternatives_.end(),
                     [&](const Simple& simple) { return MatchesSimple(simple, conversation); });
}

bool ConversationFilter::MatchesSimple(const Simple& simple, const wire::Conversation& c) {
  if (simple.access && !simple.access->Holds(AccessName(c.access))) return false;
  if (simple.subject && !simple.subject->Holds(c.subject)) return false;
  if (simple.is_unread && *simple.is_unread != c.is_unread) return false;
  if (simple.has_messages && *simple.has_messages != (c.last_message_at != c.joined_at)) {
    return false;
  }
  if (simple.last_activity_at && !simple.last_activity_at->Holds(c.last_message_at)) return false;
  if (simple.created_at && !simple.created_at->Holds(c.created_at)) return false;
  if (simple.joined_at && !simple.joined_at->Holds(c.joined_at)) return false;
  return std::all_of(simple.custom.begin(), simple.custom.end(), [&](const auto& entry) {
    const auto found = c.custom.find(entry.first);
    const bool exists = found != c.custom.end();
    if (entry.second.exists) return *entry.second.exists == exists;
    return entry.second.text.Holds(exists ? OptionalText(found->second) : std::nullopt);
  });
}

}  // namespace talkjsd::emulator
