// Which epoch a sequence belongs to, and what a cursor of some epoch means today.
#ifndef TALKJSD_JOURNAL_EPOCHS_H_
#define TALKJSD_JOURNAL_EPOCHS_H_

#include <optional>
#include <utility>
#include <vector>

#include "daemon/journal/cursor.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {

// Immutable. `starts` is what Store::OpenEpoch returned: oldest first, the present epoch last,
// never empty.
class Epochs {
 public:
  explicit Epochs(std::vector<EpochStart> starts) : starts_(std::move(starts)) {}

  uint64_t present() const { return starts_.back().epoch; }
  uint64_t first_sequence() const { return starts_.back().first_sequence; }

  // The cursor after event `sequence`: with the epoch in which that event was written, so that it
  // keeps its meaning if the store should lose its end.
  Cursor At(uint64_t sequence) const;

  // The sequence after which a reader with this cursor goes on: the cursor's own, or the last one
  // that survives of its epoch if that is less (`latest`, for the present epoch). Nothing if the
  // epoch is unknown.
  std::optional<uint64_t> Resolve(Cursor cursor, uint64_t latest) const;

 private:
  const std::vector<EpochStart> starts_;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_EPOCHS_H_
