#include "daemon/session/restore.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/encoder.h"

namespace talkjsd::session {
namespace {

// TalkJS's clock and this machine's may differ by that much where one stands in for the other.
constexpr UnixMillis kSkewMillis = 10 * 60 * 1000;

constexpr size_t kBatchEvents = 256;
constexpr size_t kBatchBytes = 1 << 20;

// Calls visit(event) for every message sent that was appended at or after `since`.
template <typename Visit>
absl::Status ForEachSent(journal::Journal& journal, UnixMillis since, Visit visit) {
  journal::StartPosition start;
  start.kind = journal::StartPosition::Kind::kTime;
  start.time = since;
  // What is lost cannot be recognised: it comes again.
  std::optional<journal::GapInfo> gap;
  auto reader = journal.OpenReader(journal::Selection{}, start, journal::OnGap::kContinue, &gap);
  if (!reader.ok()) return reader.status();
  while (true) {
    const auto batch = (*reader)->Read(kBatchEvents, kBatchBytes);
    if (!batch.ok()) return batch.status();
    for (const journal::EventRef& event : batch->events) visit(*event);
    if (batch->events.empty() && !batch->gap.has_value()) return absl::OkStatus();
  }
}

// The end of what the journal has, if the checkpoint was taken beyond it.
bool HasLost(const journal::Journal& journal, const Checkpoint& checkpoint) {
  const std::optional<uint64_t> position = journal.Resolve(checkpoint.cursor);
  return !position.has_value() || *position < checkpoint.cursor.sequence;
}

}  // namespace

absl::StatusOr<std::map<std::string, Restored>> ReadBack(
    journal::Journal& journal, const std::vector<StoredSession>& sessions) {
  std::map<std::string, Restored> restored;
  const UnixMillis last_append = journal.LastTime();
  int rolled_back = 0;
  UnixMillis since = last_append;
  for (const StoredSession& session : sessions) {
    if (session.destroyed_at.has_value() || !session.baseline_at.has_value()) continue;
    Restored& one = restored[session.session_id];
    one.coverage = session.checkpoint.coverage;
    one.interrupted_at = session.checkpoint.taken_at;
    if (last_append != 0 && HasLost(journal, session.checkpoint)) {
      ++rolled_back;
      const UnixMillis surviving = last_append - kSkewMillis;
      one.coverage.covered_until = std::min(one.coverage.covered_until, surviving);
      one.coverage.appended_since =
          std::min(one.coverage.appended_since, surviving - kListMarginMillis - kSkewMillis);
      one.interrupted_at = std::min(one.interrupted_at, last_append);
    }
    since = std::min(since, one.coverage.appended_since);
  }
  if (rolled_back > 0) {
    LogWarning("the journal is older than the list of sessions: what it has lost is fetched again",
               {{"sessions", rolled_back}});
  }
  if (restored.empty() || last_append == 0) return restored;
  const absl::Status read = ForEachSent(journal, since, [&](const journal::StoredEvent& event) {
    const auto it = restored.find(event.session_id);
    if (event.kind != journal::EventKind::kSent || it == restored.end() ||
        event.append_time < it->second.coverage.appended_since) {
      return;
    }
    const std::optional<SentFacts> sent = DecodeSent(event.bytes);
    if (!sent.has_value()) return;
    Seen& seen = it->second.conversations[event.conversation_id];
    seen.emitted.Add(sent->message_id);
    seen.seen_at = std::max(seen.seen_at, sent->created_at);
  });
  if (!read.ok()) return read;
  return restored;
}

}  // namespace talkjsd::session
