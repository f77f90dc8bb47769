// "journal.meta": what the journal consists of, so that a missing file is noticed, and every epoch.
//
// An SQLite database with application_id and user_version as a segment's, and the tables
//   about(name TEXT PRIMARY KEY, value)                       'written_by'
//   segments(number INTEGER PRIMARY KEY, first_sequence)      the files that there should be
//   epochs(position INTEGER PRIMARY KEY, epoch, first_sequence)
// A segment is entered here after it has been made and before it gets its first event.
#ifndef TALKJSD_JOURNAL_JOURNAL_META_H_
#define TALKJSD_JOURNAL_JOURNAL_META_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/journal/database.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {

inline constexpr char kMetaName[] = "journal.meta";

// Thread-safe. Every change is durable when it returns. Errors are those of Database.
class JournalMeta {
 public:
  // Made if there is none. A damaged one is put aside as "journal.meta.damaged" and made anew: the
  // segments know nearly all of it.
  static absl::StatusOr<std::unique_ptr<JournalMeta>> Open(const std::string& directory,
                                                           const std::string& vfs);
  // For looking only.
  static absl::StatusOr<std::unique_ptr<JournalMeta>> OpenReadOnly(const std::string& directory);

  // First sequences by number.
  absl::StatusOr<std::map<uint64_t, uint64_t>> Segments();
  absl::Status AddSegment(uint64_t number, uint64_t first_sequence);
  absl::Status DropSegment(uint64_t number);
  absl::StatusOr<std::vector<EpochStart>> Epochs();
  // In the place of those that are there.
  absl::Status SetEpochs(const std::vector<EpochStart>& epochs);

 private:
  explicit JournalMeta(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  static absl::StatusOr<std::unique_ptr<JournalMeta>> OpenOrMake(const std::string& path,
                                                                 const std::string& vfs);

  Mutex mutex_;
  const std::unique_ptr<Database> database_;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_JOURNAL_META_H_
