#include "daemon/journal/epochs.h"

#include <algorithm>

namespace talkjsd::journal {

Cursor Epochs::At(uint64_t sequence) const {
  const auto later = std::partition_point(
      starts_.begin(), starts_.end(),
      [sequence](const EpochStart& start) { return start.first_sequence <= sequence; });
  const EpochStart& start = later == starts_.begin() ? starts_.front() : *(later - 1);
  return {start.epoch, sequence};
}

std::optional<uint64_t> Epochs::Resolve(Cursor cursor, uint64_t latest) const {
  const auto found =
      std::find_if(starts_.begin(), starts_.end(),
                   [cursor](const EpochStart& start) { return start.epoch == cursor.epoch; });
  if (found == starts_.end()) return std::nullopt;
  const auto next = found + 1;
  const uint64_t end = next == starts_.end() ? latest : next->first_sequence - 1;
  return std::min(cursor.sequence, end);
}

}  // namespace talkjsd::journal
