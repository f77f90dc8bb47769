#include "daemon/journal/journal.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/mutex.h"
#include "daemon/journal/epochs.h"
#include "daemon/journal/reader.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

constexpr Duration kFirstRetry = std::chrono::milliseconds(100);
constexpr Duration kLastRetry = std::chrono::seconds(5);
// How long retention by age may lag while nothing is appended.
constexpr Duration kPruneInterval = std::chrono::seconds(10);
constexpr auto kMaxClockStep = std::chrono::hours(24);

struct Pending {
  std::vector<NewEvent> events;
  std::function<void(const absl::Status&)> stored;
};

size_t BytesOf(const std::vector<NewEvent>& events) {
  size_t bytes = 0;
  for (const NewEvent& event : events) bytes += event.bytes.size();
  return bytes;
}

// Append times do not fall, also not from one start to the next: unless the clock was so wrong that
// keeping to it would stop retention.
UnixMillis LastAppendTime(const Store& store, const Clock& clock) {
  const UnixMillis last = store.LastTime();
  const UnixMillis ahead = last - clock.WallMillis();
  if (ahead <= std::chrono::milliseconds(kMaxClockStep).count()) return last;
  LogWarning("the clock was set back since the journal's last event", {{"milliseconds", ahead}});
  return 0;
}

class JournalImpl final : public Journal {
 public:
  JournalImpl(Options options, std::unique_ptr<Store> store, Epochs epochs, const Clock& clock,
              Metrics& metrics)
      : options_(options),
        store_(std::move(store)),
        clock_(clock),
        metrics_(metrics),
        side_(*store_, std::move(epochs)),
        next_sequence_(side_.epochs.first_sequence()),
        last_append_time_(LastAppendTime(*store_, clock)),
        writer_([this] { Write(); }) {}
  ~JournalImpl() override { Close(); }

  void Append(std::vector<NewEvent> events,
              std::function<void(const absl::Status&)> stored) override;
  absl::StatusOr<std::unique_ptr<Reader>> OpenReader(Selection selection, StartPosition start,
                                                     OnGap on_gap,
                                                     std::optional<GapInfo>* gap) override;
  std::optional<uint64_t> Resolve(Cursor cursor) const override {
    return side_.epochs.Resolve(cursor, LatestSequence());
  }
  Cursor Latest() const override { return side_.epochs.At(LatestSequence()); }
  Cursor Earliest() const override { return side_.epochs.At(store_->PrunedTo()); }
  UnixMillis LastTime() const override { return store_->LastTime(); }
  uint64_t epoch() const override { return side_.epochs.present(); }
  Retention retention() const override { return store_->retention(); }
  std::optional<Durability> durability() const override { return store_->durability(); }
  bool congested() const override { return congested_; }
  absl::Status health() const override {
    MutexLock lock(queue_mutex_);
    return trouble_;
  }
  void Close() override;

 private:
  uint64_t LatestSequence() const {
    MutexLock lock(side_.mutex);
    return side_.ring.last_sequence();
  }
  absl::StatusOr<uint64_t> ResolveCursor(Cursor cursor, OnGap on_gap,
                                         std::optional<GapInfo>* gap) const;

  void NoteQueued() ABSL_EXCLUSIVE_LOCKS_REQUIRED(queue_mutex_);

  // On the writer's thread.
  void Forget(size_t bytes);
  void SetTrouble(const absl::Status& trouble);
  void Write();
  // What was appended meanwhile, as one group; false when there is nothing more to come.
  bool TakeGroup(std::vector<Pending>* group);
  std::vector<EventRef> Number(std::vector<Pending>& group);
  absl::Status StoreWithRetries(const std::vector<EventRef>& events);
  void Publish(const std::vector<EventRef>& events);
  void Prune();
  bool closing();

  const Options options_;
  const std::unique_ptr<Store> store_;
  const Clock& clock_;
  Metrics& metrics_;
  mutable ReadSide side_;

  mutable Mutex queue_mutex_;
  CondVar appended_;
  std::deque<Pending> queue_ ABSL_GUARDED_BY(queue_mutex_);
  // Of the queue and of the group that is being stored.
  size_t queued_bytes_ ABSL_GUARDED_BY(queue_mutex_) = 0;
  absl::Status trouble_ ABSL_GUARDED_BY(queue_mutex_);
  std::atomic<bool> congested_ = false;  // written under queue_mutex_
  bool closing_ ABSL_GUARDED_BY(queue_mutex_) = false;
  std::once_flag closed_;

  // Of the writer's thread alone.
  uint64_t next_sequence_;
  UnixMillis last_append_time_;
  absl::Status given_up_;

  std::thread writer_;  // last: it uses all of the above
};

void JournalImpl::Append(std::vector<NewEvent> events,
                         std::function<void(const absl::Status&)> stored) {
  const size_t bytes = BytesOf(events);
  {
    MutexLock lock(queue_mutex_);
    if (!closing_) {
      queued_bytes_ += bytes;
      NoteQueued();
      queue_.push_back({std::move(events), std::move(stored)});
      if (queue_.size() == 1) appended_.NotifyAll();
      return;
    }
  }
  if (stored) {
    stored(MakeError(absl::StatusCode::kUnavailable, pb::ERROR_REASON_DRAINING,
                     "the daemon is shutting down and its journal takes no more events; try again "
                     "when it has started"));
  }
}

void JournalImpl::NoteQueued() {
  metrics_.journal_queued_bytes->Set(static_cast<double>(queued_bytes_));
  if (queued_bytes_ > options_.max_queued_bytes) congested_ = true;
  if (queued_bytes_ <= options_.max_queued_bytes / 2) congested_ = false;
}

void JournalImpl::Forget(size_t bytes) {
  MutexLock lock(queue_mutex_);
  queued_bytes_ -= bytes;
  NoteQueued();
}

void JournalImpl::SetTrouble(const absl::Status& trouble) {
  MutexLock lock(queue_mutex_);
  trouble_ = trouble;
}

void JournalImpl::Close() {
  std::call_once(closed_, [this] {
    {
      MutexLock lock(queue_mutex_);
      closing_ = true;
      appended_.NotifyAll();
    }
    writer_.join();
  });
}

bool JournalImpl::closing() {
  MutexLock lock(queue_mutex_);
  return closing_;
}

void JournalImpl::Write() {
  Prune();
  std::vector<Pending> group;
  while (TakeGroup(&group)) {
    size_t bytes = 0;
    for (const Pending& pending : group) bytes += BytesOf(pending.events);
    const std::vector<EventRef> events = Number(group);
    absl::Status status = given_up_;
    if (status.ok() && !events.empty()) {
      status = StoreWithRetries(events);
      given_up_ = status;
      if (status.ok()) Publish(events);
    }
    for (Pending& pending : group) {
      if (pending.stored) pending.stored(status);
    }
    group.clear();
    if (bytes > 0) Forget(bytes);
    if (status.ok()) Prune();
  }
}

bool JournalImpl::TakeGroup(std::vector<Pending>* group) {
  const MonoTime prune_at = SystemClock().Now() + kPruneInterval;
  MutexLock lock(queue_mutex_);
  while (queue_.empty()) {
    if (closing_) return false;
    if (!appended_.WaitUntil(queue_mutex_, prune_at)) return true;
  }
  size_t events = 0;
  do {
    events += queue_.front().events.size();
    group->push_back(std::move(queue_.front()));
    queue_.pop_front();
  } while (!queue_.empty() && events + queue_.front().events.size() <= options_.max_group_events);
  return true;
}

std::vector<EventRef> JournalImpl::Number(std::vector<Pending>& group) {
  // A clock that is set back must not disorder what is searched by time.
  last_append_time_ = std::max(last_append_time_, clock_.WallMillis());
  std::vector<EventRef> events;
  for (Pending& pending : group) {
    for (NewEvent& event : pending.events) {
      auto stored = std::make_shared<StoredEvent>();
      stored->cursor = {side_.epochs.present(), next_sequence_++};
      stored->append_time = last_append_time_;
      stored->session_id = std::move(event.session_id);
      stored->conversation_id = std::move(event.conversation_id);
      stored->kind = event.kind;
      stored->by_me = event.by_me;
      stored->bytes = std::move(event.bytes);
      PlaceCursor(stored->cursor, &stored->bytes);
      events.push_back(std::move(stored));
    }
    pending.events.clear();
  }
  return events;
}

absl::Status JournalImpl::StoreWithRetries(const std::vector<EventRef>& events) {
  const MonoTime start = clock_.Now();
  Duration delay = kFirstRetry;
  for (bool failed_before = false;; failed_before = true) {
    const bool last_attempt = closing();
    const absl::Status status = store_->Append(events);
    if (status.ok()) {
      if (failed_before) {
        LogInfo("the journal can be written again");
        SetTrouble(absl::OkStatus());
      }
      metrics_.group_events->Observe(static_cast<double>(events.size()));
      metrics_.commit_seconds->Observe(std::chrono::duration<double>(clock_.Now() - start).count());
      return status;
    }
    metrics_.store_errors->Increment();
    if (last_attempt) {
      LogError("the journal cannot be written and the daemon is shutting down: events are lost",
               {{"error", MessageOf(status)}, {"events", events.size()}});
      return MakeError(absl::StatusCode::kUnavailable, pb::ERROR_REASON_JOURNAL_UNAVAILABLE,
                       std::string("the journal could not be written before the daemon's end: ")
                           .append(MessageOf(status)));
    }
    if (!failed_before) {
      LogError("the journal cannot be written; trying again until it can",
               {{"error", MessageOf(status)}});
    }
    SetTrouble(status);
    // What retention drops may be the space that is missing.
    Prune();
    const MonoTime retry_at =
        SystemClock().Now() + std::chrono::duration_cast<MonoTime::duration>(delay);
    delay = std::min(delay * 2, kLastRetry);
    MutexLock lock(queue_mutex_);
    while (!closing_ && appended_.WaitUntil(queue_mutex_, retry_at)) {
    }
  }
}

void JournalImpl::Publish(const std::vector<EventRef>& events) {
  std::vector<std::shared_ptr<Watcher>> woken;
  const auto wake = [&woken](const std::vector<Watcher*>& watchers) {
    for (Watcher* watcher : watchers) {
      if (!watcher->armed) continue;
      watcher->armed = false;
      woken.push_back(watcher->shared_from_this());
    }
  };
  std::vector<EventRef> evicted;  // freed after the lock
  {
    MutexLock lock(side_.mutex);
    Ring& ring = side_.ring;
    const uint64_t visible_before = ring.last_sequence();
    Ring::Session* session = nullptr;
    for (const EventRef& event : events) {
      if (session == nullptr || *session->id != event->session_id) {
        session = ring.GetSession(event->session_id);
      }
      const bool first_of_group = session->last_sequence <= visible_before;
      ring.Append(event, session);
      if (first_of_group) wake(session->watchers);
    }
    wake(side_.watchers);
    while (ring.cost() > options_.ring_bytes) ring.EvictOldest(&evicted);
  }
  std::array<double, Metrics::kEventKinds.size()> kinds{};
  for (const EventRef& event : events) ++kinds[static_cast<size_t>(event->kind)];
  for (size_t kind = 0; kind < kinds.size(); ++kind) {
    if (kinds[kind] > 0) metrics_.events_appended[kind]->Increment(kinds[kind]);
  }
  for (const std::shared_ptr<Watcher>& watcher : woken) watcher->Fire();
}

void JournalImpl::Prune() {
  store_->Prune(std::max(last_append_time_, clock_.WallMillis()));
  metrics_.journal_events->Set(static_cast<double>(store_->events()));
  metrics_.journal_bytes->Set(static_cast<double>(store_->bytes()));
  // What retention has dropped leaves memory too.
  const uint64_t pruned = store_->PrunedTo();
  std::vector<EventRef> evicted;  // freed after the lock
  MutexLock lock(side_.mutex);
  while (side_.ring.floor() < pruned && side_.ring.events() > 0) side_.ring.EvictOldest(&evicted);
}

absl::StatusOr<uint64_t> JournalImpl::ResolveCursor(Cursor cursor, OnGap on_gap,
                                                    std::optional<GapInfo>* gap) const {
  const uint64_t pruned = store_->PrunedTo();
  const std::optional<uint64_t> sequence = side_.epochs.Resolve(cursor, LatestSequence());
  if (sequence.has_value() && *sequence >= pruned) return *sequence;
  if (on_gap == OnGap::kContinue) {
    *gap = GapInfo{
        .from = cursor,
        .to = side_.epochs.At(pruned),
        .reason = sequence.has_value() ? GapInfo::Reason::kExpired : GapInfo::Reason::kJournalLost};
    return pruned;
  }
  if (!sequence.has_value()) {
    return MakeError(absl::StatusCode::kOutOfRange, pb::ERROR_REASON_JOURNAL_LOST,
                     "the cursor is of a journal that this daemon does not have; open the stream "
                     "with earliest or now, or set on_gap to CONTINUE");
  }
  return CursorExpired("the cursor is older than what the journal keeps", side_.epochs.At(pruned));
}

absl::StatusOr<std::unique_ptr<Reader>> JournalImpl::OpenReader(Selection selection,
                                                                StartPosition start, OnGap on_gap,
                                                                std::optional<GapInfo>* gap) {
  std::optional<GapInfo> found_gap;
  std::optional<uint64_t> position;
  switch (start.kind) {
    case StartPosition::Kind::kNow:
      break;
    case StartPosition::Kind::kEarliest:
      position = store_->PrunedTo();
      break;
    case StartPosition::Kind::kTime: {
      const absl::StatusOr<uint64_t> before = store_->SequenceBefore(start.time);
      if (!before.ok()) {
        return MakeError(absl::StatusCode::kUnavailable, pb::ERROR_REASON_JOURNAL_UNAVAILABLE,
                         std::string("the journal cannot be searched by time: ")
                             .append(MessageOf(before.status()))
                             .append("; open the stream with a cursor, or try again later"));
      }
      position =
          std::clamp(*before, store_->PrunedTo(), std::max(store_->PrunedTo(), LatestSequence()));
      break;
    }
    case StartPosition::Kind::kCursor: {
      const absl::StatusOr<uint64_t> resolved = ResolveCursor(start.cursor, on_gap, &found_gap);
      if (!resolved.ok()) return resolved.status();
      position = *resolved;
      break;
    }
  }
  if (gap != nullptr) *gap = found_gap;
  return std::make_unique<JournalReader>(side_, std::move(selection), on_gap, position);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Journal>> Journal::Open(Options options,
                                                       std::unique_ptr<Store> store,
                                                       const Clock& clock, Random& random,
                                                       Metrics& metrics) {
  absl::StatusOr<std::vector<EpochStart>> epochs = store->OpenEpoch(random.Next());
  if (!epochs.ok()) return WithContext(epochs.status(), "opening the journal");
  return std::make_unique<JournalImpl>(options, std::move(store), Epochs(*std::move(epochs)), clock,
                                       metrics);
}

}  // namespace talkjsd::journal
