// A segment as the store shares it between its writer, its readers and its housekeeping: what is
// known of one file, and the connections that read it.
#ifndef TALKJSD_JOURNAL_SEGMENT_H_
#define TALKJSD_JOURNAL_SEGMENT_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/journal/segment_file.h"
#include "daemon/journal/session_index.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {

// Thread-safe. Nothing is locked while a file is read.
class Segment {
 public:
  // What is known of the events. Those in `hole` are lost; a file that cannot be used at all is a
  // segment that is all hole.
  struct Extent {
    uint64_t first = 0;
    uint64_t last = 0;  // first - 1: empty
    UnixMillis first_time = 0;
    UnixMillis last_time = 0;
    size_t bytes = 0;  // that the file takes
    std::optional<Hole> hole;

    uint64_t events() const {
      return last + 1 - first - (hole.has_value() ? hole->to - hole->after : 0);
    }
  };

  Segment(std::string path, uint64_t number, FileAccess access, const Extent& extent);

  const std::string& path() const { return path_; }
  uint64_t number() const { return number_; }
  Extent extent() const;

  // By the writer, when a group has been stored.
  void Extend(const std::vector<EventRef>& group, size_t bytes);
  void SetBytes(size_t bytes);
  // Begins to remember where each session's events are, from the first one on.
  void StartIndex(SessionIndex index);
  // From now on the file's own index serves; one that was `found` in it is checked first.
  enum class IndexOrigin { kMadeNow, kFound };
  void UseFileIndex(IndexOrigin origin);
  bool has_file_index() const;

  // As Store::Read, of this file's events in (after, last], not across its hole. When it meets
  // damage (JOURNAL_SEGMENT_DAMAGED), what cannot be read has become the hole when it returns.
  absl::Status Read(const std::vector<std::string>& session_ids, uint64_t after, size_t max_events,
                    std::vector<EventRef>* out, uint64_t* scanned_to);
  // As Store::SequenceBefore, if the first event was appended before `time`.
  absl::StatusOr<uint64_t> SequenceBefore(UnixMillis time);

  // Closes connections that nobody has used since the last call.
  void CloseIdle();
  // After a failed sync: the log stays as it is when connections close.
  void LeaveLog();

 private:
  // A connection from the pool, back there at the end unless it met trouble.
  class Loan;
  absl::StatusOr<std::unique_ptr<SegmentFile>> Borrow();
  void GiveBack(std::unique_ptr<SegmentFile> file);

  // After a read behind `after` that met damage with the hole as it was `known`: finds out what
  // cannot be read, so that nobody meets it again.
  void Examine(const std::optional<Hole>& known, uint64_t after);

  absl::Status Collect(SegmentFile& file, const std::vector<std::string>& session_ids,
                       uint64_t after, uint64_t to, size_t max_events, std::vector<EventRef>* out,
                       uint64_t* scanned_to);
  // Once for each file whose index was found in it.
  void CheckFoundIndex(SegmentFile& file);
  // Sequences in (after, to], `to` lowered to where they are complete; false: there is no index.
  absl::StatusOr<bool> FindSequences(SegmentFile& file, const std::vector<std::string>& session_ids,
                                     uint64_t after, size_t max_events, uint64_t* to,
                                     std::vector<uint64_t>* found);
  // After *scanned_to.
  absl::Status Scan(SegmentFile& file, const std::vector<std::string>& session_ids, uint64_t to,
                    size_t max_events, std::vector<EventRef>* out, uint64_t* scanned_to);

  const std::string path_;
  const uint64_t number_;
  const FileAccess access_;

  mutable Mutex mutex_;
  Extent extent_ ABSL_GUARDED_BY(mutex_);
  std::optional<SessionIndex> index_ ABSL_GUARDED_BY(mutex_);
  bool file_has_index_ ABSL_GUARDED_BY(mutex_) = false;
  bool index_is_checked_ ABSL_GUARDED_BY(mutex_) = false;
  bool leave_log_ ABSL_GUARDED_BY(mutex_) = false;
  bool used_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::unique_ptr<SegmentFile>> idle_ ABSL_GUARDED_BY(mutex_);
};

// What of (first - 1, to] the file cannot give; `to` may be unknown (UINT64_MAX). Reads all of it,
// forwards up to the trouble and then backwards.
std::optional<Hole> FindDamage(SegmentFile& file, uint64_t first, uint64_t to);

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_SEGMENT_H_
