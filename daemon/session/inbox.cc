#include "daemon/session/inbox.h"

#include <algorithm>
#include <utility>

#include "daemon/session/encoder.h"
#include "daemon/wire/path.h"

namespace talkjsd::session {
namespace {

// A sender that TalkJS does not name within this is left absent (design.md section 5).
constexpr Duration kSenderPatience = std::chrono::seconds(2);

// Conversations held in memory; the least recently active without news, subscription or unreads
// leaves first.
constexpr size_t kMaxTracked = 1000;

constexpr char kListPath[] = "/me/conversations";

}  // namespace

Inbox::Inbox(Options options, InboxHost* host, const Clock& clock, Random& random)
    : options_(std::move(options)),
      host_(host),
      clock_(clock),
      random_(random),
      senders_(host,
               [this] {
                 unreads_dirty_ = true;
                 AfterWork();
               }),
      alive_(std::make_shared<bool>(true)) {}

Inbox::~Inbox() = default;

std::string Inbox::MessagesPath(const std::string& conversation_id) {
  return wire::JoinPath({"me", "conversations", conversation_id, "messages"});
}

void Inbox::Start() { host_->Subscribe(kListPath); }

void Inbox::OnLoggedIn(bool state_kept) {
  connected_ = true;
  if (!state_kept || login_ == 0) {
    StartSync();
  } else if (!syncing_) {
    synced_ = true;
    unreads_dirty_ = true;
    SweepSoon();
    host_->OnSynced();
  }  // A sync that was under way goes on: its questions are repeated.
  AfterWork();
}

void Inbox::OnSubscribedLate(const std::string& path) {
  if (!connected_) return;
  if (path == kListPath) {
    OnDisconnected();
    OnLoggedIn(/*state_kept=*/false);
    return;
  }
  for (auto& [id, tracked] : conversations_) {
    if (tracked.following == Following::kNo || MessagesPath(id) != path) continue;
    if (tracked.following == Following::kFilling) {
      // It may have read too early: it begins anew, and what was held for it stays held.
      --active_fills_;
      tracked.following = Following::kLive;
      tracked.fill_id = ++last_fill_id_;
    }
    WantFill(tracked, /*recovers=*/true);
  }
  AfterWork();
}

void Inbox::OnDisconnected() {
  if (!connected_) return;
  connected_ = false;
  // Where a sync was interrupted, the former gap is still open.
  if (synced_) {
    covered_until_ = newest_activity_;
    disconnected_at_ = clock_.WallMillis();
  }
  synced_ = false;
  sweep_at_ = kNever;
  if (unreads_published_) PublishUnreads(/*stale=*/true);
}

void Inbox::OnEvents(std::vector<wire::Event> events, const upstream::AckTicket& ticket) {
  for (wire::Event& event : events) Handle(event, ticket);
  AfterWork();
}

void Inbox::Tick() { AfterWork(); }

// Every way into the inbox ends here: what became possible is done, and the next wake-up is asked
// for.
void Inbox::AfterWork() {
  FlushWaiting();
  MonoTime next = kNever;
  if (connected_) {
    if (retry_sync_at_ <= clock_.Now()) ReadList();
    if (sweep_at_ <= clock_.Now()) Sweep();
    StartFills();
    if (retry_peeks_at_ <= clock_.Now()) {
      retry_peeks_at_ = kNever;
      unreads_dirty_ = true;
    }
    FlushUnreads();
    next = std::min({retry_sync_at_, retry_fills_at_, retry_peeks_at_, sweep_at_,
                     synced_ ? unreads_due_ : kNever});
  }
  for (const auto& [id, queue] : waiting_) next = std::min(next, queue.front().deadline);
  host_->WakeInboxAt(next);
}

const wire::Conversation* Inbox::FindConversation(const std::string& id) const {
  const auto it = conversations_.find(id);
  return it == conversations_.end() || !it->second.side_known ? nullptr : &it->second.side;
}

// --- events ---

void Inbox::Handle(wire::Event& event, const upstream::AckTicket& ticket) {
  if (auto* created = std::get_if<wire::SideCreated>(&event)) {
    On(*created);
  } else if (auto* edited = std::get_if<wire::SideEdited>(&event)) {
    On(*edited);
  } else if (auto* deleted = std::get_if<wire::SideDeleted>(&event)) {
    On(*deleted);
  } else if (auto* message = std::get_if<wire::MessageCreated>(&event)) {
    OnMessageEvent(message->conversation_id, event, ticket);
  } else if (auto* message = std::get_if<wire::MessageEdited>(&event)) {
    OnMessageEvent(message->conversation_id, event, ticket);
  } else if (auto* message = std::get_if<wire::MessageDeleted>(&event)) {
    OnMessageEvent(message->conversation_id, event, ticket);
  } else if (auto* cleared = std::get_if<wire::ConversationCleared>(&event)) {
    const auto it = conversations_.find(cleared->conversation_id);
    if (it == conversations_.end()) return;
    it->second.last_message.reset();
    it->second.last_message_known = true;
    unreads_dirty_ = true;
  } else if (auto* participant = std::get_if<wire::ParticipantEdited>(&event)) {
    const auto it = conversations_.find(participant->conversation_id);
    if (it == conversations_.end() || participant->user_id != options_.my_user_id) return;
    if (participant->access.has_value()) it->second.side.access = *participant->access;
    if (participant->notify.has_value()) it->second.side.notify = *participant->notify;
  } else if (auto* user = std::get_if<wire::UserCreated>(&event)) {
    senders_.On(*user);
  } else if (auto* user = std::get_if<wire::UserEdited>(&event)) {
    senders_.On(*user);
  }
}

Inbox::Tracked& Inbox::Track(const std::string& conversation_id) {
  const auto it = conversations_.find(conversation_id);
  if (it != conversations_.end()) return it->second;
  if (conversations_.size() >= kMaxTracked) {
    auto oldest = conversations_.end();
    for (auto other = conversations_.begin(); other != conversations_.end(); ++other) {
      const Tracked& candidate = other->second;
      if (candidate.following != Following::kNo || candidate.wants_fill || candidate.peeking ||
          candidate.side.is_unread || waiting_.contains(other->first)) {
        continue;
      }
      if (oldest == conversations_.end() ||
          candidate.side.last_message_at < oldest->second.side.last_message_at) {
        oldest = other;
      }
    }
    if (oldest != conversations_.end()) {
      floor_ = std::max(floor_, oldest->second.seen_at);
      conversations_.erase(oldest);
    }
  }
  Tracked& tracked = conversations_[conversation_id];
  tracked.side.id = conversation_id;
  tracked.history_until = tracked.seen_at = floor_;
  if (const auto seen = restored_.find(conversation_id); seen != restored_.end()) {
    tracked.emitted = std::move(seen->second.emitted);
    tracked.seen_at = std::max(floor_, seen->second.seen_at);
    restored_.erase(seen);
  }
  return tracked;
}

void Inbox::SetSide(Tracked& tracked, wire::Conversation side) {
  NoteActivity(side.last_message_at);
  // Something was said or deleted unseen: which message is last now is to be read.
  if (tracked.side_known && side.last_message_at != tracked.side.last_message_at) {
    tracked.last_message_known = false;
  }
  // What was said before one joined, perhaps again, is history; the millisecond of joining is not.
  tracked.history_until = std::max(tracked.history_until, side.joined_at - 1);
  tracked.seen_at = std::max(tracked.seen_at, tracked.history_until);
  tracked.side = std::move(side);
  tracked.side_known = true;
  unreads_dirty_ = true;
}

void Inbox::On(wire::SideCreated& event) {
  Tracked& tracked = Track(event.state.id);
  if (!synced_) touched_.insert(event.state.id);
  const bool has_messages = event.state.last_message_at > event.state.joined_at;
  SetSide(tracked, std::move(event.state));
  // Also where nothing was said since: one who joins again finds what was said before.
  tracked.last_message_known = false;
  if (has_messages) WantFill(tracked, /*recovers=*/false);
}

// Before the baseline all is history, except what was announced since the subscription.
void Inbox::CountAsHistory(Tracked& tracked, UnixMillis last_message_at) {
  tracked.history_until = tracked.seen_at = last_message_at;
}

// True if the diff tells of a message that has not been emitted.
bool Inbox::HasNews(const Tracked& tracked, const wire::ConversationDiff& diff) const {
  if (!diff.last_message_at.has_value()) return false;
  if (*diff.last_message_at != tracked.seen_at) return *diff.last_message_at > tracked.seen_at;
  // Two messages may share a millisecond. Where ids are known they decide; where none is, only a
  // grown count tells.
  return !tracked.emitted.empty() ||
         (diff.unread_message_count.has_value() &&
          *diff.unread_message_count > tracked.side.unread_message_count);
}

void Inbox::On(wire::SideEdited& event) {
  const bool known = conversations_.contains(event.conversation_id);
  const wire::ConversationDiff& diff = event.diff;
  const bool concerns_us = diff.last_message_at.has_value() || diff.is_unread.value_or(false);
  if (!known && !concerns_us) return;
  Tracked& tracked = Track(event.conversation_id);
  if (!synced_before_ && tracked.seen_at <= floor_ && !HasShownNews(tracked) &&
      diff.last_message_at.has_value()) {
    // The list that would say what is history here has not been read yet.
    tracked.history_until = tracked.seen_at = *diff.last_message_at - 1;
  }
  if (!synced_) touched_.insert(event.conversation_id);
  const bool news = HasNews(tracked, diff);
  if (diff.last_message_at.has_value()) {
    NoteActivity(*diff.last_message_at);
    // It goes down when the last message was deleted: which one is last now is not said here.
    if (*diff.last_message_at < tracked.side.last_message_at &&
        tracked.following != Following::kLive) {
      tracked.last_message_known = false;
    }
  }
  diff.ApplyTo(tracked.side);
  unreads_dirty_ = true;
  if (news && tracked.following == Following::kNo) {
    WantFill(tracked, /*recovers=*/listing_);
  } else if (!tracked.side_known && !tracked.wants_fill) {
    LearnSide(event.conversation_id);
  }
}

void Inbox::On(wire::SideDeleted& event) { Forget(event.conversation_id); }

void Inbox::Forget(const std::string& conversation_id) {
  const auto it = conversations_.find(conversation_id);
  if (it == conversations_.end()) return;
  FlushAllOf(it->second);
  if (it->second.following != Following::kNo) host_->Unsubscribe(MessagesPath(conversation_id));
  if (it->second.following == Following::kFilling) --active_fills_;
  if (it->second.peeking) --peeks_;
  conversations_.erase(it);
  unreads_dirty_ = true;
}

void Inbox::LearnSide(const std::string& conversation_id) {
  Ask<std::optional<wire::Conversation>>(
      upstream::GetConversation(conversation_id), &upstream::ParseConversation,
      [this, conversation_id](absl::StatusOr<std::optional<wire::Conversation>> side) {
        if (!side.ok()) return;
        if (!side->has_value()) {
          Forget(conversation_id);
          return;
        }
        const auto it = conversations_.find(conversation_id);
        if (it == conversations_.end()) return;
        const UnixMillis last_message_at = (*side)->last_message_at;
        SetSide(it->second, **std::move(side));
        if (!synced_before_ && !HasShownNews(it->second)) {
          CountAsHistory(it->second, last_message_at);
        }
      });
}

void Inbox::OnMessageEvent(const std::string& conversation_id, wire::Event& event,
                           const upstream::AckTicket& ticket) {
  Tracked& tracked = Track(conversation_id);
  tracked.last_active = ++activity_;
  if (HoldsEvents(tracked)) {
    tracked.held.emplace_back(std::move(event), ticket);
    return;
  }
  ApplyMessageEvent(tracked, event, ticket);
}

// After an interruption, what is said now waits for what was said meanwhile: until it is known
// whether there is any.
bool Inbox::HoldsEvents(const Tracked& tracked) const {
  return listing_ || tracked.wants_fill || tracked.following == Following::kFilling;
}

void Inbox::ApplyMessageEvent(Tracked& tracked, wire::Event& event,
                              const upstream::AckTicket& ticket) {
  unreads_dirty_ = true;
  if (auto* created = std::get_if<wire::MessageCreated>(&event)) {
    Apply(tracked, *created, ticket);
  } else if (auto* edited = std::get_if<wire::MessageEdited>(&event)) {
    Apply(tracked, *edited, ticket);
  } else if (auto* deleted = std::get_if<wire::MessageDeleted>(&event)) {
    Apply(tracked, *deleted, ticket);
  }
}

void Inbox::Apply(Tracked& tracked, wire::MessageCreated& event,
                  const upstream::AckTicket& ticket) {
  EmitSent(tracked, std::move(event.state), /*recovered=*/false, ticket);
}

void Inbox::Apply(Tracked& tracked, wire::MessageEdited& event, const upstream::AckTicket& ticket) {
  wire::Message* last = tracked.last_message.get();
  const bool is_last = last != nullptr && last->id == event.message_id;
  if (is_last) event.diff.ApplyTo(*last);
  const bool only_reactions = !event.diff.content.has_value() && !event.diff.edited_at.present &&
                              !event.diff.custom.present;
  if (only_reactions) return;
  if (is_last) {
    Send(tracked, {journal::EventKind::kEdited, *last, false, false, MonoTime{}, ticket});
    return;
  }
  // The event has only what changed; streams get the whole message.
  const std::string conversation_id = event.conversation_id;
  Ask<std::optional<wire::Message>>(
      upstream::GetMessage(conversation_id, event.message_id), &upstream::ParseMessage,
      [this, conversation_id, ticket](absl::StatusOr<std::optional<wire::Message>> message) {
        const auto it = conversations_.find(conversation_id);
        if (it == conversations_.end() || !message.ok() || !message->has_value()) return;
        Send(it->second,
             {journal::EventKind::kEdited, **std::move(message), false, false, MonoTime{}, ticket});
      });
}

void Inbox::Apply(Tracked& tracked, wire::MessageDeleted& event,
                  const upstream::AckTicket& ticket) {
  wire::Message* last = tracked.last_message.get();
  const bool was_last = last != nullptr && last->id == event.message_id;
  Outgoing deletion{journal::EventKind::kDeleted, {}, false, false, MonoTime{}, ticket};
  deletion.message.id = event.message_id;
  deletion.by_me = was_last && last->sender_id == options_.my_user_id;
  // One that was held tells of a last message that may not be it any more; the fill has read the
  // newest.
  const bool moves_last = was_last || !tracked.last_message_known;
  if (moves_last && event.new_last_message.present) {
    tracked.last_message = event.new_last_message.value.has_value()
                               ? std::make_unique<wire::Message>(*event.new_last_message.value)
                               : nullptr;
    tracked.last_message_known = true;
  } else if (was_last) {
    tracked.last_message.reset();
    tracked.last_message_known = false;
  }
  Send(tracked, std::move(deletion));
}

// --- the way out ---

bool Inbox::EmitSent(Tracked& tracked, wire::Message message, bool recovered,
                     const upstream::AckTicket& ticket) {
  // What is history is never read back: no need to remember it.
  if (message.created_at > tracked.history_until && !tracked.emitted.Add(message.id)) return false;
  tracked.seen_at = std::max(tracked.seen_at, message.created_at);
  NoteActivity(message.created_at);
  NoteLastMessage(tracked, message);
  Send(tracked,
       {journal::EventKind::kSent, std::move(message), recovered, false, MonoTime{}, ticket});
  return true;
}

void Inbox::NoteLastMessage(Tracked& tracked, const wire::Message& message) {
  if (tracked.last_message != nullptr && tracked.last_message->created_at > message.created_at) {
    return;
  }
  tracked.last_message = std::make_unique<wire::Message>(message);
  tracked.last_message_known = true;
  unreads_dirty_ = true;
}

bool Inbox::IsReady(const Outgoing& outgoing, MonoTime now) const {
  if (outgoing.kind == journal::EventKind::kDeleted) return true;
  if (!outgoing.message.sender_id.has_value()) return true;
  return outgoing.deadline <= now || senders_.IsResolved(*outgoing.message.sender_id);
}

void Inbox::Send(Tracked& tracked, Outgoing outgoing) {
  const MonoTime now = clock_.Now();
  outgoing.deadline = now + kSenderPatience;
  if (outgoing.message.sender_id.has_value()) senders_.Want({*outgoing.message.sender_id});
  const auto it = waiting_.find(tracked.side.id);
  if (it == waiting_.end() && IsReady(outgoing, now)) {
    AppendNow(tracked, outgoing);
    return;
  }
  waiting_[tracked.side.id].push_back(std::move(outgoing));
}

void Inbox::AppendNow(const Tracked& tracked, const Outgoing& outgoing) {
  const UnixMillis now = clock_.WallMillis();
  if (outgoing.kind == journal::EventKind::kDeleted) {
    host_->Append(EncodeDeletion(options_.session_id, tracked.side.id, outgoing.message.id,
                                 outgoing.by_me, outgoing.recovered, now));
    return;
  }
  const wire::User* sender =
      outgoing.message.sender_id.has_value() ? senders_.Find(*outgoing.message.sender_id) : nullptr;
  const MessageContext context{options_.session_id, options_.my_user_id, &tracked.side, sender};
  host_->Append(
      EncodeMessageEvent(outgoing.kind, outgoing.message, context, outgoing.recovered, now));
}

void Inbox::FlushWaiting() {
  const MonoTime now = clock_.Now();
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const Tracked& tracked = conversations_.at(it->first);
    std::deque<Outgoing>& queue = it->second;
    while (!queue.empty() && IsReady(queue.front(), now)) {
      AppendNow(tracked, queue.front());
      queue.pop_front();
    }
    it = queue.empty() ? waiting_.erase(it) : std::next(it);
  }
}

void Inbox::FlushAllOf(Tracked& tracked) {
  for (auto& [event, ticket] : std::exchange(tracked.held, {})) {
    ApplyMessageEvent(tracked, event, ticket);
  }
  const auto it = waiting_.find(tracked.side.id);
  if (it == waiting_.end()) return;
  for (const Outgoing& outgoing : it->second) AppendNow(tracked, outgoing);
  waiting_.erase(it);
}

}  // namespace talkjsd::session
