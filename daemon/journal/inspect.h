// Looks at a journal on disk without changing it, also while a daemon uses it: talkjsctl journal.
#ifndef TALKJSD_JOURNAL_INSPECT_H_
#define TALKJSD_JOURNAL_INSPECT_H_

#include <absl/status/statusor.h>

#include <string>
#include <vector>

#include "daemon/journal/store.h"

namespace talkjsd::journal {

struct SegmentReport {
  std::string file;  // its name
  uint64_t first_sequence = 0;
  uint64_t last_sequence = 0;  // first_sequence - 1: no events
  UnixMillis first_time = 0;   // 0: no events
  UnixMillis last_time = 0;
  size_t bytes = 0;  // with its log
  bool has_index = false;
  std::string written_by;
  // Epochs that were opened while it was the newest file.
  std::vector<EpochStart> epochs;
  std::vector<std::string> problems;  // for a person
};

struct JournalReport {
  std::string directory;
  std::vector<SegmentReport> segments;  // oldest first, missing ones included
  std::vector<EpochStart> epochs;       // all that are known, oldest first
  std::vector<std::string> problems;    // of the journal as a whole

  bool is_sound() const;
};

enum class Thoroughness {
  kLook,    // what the files say of themselves
  kVerify,  // SQLite's integrity check, every event's checksum, no sequence missing
};

// `directory`: the journal's, or the state directory that it is in. Fails if there is no journal
// or it cannot be read at all; what is wrong with it is in the report.
absl::StatusOr<JournalReport> InspectJournal(const std::string& directory,
                                             Thoroughness thoroughness);

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_INSPECT_H_
