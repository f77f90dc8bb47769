// One file of the journal on disk, through one connection.
//
// Format 1. A segment is an SQLite database in WAL mode, named by its number ("00000042.segment"),
// with application_id kApplicationId, user_version = the format, and these tables:
//
//   about(name TEXT PRIMARY KEY, value)   'number' and 'first_sequence': integers;
//                                         'written_by': the version of talkjsd that made the file;
//                                         'index_checksum': of the index, once it is made
//   epochs(position INTEGER PRIMARY KEY, epoch, first_sequence)
//                                         every epoch known when the file was made, oldest first,
//                                         then those opened while it was the newest file
//   events(sequence INTEGER PRIMARY KEY, epoch, time, session, conversation, kind, by_me, bytes,
//          checksum)                      without holes from first_sequence on; time: of appending,
//                                         Unix milliseconds; kind: EventKind; bytes: as streamed;
//                                         checksum: RowChecksum of all the others
//   INDEX by_session ON events(session)   of a full file, once it is made
//
// 64-bit values above 2^63 are stored as negative ones.
#ifndef TALKJSD_JOURNAL_SEGMENT_FILE_H_
#define TALKJSD_JOURNAL_SEGMENT_FILE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/journal/database.h"
#include "daemon/journal/event.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {

inline constexpr int kJournalFormat = 1;
// No journal gets so far: what says more is damaged.
inline constexpr uint64_t kMaxSequence = uint64_t{1} << 60;
// How many a long reading asks for at once: a statement that is open for longer holds the log.
inline constexpr size_t kRowsAtATime = 256;

// Whether what a file holds is the trouble, and not the disk.
bool IsDamage(const absl::Status& status);
inline constexpr int kApplicationId = 0x746a7364;  // "tjsd"

struct FileAccess {
  Durability durability = Durability::kOs;
  std::string vfs;  // for tests
};

std::string SegmentName(uint64_t number);
std::optional<uint64_t> ParseSegmentName(std::string_view name);

uint64_t RowChecksum(const StoredEvent& event);

// Refuses what is not of our making (JOURNAL_SEGMENT_DAMAGED) or of a newer format
// (JOURNAL_FORMAT_NEWER, with the version that wrote it).
absl::Status CheckFormat(Database& database);

// One thread at a time. Errors are those of Database; what is in the file but makes no sense is
// JOURNAL_SEGMENT_DAMAGED.
class SegmentFile {
 public:
  struct Head {
    uint64_t number = 0;
    uint64_t first_sequence = 0;
  };
  struct Bounds {
    uint64_t last = 0;
    UnixMillis first_time = 0;
    UnixMillis last_time = 0;
  };

  // A new file, for writing. Fails if there is one; leaves none behind when it fails.
  static absl::StatusOr<std::unique_ptr<SegmentFile>> Create(const std::string& path, Head head,
                                                             const std::vector<EpochStart>& epochs,
                                                             const FileAccess& access);
  static absl::StatusOr<std::unique_ptr<SegmentFile>> Open(const std::string& path,
                                                           Database::Mode mode,
                                                           const FileAccess& access);

  const Head& head() const { return head_; }
  Database& database() { return *database_; }

  absl::StatusOr<std::string> WrittenBy();
  absl::StatusOr<std::vector<EpochStart>> Epochs();
  // Durable when it returns, whatever the durability of events is.
  absl::Status AddEpoch(EpochStart start);

  // Nothing if there are no events.
  absl::StatusOr<std::optional<Bounds>> FindBounds();
  // As Store::Append.
  absl::Status Append(const std::vector<EventRef>& group);

  // The events in (after, to], oldest first, at most `max`; `after` is first_sequence - 1 at least.
  // On an error `out` has what comes before the trouble. All of them are there unless `to` is
  // UINT64_MAX, which asks for what there is.
  absl::Status Read(uint64_t after, uint64_t to, size_t max, std::vector<EventRef>* out);
  // The events in [from, before), newest first, at most `max`; as Read.
  absl::Status ReadBack(uint64_t from, uint64_t before, size_t max, std::vector<EventRef>* out);
  absl::StatusOr<EventRef> ReadOne(uint64_t sequence);
  absl::StatusOr<UnixMillis> TimeOf(uint64_t sequence);

  absl::StatusOr<bool> HasIndex();
  absl::Status CreateIndex();
  // Whether it still has all events where they were.
  absl::Status CheckIndex();
  // Sequences of the session in (after, to], at most `max`, by the index.
  absl::Status FindSession(std::string_view session_id, uint64_t after, uint64_t to, size_t max,
                           std::vector<uint64_t>* out);

 private:
  explicit SegmentFile(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  absl::Status ReadHead();
  absl::StatusOr<uint64_t> IndexChecksum();
  absl::StatusOr<Statement*> Prepared(Statement& statement, bool& is_prepared,
                                      std::string_view sql);
  absl::StatusOr<EventRef> Decode(const Statement& row) const;
  absl::Status Damaged(std::string_view what) const;
  absl::Status InsertAll(Statement& insert, const std::vector<EventRef>& group);

  // A statement that is prepared when it is first needed.
  struct Lazy {
    Statement statement;
    bool is_prepared = false;
  };

  const std::unique_ptr<Database> database_;
  Head head_;
  Lazy insert_;
  Lazy read_;
  Lazy read_back_;
  Lazy time_of_;
  Lazy find_session_;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_SEGMENT_FILE_H_
