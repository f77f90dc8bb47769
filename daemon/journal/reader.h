// The reading half of the journal: what the writer has made visible, and the cursors into it.
#ifndef TALKJSD_JOURNAL_READER_H_
#define TALKJSD_JOURNAL_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/journal/epochs.h"
#include "daemon/journal/journal.h"
#include "daemon/journal/ring.h"
#include "daemon/journal/store.h"
#include "daemon/journal/watcher.h"

namespace talkjsd::journal {

// Shared by the writer and all readers; outlives the readers. The lock is held while references are
// copied, never during store I/O or a callback.
struct ReadSide {
  ReadSide(const Store& the_store, Epochs the_epochs)
      : store(the_store), epochs(std::move(the_epochs)), ring(epochs.first_sequence() - 1) {}

  const Store& store;
  const Epochs epochs;

  Mutex mutex;
  // Ring::last_sequence() is the last visible event.
  Ring ring ABSL_GUARDED_BY(mutex);
  // Of the readers of all sessions.
  std::vector<Watcher*> watchers ABSL_GUARDED_BY(mutex);
};

// CURSOR_EXPIRED, with the earliest cursor as the errors' documentation has it.
absl::Status CursorExpired(std::string_view what, Cursor earliest);
// JOURNAL_SEGMENT_DAMAGED or _MISSING, with the cursor behind the hole.
absl::Status EventsLost(const Hole& hole, Cursor next);

class JournalReader final : public Reader {
 public:
  // Starts after `position`; nothing: after the last visible event.
  JournalReader(ReadSide& side, Selection selection, OnGap on_gap,
                std::optional<uint64_t> position);
  ~JournalReader() override;
  JournalReader(const JournalReader&) = delete;
  JournalReader& operator=(const JournalReader&) = delete;

  absl::StatusOr<Batch> Read(size_t max_events, size_t max_bytes) override;
  Cursor position() const override { return side_.epochs.At(position_); }
  void NotifyWhenReady(std::function<void()> ready) override;

 private:
  // What is left of a Read's limits, and what it has got so far.
  struct Progress;
  enum class Next { kAgain, kDone };

  bool Wants(const StoredEvent& event) const;
  // Whether the ring holds all that follows position_.
  bool RingCovers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(side_.mutex);
  bool HasNews() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(side_.mutex);

  // One step of Read: from the ring if it reaches back to position_ (nothing otherwise), or from
  // the store.
  std::optional<Next> ReadRing(Progress& progress, uint64_t* visible);
  absl::StatusOr<Next> ReadStore(Progress& progress, uint64_t visible);
  // Retention has passed position_.
  absl::StatusOr<Next> SkipPruned(uint64_t pruned, Progress& progress);
  // position_ is in it.
  absl::StatusOr<Next> SkipHole(const Hole& hole, Progress& progress);
  Next SkipTo(uint64_t to, GapInfo::Reason reason, Progress& progress);

  ReadSide& side_;
  Selection selection_;  // ids sorted and distinct
  const OnGap on_gap_;
  uint64_t position_ = 0;
  std::vector<Ring::Session*>
      sessions_;  // kept by our watcher; their contents belong to side_.mutex
  std::vector<const Ring::Session*> const_sessions_;
  const std::shared_ptr<Watcher> watcher_;
  size_t chunk_;  // events to ask the store for
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_READER_H_
