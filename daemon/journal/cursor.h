// A place in the journal, as clients keep it: opaque bytes of fixed length.
//
// Layout: 1 byte version (1), 8 bytes epoch, 8 bytes sequence, both big-endian.
#ifndef TALKJSD_JOURNAL_CURSOR_H_
#define TALKJSD_JOURNAL_CURSOR_H_

#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace talkjsd::journal {

inline constexpr size_t kCursorBytes = 17;

// After event number `sequence` of the start of the daemon named `epoch`. Sequence 0 is before the
// first event.
struct Cursor {
  uint64_t epoch = 0;
  uint64_t sequence = 0;
  friend bool operator==(const Cursor&, const Cursor&) = default;
};

std::string EncodeCursor(Cursor cursor);
// INVALID_ARGUMENT, CURSOR_MALFORMED.
absl::StatusOr<Cursor> DecodeCursor(std::string_view bytes);

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_CURSOR_H_
