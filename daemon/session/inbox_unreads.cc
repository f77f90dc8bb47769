// The unreads of a session: a list that is published when it differs from the one published last.
#include <algorithm>
#include <utility>

#include "daemon/session/encoder.h"
#include "daemon/session/inbox.h"

namespace talkjsd::session {
namespace {

// A conversation whose last message is being read holds the list back, but not for longer than
// this.
constexpr Duration kUnreadsPatience = std::chrono::milliseconds(500);

}  // namespace

bool Inbox::IsSettled(const Tracked& tracked) const {
  return tracked.side_known && tracked.last_message_known && !tracked.wants_fill &&
         tracked.following != Following::kFilling;
}

void Inbox::FlushUnreads() {
  if (!unreads_dirty_ || !synced_) return;
  bool settled = true;
  for (auto& [id, tracked] : conversations_) {
    if (!tracked.side.is_unread || IsSettled(tracked)) continue;
    settled = false;
    const bool being_read = tracked.wants_fill || tracked.following == Following::kFilling;
    if (tracked.side_known && !tracked.last_message_known && !being_read) Peek(tracked);
  }
  const MonoTime now = clock_.Now();
  if (!settled) {
    if (unreads_due_ == kNever) unreads_due_ = now + kUnreadsPatience;
    if (unreads_due_ > now) return;
  }
  // Unsettled ones make it dirty again when they settle.
  unreads_due_ = kNever;
  unreads_dirty_ = false;
  PublishUnreads(/*stale=*/false);
}

void Inbox::PublishUnreads(bool stale) {
  std::vector<Unread> unreads;
  for (const auto& [id, tracked] : conversations_) {
    // One marked unread by hand that has no message is left out, as in the SDK.
    if (!tracked.side.is_unread || !tracked.side_known || tracked.last_message == nullptr) continue;
    const wire::Message& last = *tracked.last_message;
    unreads.push_back({&tracked.side, &last,
                       last.sender_id.has_value() ? senders_.Find(*last.sender_id) : nullptr});
  }
  std::stable_sort(unreads.begin(), unreads.end(), [](const Unread& a, const Unread& b) {
    return a.conversation->last_message_at > b.conversation->last_message_at;
  });
  UnreadKey key;
  for (const Unread& unread : unreads) {
    key.emplace_back(unread.conversation->id, unread.conversation->unread_message_count,
                     unread.last_message->id);
  }
  if (unreads_published_ && published_stale_ == stale && published_ == key) return;
  unreads_published_ = true;
  published_stale_ = stale;
  published_ = std::move(key);
  host_->PutUnreads(EncodeUnreads(options_.session_id, options_.my_user_id, unreads,
                                  stale ? disconnected_at_ : clock_.WallMillis(), stale));
}

}  // namespace talkjsd::session
