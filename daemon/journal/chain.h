// The journal's files as they are found when it is opened, damage included.
#ifndef TALKJSD_JOURNAL_CHAIN_H_
#define TALKJSD_JOURNAL_CHAIN_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "daemon/journal/journal_meta.h"
#include "daemon/journal/segment.h"
#include "daemon/journal/segment_file.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {

struct Chain {
  // Oldest first, each beginning where the one before it ends: what is lost is a hole in one.
  std::vector<std::shared_ptr<Segment>> segments;
  // Oldest first.
  std::vector<EpochStart> epochs;
  uint64_t next_number = 1;
  uint64_t next_sequence = 1;
  // The newest one, if it is whole: it takes further events.
  std::unique_ptr<SegmentFile> writable;
};

// Reads what `directory` has and repairs the list in `meta`. Files that are damaged or missing are
// logged and become holes; how much a lost newest file held is not known, so that its hole is large
// enough for any. Fails only if a file is of a newer format, or cannot be opened for a reason that
// the operator can remove.
absl::StatusOr<Chain> LoadChain(const std::string& directory, JournalMeta& meta,
                                const FileAccess& access);

// The numbers of the segments in a directory.
absl::StatusOr<std::vector<uint64_t>> ListSegments(const std::string& directory);

// The bytes that a database and its log take.
size_t SizeOnDisk(const std::string& path);

// Removes a database with all that SQLite keeps beside it.
void RemoveDatabase(const std::string& path);

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_CHAIN_H_
