// A session's view of its conversations: decides which messages are new and what is unread. The
// heart of the daemon.
//
//   frame -> wire::Event -> Inbox -> journal::NewEvent (each message once, in order) and the list
//   of unreads
//
// It follows `me/conversations`; a conversation with news gets a message subscription of its own
// and is read back to what was seen before ("filled"). At most `message_subscriptions` are held,
// the least recently active one leaves first; what leaves is covered by `side.edited`, which every
// new message causes.
#ifndef TALKJSD_SESSION_INBOX_H_
#define TALKJSD_SESSION_INBOX_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/journal/event.h"
#include "daemon/session/coverage.h"
#include "daemon/session/recent_ids.h"
#include "daemon/session/senders.h"
#include "daemon/upstream/call.h"
#include "daemon/upstream/connection.h"
#include "daemon/wire/event.h"
#include "daemon/wire/types.h"

namespace talkjsd::session {

// What an inbox needs from the outside. Calls may not call back into the inbox before they return;
// answers come later.
class InboxHost : public SendersHost {
 public:
  virtual void Subscribe(std::string path) = 0;
  virtual void Unsubscribe(const std::string& path) = 0;
  virtual void Append(journal::NewEvent event) = 0;
  // A serialised StreamUnreadsResponse.
  virtual void PutUnreads(std::string encoded) = 0;
  // Calls Inbox::Tick at about that time; replaces an earlier wish; kNever: none.
  virtual void WakeInboxAt(MonoTime when) = 0;
  // The view is complete: after the first login and after each interruption.
  virtual void OnSynced() = 0;
  // Messages found by reading back after an interruption.
  virtual void CountRecovered(int messages) = 0;
  // Conversations of which the sweep knew more than the events had told.
  virtual void CountSwept(int conversations) = 0;
};

// Lives on its session's shard. `host`, `clock` and `random` outlive it.
class Inbox {
 public:
  struct Options {
    std::string session_id;
    std::string my_user_id;
    int message_subscriptions = 30;
  };
  Inbox(Options options, InboxHost* host, const Clock& clock, Random& random);
  ~Inbox();

  // What was followed before the daemon's last end; before Start.
  void Restore(Restored restored);
  // Before the first login.
  void Start();
  // `state_kept`: nothing was lost since the last login.
  void OnLoggedIn(bool state_kept);
  // What was read before is older than the subscription, and what was said in between is missing.
  void OnSubscribedLate(const std::string& path);
  // Unreads are stale from now on.
  void OnDisconnected();
  void OnEvents(std::vector<wire::Event> events, const upstream::AckTicket& ticket);
  void Tick();

  // How far TalkJS has been followed, of which every message was handed to Append; nothing if that
  // is what the last call said, or while the view is incomplete.
  std::optional<Coverage> TakeCoverage();
  // What was said last; since the first complete login.
  const Coverage& coverage() const { return coverage_; }
  bool synced() const { return synced_; }

  // Null if it is not known here.
  const wire::Conversation* FindConversation(const std::string& id) const;
  // Known not to exist in TalkJS: sessions whose user was given by id alone show it.
  bool MyUserIsAbsent() const { return senders_.IsAbsent(options_.my_user_id); }

 private:
  // TalkJS's largest page of conversations (realtime.md 6.3).
  static constexpr int kListPage = 30;

  enum class Following { kNo, kFilling, kLive };

  // On its way to the journal, behind those before it in its conversation.
  struct Outgoing {
    journal::EventKind kind;
    wire::Message message;  // kDeleted: only the id
    bool recovered = false;
    bool by_me = false;  // kDeleted
    MonoTime deadline;   // for TalkJS to name the sender
    upstream::AckTicket ticket;
  };

  struct Tracked {
    wire::Conversation side;
    bool side_known = false;
    // Messages created at or before this are history.
    UnixMillis history_until = 0;
    UnixMillis seen_at = 0;  // the newest message emitted, or history_until
    // What the list showed as the last message when the sweep had the conversation read back: where
    // that found nothing there is nothing, such as after a deletion.
    UnixMillis swept_at = 0;
    RecentIds emitted;
    std::unique_ptr<wire::Message> last_message;
    bool last_message_known = false;  // also true for "there is none"
    Following following = Following::kNo;
    bool wants_fill = false;
    bool fill_recovers = false;
    uint64_t fill_id = 0;   // of the fill under way
    int fill_failures = 0;  // in a row, that will hardly go away
    bool peeking = false;
    uint64_t last_active = 0;
    // Events of messages that wait while the conversation is being filled.
    std::vector<std::pair<wire::Event, upstream::AckTicket>> held;
  };
  using Conversations = std::map<std::string, Tracked>;

  // One reading back of one conversation, newest page first; emitted oldest first. Pages in the
  // middle of a long one are dropped on the way back and read again on the way forth, so that
  // memory is bounded by pages.
  struct Fill {
    std::string conversation_id;
    uint64_t id = 0;
    bool recovers = false;
    bool way_forth = false;                             // the way back has met what was seen
    std::vector<std::string> cursors;                   // of each page; the first is empty
    std::map<size_t, std::vector<wire::Message>> kept;  // pages still held, newest message first
    int pages_past_seen = -1;                           // -1: the last one seen was not met yet
    int emitted = 0;
  };

  static std::string MessagesPath(const std::string& conversation_id);

  // --- events (inbox.cc) ---
  void Handle(wire::Event& event, const upstream::AckTicket& ticket);
  void On(wire::SideCreated& event);
  void On(wire::SideEdited& event);
  void On(wire::SideDeleted& event);
  void OnMessageEvent(const std::string& conversation_id, wire::Event& event,
                      const upstream::AckTicket& ticket);
  void ApplyMessageEvent(Tracked& tracked, wire::Event& event, const upstream::AckTicket& ticket);
  void Apply(Tracked& tracked, wire::MessageCreated& event, const upstream::AckTicket& ticket);
  void Apply(Tracked& tracked, wire::MessageEdited& event, const upstream::AckTicket& ticket);
  void Apply(Tracked& tracked, wire::MessageDeleted& event, const upstream::AckTicket& ticket);
  Tracked& Track(const std::string& conversation_id);
  void SetSide(Tracked& tracked, wire::Conversation side);
  void LearnSide(const std::string& conversation_id);
  void Forget(const std::string& conversation_id);
  bool HasNews(const Tracked& tracked, const wire::ConversationDiff& diff) const;

  // --- coverage (inbox_coverage.cc) ---
  void BeginCoverage();
  void NoteActivity(UnixMillis activity);

  // --- the way out (inbox.cc) ---
  bool EmitSent(Tracked& tracked, wire::Message message, bool recovered,
                const upstream::AckTicket& ticket);
  void Send(Tracked& tracked, Outgoing outgoing);
  bool IsReady(const Outgoing& outgoing, MonoTime now) const;
  void AppendNow(const Tracked& tracked, const Outgoing& outgoing);
  void FlushWaiting();
  void FlushAllOf(Tracked& tracked);
  bool HoldsEvents(const Tracked& tracked) const;
  void NoteLastMessage(Tracked& tracked, const wire::Message& message);

  // --- reading (inbox_sync.cc) ---
  void StartSync();
  void ReadList();
  void ReadListPage(std::string cursor);
  void OnListPage(upstream::Page<wire::Conversation> page);
  void OnListed(wire::Conversation side);
  void EndList(bool complete);
  bool HasShownNews(const Tracked& tracked) const;
  static void CountAsHistory(Tracked& tracked, UnixMillis last_message_at);
  void ReadUnreadPage(std::string cursor);
  void EndUnreads();
  void RetrySync(const absl::Status& why);
  void FinishSync();
  void WantFill(Tracked& tracked, bool recovers);
  void StartFills();
  void BeginFill(Tracked& tracked);
  bool MakeRoom();
  void ReadFillSide(std::shared_ptr<Fill> fill);
  void ReadFillPage(std::shared_ptr<Fill> fill, size_t index);
  void OnFillPage(const std::shared_ptr<Fill>& fill, size_t index,
                  upstream::Page<wire::Message> page);
  bool ReachedSeen(Fill& fill, const Tracked& tracked,
                   const std::vector<wire::Message>& items) const;
  void EmitFrom(const std::shared_ptr<Fill>& fill, size_t index);
  void EndFill(const std::shared_ptr<Fill>& fill);
  Tracked* TargetOf(const Fill& fill);
  void OnFillFailed(const std::shared_ptr<Fill>& fill, const absl::Status& why);
  void Peek(Tracked& tracked);
  // `then` is dropped when the inbox is gone, or another login has begun meanwhile.
  template <typename T>
  void Ask(upstream::Request request, absl::StatusOr<T> (*parse)(const upstream::Reply&),
           std::function<void(absl::StatusOr<T>)> then);

  // --- the sweep (inbox_sweep.cc) ---
  // What a list showed of a conversation.
  struct Suspect {
    UnixMillis last_message_at = 0;
    bool is_unread = false;
    int64_t unread_count = 0;
  };
  void ScheduleSweep();
  void SweepSoon();
  void ReadAllAgain();
  void Sweep();
  bool IsBehind(const std::string& conversation_id, const Suspect& seen) const;
  void JudgeSuspects();

  // --- unreads (inbox_unreads.cc) ---
  void FlushUnreads();
  void PublishUnreads(bool stale);
  bool IsSettled(const Tracked& tracked) const;

  void AfterWork();

  const Options options_;
  InboxHost* const host_;
  const Clock& clock_;
  Random& random_;
  Senders senders_;
  Conversations conversations_;
  uint64_t activity_ = 0;

  // Sync.
  uint64_t login_ = 0;  // counts logins that lost state: answers to earlier questions are void
  bool connected_ = false;
  bool synced_ = false;
  bool synced_before_ = false;
  // A conversation that is not tracked had its last activity at or before this when the list was
  // read.
  UnixMillis floor_ = 0;
  UnixMillis newest_activity_ = 0;  // over all conversations, ever
  // What was said up to here has been seen: the newest activity when the view was complete last.
  UnixMillis covered_until_ = 0;
  // Of what was followed before the daemon's start, until the first sync: what is in the journal.
  std::map<std::string, Seen> restored_;
  // When newest_activity_ reached a value, local time. Two of them, kListMarginMillis of activity
  // or more apart.
  struct ActivityMark {
    UnixMillis activity = 0;
    UnixMillis at = 0;
  };
  ActivityMark mark_before_;
  ActivityMark newest_mark_;
  UnixMillis last_activity_at_ = 0;
  Coverage coverage_;     // said last
  bool syncing_ = false;  // from a login that lost state until the view is complete
  bool listing_ = false;  // the list of conversations is being read after an interruption
  MonoTime retry_sync_at_ = kNever;
  UnixMillis disconnected_at_ = 0;
  std::set<std::string> listed_;   // met by the present walk through a list
  std::set<std::string> touched_;  // changed by an event during this sync

  // Fills.
  std::deque<std::string> fill_queue_;
  int active_fills_ = 0;
  uint64_t last_fill_id_ = 0;
  MonoTime retry_fills_at_ = kNever;
  int peeks_ = 0;
  MonoTime retry_peeks_at_ = kNever;

  // Sweep.
  MonoTime sweep_at_ = kNever;
  std::map<std::string, Suspect> suspects_;  // of the last sweep, by conversation

  // Messages waiting for their sender's name, by conversation.
  std::map<std::string, std::deque<Outgoing>> waiting_;

  // Unreads.
  using UnreadKey = std::vector<std::tuple<std::string, int64_t, std::string>>;
  bool unreads_dirty_ = false;
  bool unreads_published_ = false;
  bool published_stale_ = false;
  MonoTime unreads_due_ = kNever;
  UnreadKey published_;

  std::shared_ptr<bool> alive_;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_INBOX_H_
