// The daemon's journal: one sequence of events, written by one thread, read by any number of
// cursors.
//
// An event is stored first and visible to readers afterwards. Recent events are also held in a ring
// in memory (one byte budget for all sessions, each session knows its own); a reader that falls out
// of the ring goes on from the store.
#ifndef TALKJSD_JOURNAL_JOURNAL_H_
#define TALKJSD_JOURNAL_JOURNAL_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/cursor.h"
#include "daemon/journal/event.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {

// Which events a reader wants; EventKind says which kinds pass unasked. Conversations and
// exclude_by_me narrow the message kinds only.
struct Selection {
  std::vector<std::string> session_ids;       // empty: all
  std::vector<std::string> conversation_ids;  // empty: all
  bool exclude_by_me = false;
  bool sent = true;
  bool edited = false;
  bool deleted = false;
  bool session_state = false;

  bool Matches(const StoredEvent& event) const;
};

struct StartPosition {
  enum class Kind { kNow, kCursor, kTime, kEarliest };
  Kind kind = Kind::kNow;
  Cursor cursor;        // kCursor
  UnixMillis time = 0;  // kTime: the first event appended at or after it
};

enum class OnGap { kFail, kContinue };

// Events between `from` and `to` are not available any more, or may have existed.
struct GapInfo {
  enum class Reason {
    kExpired,         // older than retention
    kJournalLost,     // `from` is of a journal that is not there
    kSegmentDamaged,  // a file of the store is damaged
    kSegmentMissing,  // a file of the store is missing
  };
  Cursor from;
  Cursor to;
  Reason reason = Reason::kExpired;
};

// A cursor into the journal over one selection. Owned by one stream; one thread at a time. Outlived
// by the journal.
class Reader {
 public:
  virtual ~Reader() = default;

  struct Batch {
    std::vector<EventRef> events;
    // Events were lost before these: set at most once a call, never with events before it.
    std::optional<GapInfo> gap;
  };
  // What follows, at most `max_events` and `max_bytes` of StoredEvent::bytes (one larger event
  // comes alone). An empty batch: nothing follows at present. OUT_OF_RANGE if events were lost and
  // it was opened with OnGap::kFail: CURSOR_EXPIRED (retention overtook this reader),
  // JOURNAL_SEGMENT_DAMAGED or JOURNAL_SEGMENT_MISSING. UNAVAILABLE (JOURNAL_UNAVAILABLE) if the
  // store cannot be read.
  virtual absl::StatusOr<Batch> Read(size_t max_events, size_t max_bytes) = 0;

  // Everything of the selection up to here has been returned by Read, also if nothing matched.
  virtual Cursor position() const = 0;

  // Calls `ready` once: as soon as there may be something after position(), at once if there is
  // now. It runs on the caller's or on the journal's notifying thread and must only hand over work.
  // It may be called without need. A new call replaces the earlier one; an empty function only
  // takes that back. After the Reader's destruction it is not called any more: the destructor waits
  // for a call under way on another thread, so do not destroy a Reader under a lock that `ready`
  // takes.
  virtual void NotifyWhenReady(std::function<void()> ready) = 0;
};

// Thread-safe.
class Journal {
 public:
  struct Options {
    size_t ring_bytes = 64 << 20;
    size_t max_group_events = 4096;
    // What waits for the store, of NewEvent::bytes: beyond it the journal is congested.
    size_t max_queued_bytes = 64 << 20;
  };

  // Opens a new epoch in the store and starts the writer. `clock`, `random` and `metrics` outlive
  // the journal.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(Options options,
                                                       std::unique_ptr<Store> store,
                                                       const Clock& clock, Random& random,
                                                       Metrics& metrics);
  virtual ~Journal() = default;

  // Hands events over, in order, from any thread; never blocks on the store. `stored` (may be null)
  // runs on the writer's thread when the group they went into is stored and visible, or has failed
  // for good at Close; after Close on the caller's thread. The events of one call become visible
  // together.
  virtual void Append(std::vector<NewEvent> events,
                      std::function<void(const absl::Status&)> stored = nullptr) = 0;

  // Whether so much waits for the store that nothing should be appended that can be had again
  // later: it takes what comes all the same. Congestion ends at half of its limit.
  virtual bool congested() const = 0;
  // OK, or why the store has not taken the last group, which is tried again.
  virtual absl::Status health() const = 0;

  // Where a reader would start, and the reader. Errors as promised in docs/api.md: OUT_OF_RANGE
  // with JOURNAL_LOST (epoch unknown) or CURSOR_EXPIRED (older than retention); with
  // OnGap::kContinue `*gap` is set instead and the reader starts at the earliest event. A sequence
  // beyond what survives of a known epoch continues after that epoch's last event.
  virtual absl::StatusOr<std::unique_ptr<Reader>> OpenReader(Selection selection,
                                                             StartPosition start, OnGap on_gap,
                                                             std::optional<GapInfo>* gap) = 0;

  // The sequence after which this cursor continues today, whatever of it survives; nothing if its
  // epoch is unknown. Of two cursors, the one with the higher result is further.
  virtual std::optional<uint64_t> Resolve(Cursor cursor) const = 0;

  virtual Cursor Latest() const = 0;
  // The cursor from which everything still held follows.
  virtual Cursor Earliest() const = 0;
  // When its newest event was appended; 0: it has none.
  virtual UnixMillis LastTime() const = 0;
  virtual uint64_t epoch() const = 0;
  virtual Retention retention() const = 0;
  virtual std::optional<Durability> durability() const = 0;

  // Stores what was handed over, then stops the writer; Append afterwards is refused. Readers go
  // on. Idempotent.
  virtual void Close() = 0;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_JOURNAL_H_
