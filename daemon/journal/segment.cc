#include "daemon/journal/segment.h"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

// What one Read looks at where there is no index.
constexpr size_t kScannedRows = 4096;
constexpr size_t kIdleConnections = 4;
// Readers read on; what they read once they do not read again.
constexpr char kReaderSettings[] = "PRAGMA cache_size=-256";

bool HasLog(const std::string& path) {
  std::error_code failed;
  return std::filesystem::exists(path + "-wal", failed) || failed;
}

}  // namespace

class Segment::Loan {
 public:
  explicit Loan(Segment& segment) : segment_(segment) {}
  ~Loan() {
    if (file_ != nullptr && good_) segment_.GiveBack(std::move(file_));
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;

  absl::Status Take() {
    absl::StatusOr<std::unique_ptr<SegmentFile>> file = segment_.Borrow();
    if (!file.ok()) return file.status();
    file_ = *std::move(file);
    return absl::OkStatus();
  }
  SegmentFile& file() { return *file_; }
  absl::Status Checked(absl::Status status) {
    good_ = good_ && status.ok();
    return status;
  }

 private:
  Segment& segment_;
  std::unique_ptr<SegmentFile> file_;
  bool good_ = true;
};

Segment::Segment(std::string path, uint64_t number, FileAccess access, const Extent& extent)
    : path_(std::move(path)), number_(number), access_(std::move(access)), extent_(extent) {}

Segment::Extent Segment::extent() const {
  MutexLock lock(mutex_);
  return extent_;
}

void Segment::Extend(const std::vector<EventRef>& group, size_t bytes) {
  MutexLock lock(mutex_);
  if (extent_.last + 1 == extent_.first) extent_.first_time = group.front()->append_time;
  extent_.last = group.back()->cursor.sequence;
  extent_.last_time = group.back()->append_time;
  extent_.bytes += bytes;
  if (!index_.has_value()) return;
  for (const EventRef& event : group) index_->Add(event->session_id, event->cursor.sequence);
}

void Segment::SetBytes(size_t bytes) {
  MutexLock lock(mutex_);
  extent_.bytes = bytes;
}

void Segment::StartIndex(SessionIndex index) {
  MutexLock lock(mutex_);
  index_ = std::move(index);
}

void Segment::UseFileIndex(IndexOrigin origin) {
  MutexLock lock(mutex_);
  file_has_index_ = true;
  index_is_checked_ = origin == IndexOrigin::kMadeNow;
  index_.reset();
}

bool Segment::has_file_index() const {
  MutexLock lock(mutex_);
  return file_has_index_;
}

absl::StatusOr<std::unique_ptr<SegmentFile>> Segment::Borrow() {
  bool is_final = false;
  {
    MutexLock lock(mutex_);
    is_final = file_has_index_;
    used_ = true;
    if (!idle_.empty()) {
      std::unique_ptr<SegmentFile> file = std::move(idle_.back());
      idle_.pop_back();
      return file;
    }
  }
  // With an index nobody writes to it any more, and without a log it is all there is.
  const Database::Mode mode =
      is_final && !HasLog(path_) ? Database::Mode::kImmutable : Database::Mode::kReadWrite;
  auto file = SegmentFile::Open(path_, mode, access_);
  if (!file.ok()) return file.status();
  const absl::Status set = (*file)->database().Execute(kReaderSettings);
  if (!set.ok()) return set;
  return file;
}

void Segment::GiveBack(std::unique_ptr<SegmentFile> file) {
  MutexLock lock(mutex_);
  if (leave_log_) file->database().LeaveLogAtClose();
  if (idle_.size() < kIdleConnections) idle_.push_back(std::move(file));
}

void Segment::CloseIdle() {
  std::vector<std::unique_ptr<SegmentFile>> closed;  // without the lock
  MutexLock lock(mutex_);
  if (!std::exchange(used_, false)) closed.swap(idle_);
}

void Segment::LeaveLog() {
  MutexLock lock(mutex_);
  leave_log_ = true;
  for (const auto& file : idle_) file->database().LeaveLogAtClose();
}

absl::Status Segment::Read(const std::vector<std::string>& session_ids, uint64_t after,
                           size_t max_events, std::vector<EventRef>* out, uint64_t* scanned_to) {
  const Extent extent = this->extent();
  uint64_t to = extent.last;
  *scanned_to = after;
  if (extent.hole.has_value() && after < extent.hole->to) to = extent.hole->after;
  if (to <= after) return absl::OkStatus();
  Loan loan(*this);
  absl::Status read = loan.Take();
  if (read.ok()) {
    read = loan.Checked(Collect(loan.file(), session_ids, after, to, max_events, out, scanned_to));
  }
  if (IsDamage(read)) Examine(extent.hole, *scanned_to);
  return read;
}

absl::Status Segment::Collect(SegmentFile& file, const std::vector<std::string>& session_ids,
                              uint64_t after, uint64_t to, size_t max_events,
                              std::vector<EventRef>* out, uint64_t* scanned_to) {
  if (session_ids.empty()) {
    const size_t before = out->size();
    absl::Status read = file.Read(after, to, std::min(max_events, kRowsAtATime), out);
    if (out->size() > before) *scanned_to = out->back()->cursor.sequence;
    return read;
  }
  std::vector<uint64_t> found;
  const absl::StatusOr<bool> known =
      FindSequences(file, session_ids, after, max_events, &to, &found);
  if (!known.ok()) return known.status();
  if (!*known) return Scan(file, session_ids, to, max_events, out, scanned_to);
  for (const uint64_t sequence : found) {
    absl::StatusOr<EventRef> event = file.ReadOne(sequence);
    if (!event.ok()) return event.status();
    out->push_back(*std::move(event));
    *scanned_to = sequence;
  }
  *scanned_to = to;
  return absl::OkStatus();
}

// An index that has lost an entry would hide an event.
void Segment::CheckFoundIndex(SegmentFile& file) {
  {
    MutexLock lock(mutex_);
    if (!file_has_index_ || index_is_checked_) return;
  }
  const absl::Status checked = file.CheckIndex();
  if (!checked.ok()) {
    LogError("the index of a file of the journal is not used; reading it takes longer",
             {{"error", MessageOf(checked)}});
  }
  MutexLock lock(mutex_);
  index_is_checked_ = true;
  if (!checked.ok()) file_has_index_ = false;
}

absl::StatusOr<bool> Segment::FindSequences(SegmentFile& file,
                                            const std::vector<std::string>& session_ids,
                                            uint64_t after, size_t max_events, uint64_t* to,
                                            std::vector<uint64_t>* found) {
  CheckFoundIndex(file);
  // Of each session the next few; what is found up to the least of their ends is complete.
  const size_t each = std::max<size_t>(8, 2 * max_events / session_ids.size());
  const auto limit_reached = [&](size_t before) {
    if (found->size() - before == each) *to = std::min(*to, found->back());
  };
  bool by_file = false;
  {
    MutexLock lock(mutex_);
    // The index of a damaged file is not to be trusted.
    by_file = file_has_index_ && !extent_.hole.has_value();
    if (!by_file && !index_.has_value()) return false;
    for (size_t i = 0; i < session_ids.size() && !by_file; ++i) {
      const size_t before = found->size();
      index_->Find(session_ids[i], after, *to, each, found);
      limit_reached(before);
    }
  }
  for (size_t i = 0; i < session_ids.size() && by_file; ++i) {
    const size_t before = found->size();
    const absl::Status status = file.FindSession(session_ids[i], after, *to, each, found);
    if (!status.ok()) return status;
    limit_reached(before);
  }
  std::erase_if(*found, [to](uint64_t sequence) { return sequence > *to; });
  std::sort(found->begin(), found->end());
  if (found->size() > max_events) {
    found->resize(max_events);
    *to = found->empty() ? after : found->back();
  }
  return true;
}

absl::Status Segment::Scan(SegmentFile& file, const std::vector<std::string>& session_ids,
                           uint64_t to, size_t max_events, std::vector<EventRef>* out,
                           uint64_t* scanned_to) {
  const std::unordered_set<std::string_view> wanted(session_ids.begin(), session_ids.end());
  std::vector<EventRef> rows;
  size_t taken = 0;
  for (size_t scanned = 0; scanned < kScannedRows && *scanned_to < to; scanned += kRowsAtATime) {
    rows.clear();
    const absl::Status read = file.Read(*scanned_to, to, kRowsAtATime, &rows);
    for (EventRef& event : rows) {
      const bool is_wanted = wanted.contains(event->session_id);
      if (is_wanted && taken == max_events) return absl::OkStatus();
      *scanned_to = event->cursor.sequence;
      if (!is_wanted) continue;
      out->push_back(std::move(event));
      ++taken;
    }
    if (!read.ok()) return read;
  }
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> Segment::SequenceBefore(UnixMillis time) {
  const Extent extent = this->extent();
  Loan loan(*this);
  if (absl::Status taken = loan.Take(); !taken.ok()) return taken;
  uint64_t low = extent.first;  // appended before `time`
  uint64_t high = extent.last + 1;
  if (extent.hole.has_value()) {
    high = extent.hole->after + 1;
    if (extent.hole->to < extent.last) {
      const absl::StatusOr<UnixMillis> behind = loan.file().TimeOf(extent.hole->to + 1);
      if (absl::Status good = loan.Checked(behind.status()); !good.ok()) return good;
      if (*behind < time) {
        low = extent.hole->to + 1;
        high = extent.last + 1;
      }
    }
  }
  while (high - low > 1) {
    const uint64_t middle = low + (high - low) / 2;
    const absl::StatusOr<UnixMillis> at = loan.file().TimeOf(middle);
    if (absl::Status good = loan.Checked(at.status()); !good.ok()) return good;
    (*at < time ? low : high) = middle;
  }
  return low;
}

void Segment::Examine(const std::optional<Hole>& known, uint64_t after) {
  const Extent extent = this->extent();
  if (extent.hole != known) return;  // somebody else has done it
  auto file = SegmentFile::Open(path_, Database::Mode::kReadWrite, access_);
  const auto find = [&](uint64_t first) {
    return file.ok() ? FindDamage(**file, first, extent.last) : Hole{first - 1, extent.last};
  };
  std::optional<Hole> hole;
  if (!known.has_value()) {
    hole = find(extent.first);
  } else if (after >= known->to) {
    // There is more of it. What lies between is given up with it.
    const std::optional<Hole> second = find(known->to + 1);
    hole = Hole{known->after, second.has_value() ? second->to : extent.last, known->missing};
  } else {
    hole = Hole{after, known->to, known->missing};
  }
  MutexLock lock(mutex_);
  extent_.hole = hole;
  // All events are well: it was the index.
  if (!hole.has_value()) file_has_index_ = false;
}

std::optional<Hole> FindDamage(SegmentFile& file, uint64_t first, uint64_t to) {
  std::vector<EventRef> rows;
  uint64_t good = first - 1;
  for (;;) {
    rows.clear();
    const absl::Status read = file.Read(good, to, kRowsAtATime, &rows);
    if (!rows.empty()) good = rows.back()->cursor.sequence;
    if (!read.ok()) break;
    if (good == to) return std::nullopt;
    if (rows.empty()) {
      if (to == UINT64_MAX) return std::nullopt;
      break;  // the end is missing
    }
  }
  const uint64_t end = to == UINT64_MAX ? INT64_MAX : to + 1;
  uint64_t bad = end;  // nothing is known to be good from here on
  uint64_t last = 0;   // good
  for (;;) {
    rows.clear();
    const absl::Status read = file.ReadBack(good + 1, bad, kRowsAtATime, &rows);
    if (!rows.empty()) bad = rows.back()->cursor.sequence;
    if (!rows.empty()) last = std::max(last, rows.front()->cursor.sequence);
    if (!read.ok() || rows.empty()) break;
  }
  // Readers seek, and do not walk back: what a damaged tree hides from a search is lost, too.
  for (; bad <= last; ++bad) {
    rows.clear();
    (void)file.Read(bad - 1, to, kRowsAtATime, &rows);
    if (!rows.empty()) return Hole{good, bad - 1};
  }
  return Hole{good, to};
}

}  // namespace talkjsd::journal
