#include "daemon/journal/reader.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <utility>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

constexpr size_t kMaxChunk = 256;
constexpr size_t kMinChunk = 16;

void SortDistinct(std::vector<std::string>& ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
}

enum class Verdict { kPasses, kDropped, kIfMessageMatches };

Verdict JudgeKind(const Selection& selection, EventKind kind) {
  const auto only_if = [](bool followed, Verdict then) {
    return followed ? then : Verdict::kDropped;
  };
  switch (kind) {
    case EventKind::kSent:
      return only_if(selection.sent, Verdict::kIfMessageMatches);
    case EventKind::kEdited:
      return only_if(selection.edited, Verdict::kIfMessageMatches);
    case EventKind::kDeleted:
      return only_if(selection.deleted, Verdict::kIfMessageMatches);
    case EventKind::kUncertainEdits:
      return only_if(selection.edited || selection.deleted, Verdict::kPasses);
    case EventKind::kSessionState:
      return only_if(selection.session_state, Verdict::kPasses);
    case EventKind::kGap:
    case EventKind::kSessionDestroyed:
      return Verdict::kPasses;
  }
  return Verdict::kDropped;
}

}  // namespace

bool Selection::Matches(const StoredEvent& event) const {
  const auto chosen = [](const std::vector<std::string>& ids, const std::string& id) {
    return ids.empty() || std::find(ids.begin(), ids.end(), id) != ids.end();
  };
  if (!chosen(session_ids, event.session_id)) return false;
  const Verdict verdict = JudgeKind(*this, event.kind);
  if (verdict != Verdict::kIfMessageMatches) return verdict == Verdict::kPasses;
  return !(exclude_by_me && event.by_me) && chosen(conversation_ids, event.conversation_id);
}

absl::Status CursorExpired(std::string_view what, Cursor earliest) {
  std::string message(what);
  message.append("; open the stream with earliest or now, or set on_gap to CONTINUE");
  return WithMetadata(MakeError(absl::StatusCode::kOutOfRange,
                                talkjs::sidecar::v1::ERROR_REASON_CURSOR_EXPIRED, message),
                      "earliest_cursor", absl::Base64Escape(EncodeCursor(earliest)));
}

absl::Status EventsLost(const Hole& hole, Cursor next) {
  std::string message("a file of the journal is ");
  message.append(hole.missing ? "missing" : "damaged")
      .append(
          ", and the events that follow are lost; open the stream with the cursor in next_cursor, "
          "or set on_gap to CONTINUE");
  return WithMetadata(
      MakeError(absl::StatusCode::kOutOfRange,
                hole.missing ? talkjs::sidecar::v1::ERROR_REASON_JOURNAL_SEGMENT_MISSING
                             : talkjs::sidecar::v1::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED,
                message),
      "next_cursor", absl::Base64Escape(EncodeCursor(next)));
}

struct JournalReader::Progress {
  Batch batch;
  size_t events_left;
  size_t bytes_left;
  std::vector<EventRef> fetched;  // reused by the steps

  bool empty() const { return batch.events.empty(); }
  // False if it does not fit. One larger event comes alone.
  bool Take(EventRef event) {
    const size_t size = event->bytes.size();
    if (events_left == 0 || (size > bytes_left && !empty())) return false;
    --events_left;
    bytes_left -= std::min(bytes_left, size);
    batch.events.push_back(std::move(event));
    return true;
  }
};

JournalReader::JournalReader(ReadSide& side, Selection selection, OnGap on_gap,
                             std::optional<uint64_t> position)
    : side_(side),
      selection_(std::move(selection)),
      on_gap_(on_gap),
      watcher_(std::make_shared<Watcher>()),
      chunk_(kMaxChunk) {
  SortDistinct(selection_.session_ids);
  SortDistinct(selection_.conversation_ids);
  MutexLock lock(side_.mutex);
  position_ = position.value_or(side_.ring.last_sequence());
  for (const std::string& id : selection_.session_ids) {
    Ring::Session* session = side_.ring.GetSession(id);
    side_.ring.AddWatcher(session, watcher_.get());
    sessions_.push_back(session);
    const_sessions_.push_back(session);
  }
  if (sessions_.empty()) side_.watchers.push_back(watcher_.get());
}

JournalReader::~JournalReader() {
  {
    MutexLock lock(side_.mutex);
    for (Ring::Session* session : sessions_) side_.ring.RemoveWatcher(session, watcher_.get());
    if (sessions_.empty()) std::erase(side_.watchers, watcher_.get());
  }
  watcher_->Stop();
}

// Selection::Matches for an event that is of our sessions, with the ids sorted.
bool JournalReader::Wants(const StoredEvent& event) const {
  const Verdict verdict = JudgeKind(selection_, event.kind);
  if (verdict != Verdict::kIfMessageMatches) return verdict == Verdict::kPasses;
  if (selection_.exclude_by_me && event.by_me) return false;
  const std::vector<std::string>& conversations = selection_.conversation_ids;
  return conversations.empty() ||
         std::binary_search(conversations.begin(), conversations.end(), event.conversation_id);
}

bool JournalReader::RingCovers() const {
  if (sessions_.empty()) return position_ >= side_.ring.floor();
  return std::all_of(sessions_.begin(), sessions_.end(), [this](const Ring::Session* session) {
    return position_ >= session->complete_after;
  });
}

bool JournalReader::HasNews() const {
  if (!RingCovers()) return true;
  if (sessions_.empty()) return side_.ring.last_sequence() > position_;
  return std::any_of(sessions_.begin(), sessions_.end(), [this](const Ring::Session* session) {
    return session->last_sequence > position_;
  });
}

absl::StatusOr<Reader::Batch> JournalReader::Read(size_t max_events, size_t max_bytes) {
  Progress progress{.batch = {}, .events_left = max_events, .bytes_left = max_bytes, .fetched = {}};
  for (;;) {
    progress.fetched.clear();
    uint64_t visible = 0;
    absl::StatusOr<Next> next = Next::kDone;
    if (const std::optional<Next> from_ring = ReadRing(progress, &visible)) {
      next = *from_ring;
    } else {
      next = ReadStore(progress, visible);
    }
    if (!next.ok()) {
      // What was found before the trouble is good; the next call meets the trouble first.
      if (!progress.empty() || progress.batch.gap.has_value()) break;
      return next.status();
    }
    if (*next == Next::kDone) break;
  }
  return std::move(progress.batch);
}

std::optional<JournalReader::Next> JournalReader::ReadRing(Progress& progress, uint64_t* visible) {
  const Ring::Limit limit{.events = progress.events_left,
                          .bytes = progress.bytes_left,
                          .first_always = progress.empty()};
  progress.fetched.reserve(std::min(limit.events, kMaxChunk));
  bool complete = false;
  {
    MutexLock lock(side_.mutex);
    *visible = side_.ring.last_sequence();
    if (!RingCovers()) return std::nullopt;
    complete = sessions_.empty()
                   ? side_.ring.Read(position_, limit, &progress.fetched)
                   : side_.ring.Read(const_sessions_, position_, limit, &progress.fetched);
  }
  const bool fetched_any = !progress.fetched.empty();
  for (EventRef& event : progress.fetched) {
    const uint64_t sequence = event->cursor.sequence;
    if (Wants(*event) && !progress.Take(std::move(event))) return Next::kDone;
    position_ = sequence;
  }
  if (complete) {
    position_ = std::max(position_, *visible);
    return Next::kDone;
  }
  return fetched_any && progress.events_left > 0 ? Next::kAgain : Next::kDone;
}

absl::StatusOr<JournalReader::Next> JournalReader::ReadStore(Progress& progress, uint64_t visible) {
  uint64_t scanned_to = position_;
  absl::StatusOr<std::vector<EventRef>> events =
      side_.store.Read(selection_.session_ids, position_, chunk_, &scanned_to);
  // Asked afterwards: retention may have passed us while we were reading, and that it has is asked
  // last, for it takes holes along.
  const std::optional<Hole> hole = side_.store.HoleAt(position_);
  const uint64_t pruned = side_.store.PrunedTo();
  if (pruned > position_) return SkipPruned(pruned, progress);
  if (hole.has_value()) return SkipHole(*hole, progress);
  if (!events.ok()) {
    return MakeError(absl::StatusCode::kUnavailable,
                     talkjs::sidecar::v1::ERROR_REASON_JOURNAL_UNAVAILABLE,
                     std::string("the journal cannot be read: ")
                         .append(MessageOf(events.status()))
                         .append("; reopen the stream with the last cursor later, and have the "
                                 "operator look at the daemon's log"));
  }
  size_t used = 0;
  for (EventRef& event : *events) {
    const uint64_t sequence = event->cursor.sequence;
    // Stored, and about to become visible.
    if (sequence > visible) break;
    if (Wants(*event) && !progress.Take(std::move(event))) {
      // Do not read again and again what does not fit into a batch.
      chunk_ = std::clamp(used + used / 4, kMinChunk, kMaxChunk);
      return Next::kDone;
    }
    position_ = sequence;
    ++used;
  }
  chunk_ = std::min(chunk_ * 2, kMaxChunk);
  // Finding nothing and not getting on is the end, too: all that is visible was stored before.
  if (events->empty() && scanned_to <= position_) scanned_to = visible;
  position_ = std::max(position_, std::min(scanned_to, visible));
  // A chunk that has something is a batch: filling up would read more than it uses.
  return progress.empty() ? Next::kAgain : Next::kDone;
}

absl::StatusOr<JournalReader::Next> JournalReader::SkipPruned(uint64_t pruned, Progress& progress) {
  if (on_gap_ == OnGap::kFail && progress.empty()) {
    return CursorExpired(
        "the stream fell behind the journal's retention and events were lost to it",
        side_.epochs.At(pruned));
  }
  return SkipTo(pruned, GapInfo::Reason::kExpired, progress);
}

absl::StatusOr<JournalReader::Next> JournalReader::SkipHole(const Hole& hole, Progress& progress) {
  if (on_gap_ == OnGap::kFail && progress.empty()) {
    return EventsLost(hole, side_.epochs.At(hole.to));
  }
  return SkipTo(hole.to,
                hole.missing ? GapInfo::Reason::kSegmentMissing : GapInfo::Reason::kSegmentDamaged,
                progress);
}

JournalReader::Next JournalReader::SkipTo(uint64_t to, GapInfo::Reason reason, Progress& progress) {
  // A gap comes before the events of its batch.
  if (!progress.empty()) return Next::kDone;
  std::optional<GapInfo>& gap = progress.batch.gap;
  // Each reason is told by itself.
  if (gap.has_value() && gap->reason != reason) return Next::kDone;
  if (!gap.has_value()) {
    gap = GapInfo{.from = side_.epochs.At(position_), .to = {}, .reason = reason};
  }
  gap->to = side_.epochs.At(to);
  position_ = to;
  return Next::kAgain;
}

void JournalReader::NotifyWhenReady(std::function<void()> ready) {
  const bool wanted = ready != nullptr;
  std::function<void()> replaced;  // freed after the lock
  {
    MutexLock lock(side_.mutex);
    watcher_->armed = wanted && !HasNews();
    if (watcher_->armed) {
      watcher_->Swap(ready);
      return;
    }
    watcher_->Swap(replaced);
  }
  if (wanted) ready();
}

}  // namespace talkjsd::journal
