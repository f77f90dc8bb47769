// How far a session has followed TalkJS: what a restart needs to go on where it was.
#ifndef TALKJSD_SESSION_COVERAGE_H_
#define TALKJSD_SESSION_COVERAGE_H_

#include <map>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/session/recent_ids.h"

namespace talkjsd::session {

// How far a walk through the conversations goes back beyond what is known to be covered, in
// TalkJS's time (design.md section 5): events overtake each other.
inline constexpr UnixMillis kListMarginMillis = 60'000;

struct Coverage {
  // TalkJS's time: every message created until then was handed to the journal.
  UnixMillis covered_until = 0;
  // Local time: those created within kListMarginMillis before covered_until were appended at or
  // after this.
  UnixMillis appended_since = 0;
  friend bool operator==(const Coverage&, const Coverage&) = default;
};

// What of a conversation is in the journal, as found there.
struct Seen {
  RecentIds emitted;
  UnixMillis seen_at = 0;  // the newest message, TalkJS's time
};

// What of a session the daemon knows when it starts again.
struct Restored {
  Coverage coverage;
  UnixMillis interrupted_at = 0;  // local time
  std::map<std::string, Seen> conversations;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_COVERAGE_H_
