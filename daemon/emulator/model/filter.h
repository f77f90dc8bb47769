// Conversation filters (realtime.md 8.6), in every legal form.
#ifndef TALKJSD_EMULATOR_MODEL_FILTER_H_
#define TALKJSD_EMULATOR_MODEL_FILTER_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/wire/types.h"

namespace boost::json {
class value;
}

namespace talkjsd::emulator {

// A value; thread-compatible.
class ConversationFilter {
 public:
  // Matches everything.
  ConversationFilter() : alternatives_(1) {}

  // BAD_REQUEST naming what is wrong.
  static absl::StatusOr<ConversationFilter> Parse(const boost::json::value& filter);

  bool Matches(const wire::Conversation& conversation) const;

 private:
  // Operands may be null, and so may the value tested (`subject`, a missing custom key).
  using OptionalText = std::optional<std::string>;
  struct TextPredicate {
    bool negated = false;
    std::set<OptionalText> operands;
    bool Holds(const OptionalText& value) const { return operands.contains(value) != negated; }
  };
  // low <= x < high, or not.
  struct NumberPredicate {
    bool negated = false;
    int64_t low = INT64_MIN;
    int64_t high = INT64_MAX;
    bool Holds(int64_t value) const { return (value >= low && value < high) != negated; }
  };
  struct CustomPredicate {
    std::optional<bool> exists;  // absent: `text` decides
    TextPredicate text;
  };
  struct Simple {
    std::optional<TextPredicate> access;
    std::optional<TextPredicate> subject;
    std::map<std::string, CustomPredicate> custom;
    std::optional<bool> is_unread;
    std::optional<bool> has_messages;
    std::optional<NumberPredicate> last_activity_at;
    std::optional<NumberPredicate> created_at;
    std::optional<NumberPredicate> joined_at;
  };

  static absl::StatusOr<Simple> ParseSimple(const boost::json::value& filter);
  static absl::StatusOr<TextPredicate> ParseText(const boost::json::value& predicate);
  static absl::StatusOr<NumberPredicate> ParseNumber(const boost::json::value& predicate);
  static absl::Status ParseCustom(const boost::json::value& custom, Simple& simple);
  static bool MatchesSimple(const Simple& simple, const wire::Conversation& conversation);

  std::vector<Simple> alternatives_;  // any of them
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_FILTER_H_
