// What a session takes along when the daemon starts again: how far it had followed TalkJS.
#include <algorithm>
#include <utility>

#include "daemon/session/inbox.h"

namespace talkjsd::session {
namespace {

// After so long without news no event is on its way any more: the newest ones need not be looked
// at again.
constexpr UnixMillis kQuietMillis = 10 * 60 * 1000;
// A quiet session says so anew after this, so that a restart need not look further back.
constexpr UnixMillis kQuietRefreshMillis = 60 * 60 * 1000;

}  // namespace

void Inbox::Restore(Restored restored) {
  synced_before_ = true;
  disconnected_at_ = restored.interrupted_at;
  coverage_ = restored.coverage;
  covered_until_ = coverage_.covered_until;
  // covered_until may be ahead of what was said.
  floor_ = newest_activity_ = covered_until_ - kListMarginMillis;
  last_activity_at_ = clock_.WallMillis();
  mark_before_ = newest_mark_ = {newest_activity_, coverage_.appended_since};
  restored_ = std::move(restored.conversations);
}

// At the baseline: what was said until now is history and never read back, and nothing is on its
// way that matters.
void Inbox::BeginCoverage() {
  const UnixMillis now = clock_.WallMillis();
  coverage_ = {newest_activity_ + kListMarginMillis, now};
  mark_before_ = newest_mark_ = {newest_activity_, now};
  last_activity_at_ = now;
}

void Inbox::NoteActivity(UnixMillis activity) {
  if (activity <= newest_activity_) return;
  newest_activity_ = activity;
  last_activity_at_ = clock_.WallMillis();
  if (activity <= newest_mark_.activity + kListMarginMillis) return;
  mark_before_ = std::exchange(newest_mark_, {activity, last_activity_at_});
}

std::optional<Coverage> Inbox::TakeCoverage() {
  if (!synced_) return std::nullopt;
  UnixMillis covered = newest_activity_;
  // Of a conversation that is being read back, and of messages that wait for their sender's name,
  // only what came before them is in the journal.
  for (const auto& [id, tracked] : conversations_) {
    if (HoldsEvents(tracked)) covered = std::min(covered, tracked.seen_at);
  }
  for (const auto& [id, queue] : waiting_) {
    for (const Outgoing& outgoing : queue) {
      if (outgoing.kind != journal::EventKind::kSent) continue;
      covered = std::min(covered, outgoing.message.created_at - 1);
    }
  }
  Coverage coverage = coverage_;
  const UnixMillis now = clock_.WallMillis();
  if (covered == newest_activity_ && last_activity_at_ + kQuietMillis <= now) {
    const bool told = coverage_.covered_until == covered + kListMarginMillis;
    if (told && coverage_.appended_since + kQuietRefreshMillis > now) return std::nullopt;
    coverage = {covered + kListMarginMillis, now};
  } else if (covered > coverage_.covered_until) {
    coverage.covered_until = covered;
    // Activity was below covered - kListMarginMillis until then: nothing later was known.
    if (covered >= newest_mark_.activity) {
      coverage.appended_since = std::max(coverage.appended_since, mark_before_.at);
    }
  }
  if (coverage == coverage_) return std::nullopt;
  coverage_ = coverage;
  return coverage;
}

}  // namespace talkjsd::session
