// Which conversations a list shall have: TalkJS's filter (realtime.md 8.6).
#ifndef TALKJSD_UPSTREAM_CONVERSATION_QUERY_H_
#define TALKJSD_UPSTREAM_CONVERSATION_QUERY_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/upstream/call.h"

namespace talkjsd::upstream {

// A text is one of `values`, or, negated, none of them.
struct TextMatch {
  bool negated = false;
  std::vector<std::optional<std::string>> values;  // nullopt: null
};

// The value of a key of custom data, or whether there is one.
struct KeyMatch {
  std::optional<bool> exists;  // if set, `value` is not looked at
  TextMatch value;
};

// At or after `start` and before `end`, or, negated, not. At least one is set.
struct TimeMatch {
  std::optional<UnixMillis> start;
  std::optional<UnixMillis> end;
  bool negated = false;
};

// All that is set must hold.
struct ConversationMatch {
  std::optional<TextMatch> access;  // "ReadWrite", "Read"
  std::optional<TextMatch> subject;
  std::map<std::string, KeyMatch> custom;
  std::optional<bool> is_unread;
  std::optional<bool> has_messages;
  std::optional<TimeMatch> last_message_at;
  std::optional<TimeMatch> created_at;
  std::optional<TimeMatch> joined_at;
};

// The filter "any of these holds" as JSON. Conditions that always hold are left out, and
// alternatives that never do, as in the SDK; no alternative matches nothing.
std::string EncodeFilter(const std::vector<ConversationMatch>& any);

// First page, newest activity first. `limit` 1 to 30.
Request ListConversations(int limit, const std::vector<ConversationMatch>& any);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_CONVERSATION_QUERY_H_
