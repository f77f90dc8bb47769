// The sweep: now and then the newest page of the conversations is compared with what the events
// told. Nothing should ever differ; where it does, an event was lost, and the conversation is read
// back.
#include <algorithm>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/inbox.h"

namespace talkjsd::session {
namespace {

// Jittered, so that the sessions of a daemon that started at once do not sweep at once
// (design.md section 5).
constexpr Duration kSweepAtLeast = std::chrono::minutes(5);
constexpr Duration kSweepAtMost = std::chrono::minutes(10);

// After an interruption that TalkJS says has lost nothing; it is not taken at its word.
constexpr Duration kSoonAtLeast = std::chrono::seconds(2);
constexpr Duration kSoonAtMost = std::chrono::seconds(30);

// What differs may still be on its way as an event: it is looked at again after this.
constexpr Duration kSweepGrace = std::chrono::seconds(5);

}  // namespace

// Called whenever the view has become complete.
void Inbox::ScheduleSweep() {
  suspects_.clear();
  sweep_at_ = clock_.Now() + random_.Between(kSweepAtLeast, kSweepAtMost);
}

void Inbox::SweepSoon() {
  ScheduleSweep();
  sweep_at_ = clock_.Now() + random_.Between(kSoonAtLeast, kSoonAtMost);
}

void Inbox::Sweep() {
  sweep_at_ = kNever;
  if (!suspects_.empty()) {
    JudgeSuspects();
    if (synced_) ScheduleSweep();
    return;
  }
  using Conversations = upstream::Page<wire::Conversation>;
  Ask<Conversations>(
      upstream::ListConversations(kListPage, upstream::ConversationFilter::kAll),
      &upstream::ParseConversations, [this](absl::StatusOr<Conversations> page) {
        if (!synced_) return;  // the sync under way sees to it
        if (!page.ok()) {
          LogWarning("cannot sweep the conversations of a session; trying again later",
                     {{"session", options_.session_id}, {"why", MessageOf(page.status())}});
          ScheduleSweep();
          return;
        }
        for (const wire::Conversation& side : page->items) {
          const Suspect seen{side.last_message_at, side.is_unread, side.unread_message_count};
          if (side.last_message_at > side.joined_at && IsBehind(side.id, seen)) {
            suspects_.emplace(side.id, seen);
          }
        }
        if (suspects_.empty()) {
          host_->CountSwept(0);
          ScheduleSweep();
        } else {
          sweep_at_ = clock_.Now() + kSweepGrace;
        }
      });
}

// True unless the events have told of as much, or more, than the list showed.
bool Inbox::IsBehind(const std::string& conversation_id, const Suspect& seen) const {
  const auto it = conversations_.find(conversation_id);
  if (it == conversations_.end()) return seen.last_message_at > floor_ || seen.is_unread;
  const Tracked& tracked = it->second;
  if (HoldsEvents(tracked)) return false;  // being read back anyway
  if (!tracked.side_known || tracked.side.last_message_at < seen.last_message_at) return true;
  // The list's events told of it, the message itself did not come.
  if (seen.last_message_at > std::max(tracked.seen_at, tracked.swept_at)) return true;
  return tracked.side.last_message_at == seen.last_message_at &&
         (tracked.side.is_unread != seen.is_unread ||
          tracked.side.unread_message_count != seen.unread_count);
}

// As after an interruption. Not from the newest activity on: that may have come after what was
// lost.
void Inbox::ReadAllAgain() {
  const UnixMillis covered = covered_until_ != 0 ? covered_until_ : coverage_.covered_until;
  OnDisconnected();
  covered_until_ = covered;
  connected_ = true;
  StartSync();
}

void Inbox::JudgeSuspects() {
  int found = 0;
  for (const auto& [id, seen] : std::exchange(suspects_, {})) {
    if (!IsBehind(id, seen)) continue;
    ++found;
    Tracked& tracked = Track(id);
    const bool said = seen.last_message_at > tracked.seen_at;
    LearnSide(id);
    if (said) {
      tracked.swept_at = seen.last_message_at;
      WantFill(tracked, /*recovers=*/true);
    }
  }
  host_->CountSwept(found);
  if (found == 0) return;
  LogWarning("the sweep found what no event told; reading it back",
             {{"session", options_.session_id}, {"conversations", found}});
  // A whole page of it: more may lie behind.
  if (found == kListPage) ReadAllAgain();
}

}  // namespace talkjsd::session
