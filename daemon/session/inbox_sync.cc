// The reading side of the inbox: the list of conversations after a login, and the messages missed
// in each.
#include <algorithm>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/session/encoder.h"
#include "daemon/session/inbox.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

// TalkJS's largest page of messages (realtime.md 6.5). The first one is small: news are few as a
// rule.
constexpr int kFirstMessagePage = 30;
constexpr int kMessagePage = 100;

// Conversations read back at a time by one session.
constexpr int kMaxFills = 8;
constexpr int kMaxPeeks = 8;

// Pages of a long fill that are kept on the way back; those behind are read again on the way forth.
constexpr size_t kKeptPages = 4;

// A fill, or the reading of the list, that failed is tried again after this.
constexpr Duration kFillRetry = std::chrono::seconds(2);
constexpr Duration kSyncRetry = std::chrono::seconds(10);

// A conversation that TalkJS refuses to show, or shows in a way that is not understood, is tried so
// often.
constexpr int kMaxFillFailures = 3;

// Trouble of TalkJS, not of what it was asked for.
bool MayPass(const absl::Status& why) {
  return (absl::IsUnavailable(why) && ReasonOf(why) != v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR) ||
         absl::IsResourceExhausted(why);
}

// A list that goes in circles would be read for ever.
absl::Status NoProgress(std::string_view list) {
  return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR,
                   "TalkJS answers a page of " + std::string(list) +
                       " that was read before; report it to TalkJS if it stays so");
}

}  // namespace

template <typename T>
void Inbox::Ask(upstream::Request request, absl::StatusOr<T> (*parse)(const upstream::Reply&),
                std::function<void(absl::StatusOr<T>)> then) {
  host_->Call(std::move(request), [this, alive = std::weak_ptr<bool>(alive_), login = login_, parse,
                                   then = std::move(then)](absl::StatusOr<upstream::Reply> reply) {
    // What fails at the end of a session, or of its login, is asked again after the next one.
    if (alive.expired() || login != login_ || !connected_) return;
    if (reply.ok()) {
      then(parse(*reply));
    } else {
      then(reply.status());
    }
    AfterWork();
  });
}

template void Inbox::Ask(upstream::Request,
                         absl::StatusOr<std::optional<wire::Message>> (*)(const upstream::Reply&),
                         std::function<void(absl::StatusOr<std::optional<wire::Message>>)>);
template void Inbox::Ask(
    upstream::Request,
    absl::StatusOr<upstream::Page<wire::Conversation>> (*)(const upstream::Reply&),
    std::function<void(absl::StatusOr<upstream::Page<wire::Conversation>>)>);
template void Inbox::Ask(
    upstream::Request,
    absl::StatusOr<std::optional<wire::Conversation>> (*)(const upstream::Reply&),
    std::function<void(absl::StatusOr<std::optional<wire::Conversation>>)>);

// --- the list ---

void Inbox::StartSync() {
  ++login_;
  synced_ = false;
  syncing_ = true;
  listing_ = login_ > 1 || synced_before_;
  active_fills_ = 0;
  peeks_ = 0;
  fill_queue_.clear();
  touched_.clear();
  retry_fills_at_ = retry_peeks_at_ = unreads_due_ = kNever;
  for (auto& [id, tracked] : conversations_) {
    tracked.peeking = false;
    // A fill that was interrupted begins anew; what was held for it stays held.
    const bool unfinished = tracked.following == Following::kFilling || tracked.wants_fill;
    if (tracked.following == Following::kFilling) tracked.following = Following::kLive;
    tracked.wants_fill = false;
    if (unfinished) WantFill(tracked, synced_before_);
  }
  if (login_ == 1) {
    senders_.Want({options_.my_user_id});
  } else {
    senders_.Refresh();
  }
  if (synced_before_) {
    host_->Append(EncodeUncertainEdits(options_.session_id, disconnected_at_, clock_.WallMillis(),
                                       clock_.WallMillis()));
  }
  ReadList();
}

void Inbox::ReadList() {
  retry_sync_at_ = kNever;
  listed_.clear();
  ReadListPage("");
}

// Without the list nothing is known of what was missed: the view is not complete before it has been
// read.
void Inbox::RetrySync(const absl::Status& why) {
  LogWarning("cannot read the conversations of a session; trying again",
             {{"session", options_.session_id}, {"why", MessageOf(why)}});
  retry_sync_at_ = clock_.Now() + kSyncRetry;
}

void Inbox::ReadListPage(std::string cursor) {
  using Conversations = upstream::Page<wire::Conversation>;
  Ask<Conversations>(
      cursor.empty() ? upstream::ListConversations(kListPage, upstream::ConversationFilter::kAll)
                     : upstream::ListConversationsAfter(kListPage, cursor),
      &upstream::ParseConversations, [this, cursor](absl::StatusOr<Conversations> page) {
        if (page.ok()) {
          OnListPage(*std::move(page));
        } else {
          RetrySync(page.status());
        }
      });
}

void Inbox::OnListPage(upstream::Page<wire::Conversation> page) {
  const UnixMillis oldest = page.items.empty() ? 0 : page.items.back().last_message_at;
  const size_t listed_before = listed_.size();
  for (wire::Conversation& side : page.items) OnListed(std::move(side));
  if (page.cursor.has_value() && listed_.size() == listed_before) {
    RetrySync(NoProgress("me/conversations"));
    return;
  }
  if (page.cursor.has_value() && synced_before_ && oldest >= covered_until_ - kListMarginMillis) {
    ReadListPage(*page.cursor);
    return;
  }
  if (page.cursor.has_value() && !synced_before_) floor_ = std::max(floor_, oldest);
  EndList(/*complete=*/!page.cursor.has_value());
}

void Inbox::OnListed(wire::Conversation side) {
  listed_.insert(side.id);
  Tracked& tracked = Track(side.id);
  const UnixMillis last_message_at = side.last_message_at;
  const bool has_messages = last_message_at > side.joined_at;
  SetSide(tracked, std::move(side));
  if (!synced_before_) {
    if (!HasShownNews(tracked)) {
      CountAsHistory(tracked, last_message_at);
    } else if (has_messages) {
      WantFill(tracked, /*recovers=*/true);  // an earlier login, before the baseline, followed it
    }
  } else {
    // Within the margin ids decide, whatever the times say.
    if (has_messages && (last_message_at > tracked.seen_at ||
                         last_message_at >= covered_until_ - kListMarginMillis)) {
      WantFill(tracked, /*recovers=*/true);
    }
  }
}

bool Inbox::HasShownNews(const Tracked& tracked) const {
  return !tracked.emitted.empty() || tracked.wants_fill || tracked.following != Following::kNo;
}

// `complete`: the whole list was read.
void Inbox::EndList(bool complete) {
  std::vector<std::string> left;
  for (auto& [id, tracked] : conversations_) {
    // What an event told of meanwhile may have come too late for the list, or moved within it.
    if (complete && tracked.side_known && !listed_.contains(id) && !touched_.contains(id)) {
      left.push_back(id);
    } else if (!synced_before_ && !HasShownNews(tracked)) {
      // An event told of it, and no page of the list: it is older than those.
      tracked.history_until = tracked.seen_at = std::max(tracked.history_until, floor_);
    } else if (!tracked.held.empty()) {
      WantFill(tracked, /*recovers=*/true);
    }
  }
  for (const std::string& id : left) Forget(id);
  listing_ = false;
  listed_.clear();
  ReadUnreadPage("");
}

void Inbox::ReadUnreadPage(std::string cursor) {
  using Conversations = upstream::Page<wire::Conversation>;
  Ask<Conversations>(cursor.empty() ? upstream::ListConversations(
                                          kListPage, upstream::ConversationFilter::kUnreadOnly)
                                    : upstream::ListConversationsAfter(kListPage, cursor),
                     &upstream::ParseConversations, [this](absl::StatusOr<Conversations> page) {
                       if (!page.ok()) {
                         RetrySync(page.status());
                         return;
                       }
                       const size_t listed_before = listed_.size();
                       for (wire::Conversation& side : page->items) {
                         listed_.insert(side.id);
                         const bool known = conversations_.contains(side.id);
                         Tracked& tracked = Track(side.id);
                         if (!known && !synced_before_) {
                           CountAsHistory(tracked, side.last_message_at);
                         }
                         SetSide(tracked, std::move(side));
                       }
                       if (!page->cursor.has_value()) {
                         EndUnreads();
                       } else if (listed_.size() > listed_before) {
                         ReadUnreadPage(*page->cursor);
                       } else {
                         RetrySync(NoProgress("me/conversations"));
                       }
                     });
}

// What was unread before the interruption and is not now was read elsewhere meanwhile.
void Inbox::EndUnreads() {
  std::vector<std::string> unclear;
  for (auto& [id, tracked] : conversations_) {
    if (!tracked.side.is_unread || listed_.contains(id)) continue;
    if (touched_.contains(id)) {
      unclear.push_back(
          id);  // what the event told may be newer than the list, or about something else
    } else {
      tracked.side.is_unread = false;
      tracked.side.unread_message_count = 0;
    }
  }
  for (const std::string& id : unclear) LearnSide(id);
  FinishSync();
}

void Inbox::FinishSync() {
  if (!synced_before_) BeginCoverage();
  synced_ = true;
  synced_before_ = true;
  syncing_ = false;
  listed_.clear();
  touched_.clear();
  restored_.clear();
  unreads_dirty_ = true;
  ScheduleSweep();
  host_->OnSynced();
}

// --- reading back one conversation ---

void Inbox::WantFill(Tracked& tracked, bool recovers) {
  tracked.last_active = ++activity_;
  tracked.fill_recovers = tracked.fill_recovers || recovers;
  if (tracked.wants_fill || tracked.following == Following::kFilling) return;
  tracked.wants_fill = true;
  fill_queue_.push_back(tracked.side.id);
}

void Inbox::StartFills() {
  if (retry_fills_at_ <= clock_.Now()) retry_fills_at_ = kNever;
  if (retry_fills_at_ != kNever) return;
  const int limit = std::min(kMaxFills, options_.message_subscriptions);
  bool room = true;
  for (auto next = fill_queue_.begin(); next != fill_queue_.end() && active_fills_ < limit;) {
    const auto it = conversations_.find(*next);
    const bool wanted = it != conversations_.end() && it->second.wants_fill;
    if (wanted && it->second.following == Following::kNo) {
      // Without room for another subscription, those that have one go first: they make it.
      room = room && MakeRoom();
      if (!room) {
        ++next;
        continue;
      }
    }
    next = fill_queue_.erase(next);
    if (wanted) BeginFill(it->second);
  }
}

// True if one more message subscription may be opened; the least recently active one leaves if need
// be.
bool Inbox::MakeRoom() {
  int following = 0;
  auto oldest = conversations_.end();
  for (auto it = conversations_.begin(); it != conversations_.end(); ++it) {
    if (it->second.following == Following::kNo) continue;
    ++following;
    if (it->second.following != Following::kLive || it->second.wants_fill) continue;
    if (oldest == conversations_.end() || it->second.last_active < oldest->second.last_active) {
      oldest = it;
    }
  }
  if (following < options_.message_subscriptions) return true;
  if (oldest == conversations_.end()) return false;
  oldest->second.following = Following::kNo;
  host_->Unsubscribe(MessagesPath(oldest->first));
  return true;
}

void Inbox::BeginFill(Tracked& tracked) {
  ++active_fills_;
  tracked.wants_fill = false;
  if (tracked.following == Following::kNo) host_->Subscribe(MessagesPath(tracked.side.id));
  tracked.following = Following::kFilling;
  auto fill = std::make_shared<Fill>();
  fill->conversation_id = tracked.side.id;
  fill->id = tracked.fill_id = ++last_fill_id_;
  fill->recovers = std::exchange(tracked.fill_recovers, false);
  fill->cursors.push_back("");
  if (tracked.side_known) {
    ReadFillPage(fill, 0);
  } else {
    ReadFillSide(fill);
  }
}

// Null if the conversation was left meanwhile, perhaps joined again.
Inbox::Tracked* Inbox::TargetOf(const Fill& fill) {
  const auto it = conversations_.find(fill.conversation_id);
  return it == conversations_.end() || it->second.fill_id != fill.id ? nullptr : &it->second;
}

void Inbox::ReadFillSide(std::shared_ptr<Fill> fill) {
  Ask<std::optional<wire::Conversation>>(
      upstream::GetConversation(fill->conversation_id), &upstream::ParseConversation,
      [this, fill](absl::StatusOr<std::optional<wire::Conversation>> side) {
        Tracked* tracked = TargetOf(*fill);
        if (tracked == nullptr) return;
        if (!side.ok()) {
          OnFillFailed(fill, side.status());
        } else if (!side->has_value()) {
          Forget(fill->conversation_id);
        } else {
          SetSide(*tracked, **std::move(side));
          ReadFillPage(fill, 0);
        }
      });
}

void Inbox::ReadFillPage(std::shared_ptr<Fill> fill, size_t index) {
  using Messages = std::optional<upstream::Page<wire::Message>>;
  const std::string cursor = fill->cursors[index];
  Ask<Messages>(upstream::ListMessages(fill->conversation_id,
                                       index == 0 ? kFirstMessagePage : kMessagePage, cursor),
                &upstream::ParseMessages, [this, fill, index](absl::StatusOr<Messages> page) {
                  if (TargetOf(*fill) == nullptr) return;
                  if (!page.ok()) {
                    OnFillFailed(fill, page.status());
                  } else if (!page->has_value()) {
                    Forget(fill->conversation_id);
                  } else {
                    OnFillPage(fill, index, **std::move(page));
                  }
                });
}

// True once the page, and for a recovery one page more, lies behind what was seen before.
bool Inbox::ReachedSeen(Fill& fill, const Tracked& tracked,
                        const std::vector<wire::Message>& items) const {
  if (items.empty() || items.back().created_at <= tracked.history_until) return true;
  if (fill.pages_past_seen < 0) {
    const bool met = std::any_of(items.begin(), items.end(), [&](const wire::Message& message) {
      return tracked.emitted.Contains(message.id);
    });
    if (!met) return false;
  }
  ++fill.pages_past_seen;
  return !fill.recovers || fill.pages_past_seen > 0;
}

void Inbox::OnFillPage(const std::shared_ptr<Fill>& fill, size_t index,
                       upstream::Page<wire::Message> page) {
  Tracked& tracked = conversations_.at(fill->conversation_id);
  if (index == 0 && !fill->way_forth) {
    tracked.last_message =
        page.items.empty() ? nullptr : std::make_unique<wire::Message>(page.items.front());
    tracked.last_message_known = true;
    unreads_dirty_ = true;
  }
  std::vector<std::string> sender_ids;
  for (const wire::Message& message : page.items) {
    if (message.sender_id.has_value()) sender_ids.push_back(*message.sender_id);
  }
  if (!sender_ids.empty()) senders_.Want(sender_ids);
  fill->way_forth =
      fill->way_forth || !page.cursor.has_value() || ReachedSeen(*fill, tracked, page.items);
  fill->kept[index] = std::move(page.items);
  if (fill->way_forth) {
    EmitFrom(fill, index);
    return;
  }
  if (std::find(fill->cursors.begin(), fill->cursors.end(), *page.cursor) != fill->cursors.end()) {
    OnFillFailed(fill, NoProgress("messages"));
    return;
  }
  if (index >= kKeptPages) fill->kept.erase(index);
  fill->cursors.push_back(*page.cursor);
  ReadFillPage(fill, index + 1);
}

// Emits page `index` and then the newer ones, as far as they are held; reads the next one again
// where not.
void Inbox::EmitFrom(const std::shared_ptr<Fill>& fill, size_t index) {
  Tracked& tracked = conversations_.at(fill->conversation_id);
  while (true) {
    auto held = fill->kept.extract(index);
    if (held.empty()) {
      ReadFillPage(fill, index);
      return;
    }
    std::vector<wire::Message>& items = held.mapped();
    for (auto it = items.rbegin(); it != items.rend(); ++it) {
      if (it->created_at <= tracked.history_until) continue;
      // Held for after the fill, and found by it.
      std::erase_if(tracked.held, [&](const auto& held) {
        const auto* created = std::get_if<wire::MessageCreated>(&held.first);
        return created != nullptr && created->state.id == it->id;
      });
      if (EmitSent(tracked, std::move(*it), fill->recovers, nullptr)) ++fill->emitted;
    }
    if (index == 0) break;
    --index;
  }
  EndFill(fill);
}

void Inbox::EndFill(const std::shared_ptr<Fill>& fill) {
  Tracked& tracked = conversations_.at(fill->conversation_id);
  --active_fills_;
  tracked.following = Following::kLive;
  tracked.fill_failures = 0;
  for (auto& [event, ticket] : std::exchange(tracked.held, {})) {
    ApplyMessageEvent(tracked, event, ticket);
  }
  unreads_dirty_ = true;
  if (fill->recovers && fill->emitted > 0) host_->CountRecovered(fill->emitted);
}

void Inbox::OnFillFailed(const std::shared_ptr<Fill>& fill, const absl::Status& why) {
  Tracked& tracked = conversations_.at(fill->conversation_id);
  if (!MayPass(why) && ++tracked.fill_failures >= kMaxFillFailures) {
    LogWarning("cannot read back a conversation; going on without what is missing",
               {{"session", options_.session_id}, {"why", MessageOf(why)}});
    host_->Append(EncodeIncomplete(options_.session_id, fill->conversation_id, tracked.seen_at,
                                   tracked.side.last_message_at, clock_.WallMillis()));
    tracked.seen_at = std::max(tracked.seen_at, tracked.side.last_message_at);
    EndFill(fill);
    return;
  }
  LogWarning("cannot read back a conversation; trying again",
             {{"session", options_.session_id}, {"why", MessageOf(why)}});
  --active_fills_;
  tracked.following =
      Following::kLive;  // the subscription stands; what comes is held, as a fill is wanted
  WantFill(tracked, fill->recovers);
  retry_fills_at_ = clock_.Now() + kFillRetry;
}

void Inbox::Peek(Tracked& tracked) {
  if (tracked.peeking || peeks_ >= kMaxPeeks || retry_peeks_at_ != kNever || !connected_) return;
  using Messages = std::optional<upstream::Page<wire::Message>>;
  tracked.peeking = true;
  ++peeks_;
  Ask<Messages>(upstream::ListMessages(tracked.side.id, 1, ""), &upstream::ParseMessages,
                [this, id = tracked.side.id](absl::StatusOr<Messages> page) {
                  const auto it = conversations_.find(id);
                  if (it == conversations_.end() || !it->second.peeking) return;
                  Tracked& peeked = it->second;
                  --peeks_;
                  peeked.peeking = false;
                  if (!page.ok() && MayPass(page.status())) {
                    retry_peeks_at_ = clock_.Now() + kFillRetry;
                    return;
                  }
                  // An unreadable conversation is shown without its message until the next event.
                  peeked.last_message_known = true;
                  unreads_dirty_ = true;
                  if (!page.ok() || !page->has_value()) return;
                  peeked.last_message.reset();
                  if ((*page)->items.empty()) return;
                  wire::Message& message = (*page)->items.front();
                  if (message.sender_id.has_value()) senders_.Want({*message.sender_id});
                  peeked.last_message = std::make_unique<wire::Message>(std::move(message));
                });
}

}  // namespace talkjsd::session
