#include "daemon/journal/sqlite_store.h"

#include <prometheus/counter.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/mutex.h"
#include "daemon/journal/chain.h"
#include "daemon/journal/housekeeper.h"
#include "daemon/journal/journal_meta.h"
#include "daemon/journal/segment.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

// Beyond it the writer moves the log itself: the housekeeper alone would stay behind it for ever.
constexpr int kMaxLogFrames = (16 << 20) / 4096;

// Retention needs some files to drop: by size a file is at most this part, and by age it is closed
// after this part.
constexpr size_t kFilesBySize = 4;
constexpr int kFilesByAge = 8;
constexpr size_t kMinSegmentBytes = 16 << 10;

// A cursor of an older epoch is answered JOURNAL_LOST.
constexpr size_t kMaxEpochs = 4096;

// What a row takes beside its texts.
constexpr size_t kRowBytes = 48;

size_t BytesOf(const std::vector<EventRef>& group) {
  size_t bytes = 0;
  for (const EventRef& event : group) {
    bytes +=
        kRowBytes + event->bytes.size() + event->session_id.size() + event->conversation_id.size();
  }
  return bytes;
}

UnixMillis Millis(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

class SqliteStore final : public Store {
 public:
  SqliteStore(SqliteStoreOptions options, FileAccess access, std::unique_ptr<JournalMeta> meta,
              Chain chain, Metrics& metrics);

  absl::StatusOr<std::vector<EpochStart>> OpenEpoch(uint64_t epoch) override;
  absl::Status Append(const std::vector<EventRef>& group) override;
  void Prune(UnixMillis now) override;
  absl::StatusOr<std::vector<EventRef>> Read(const std::vector<std::string>& session_ids,
                                             uint64_t after, size_t max_events,
                                             uint64_t* scanned_to) const override;
  uint64_t LastSequence() const override;
  uint64_t PrunedTo() const override;
  UnixMillis LastTime() const override;
  std::optional<Hole> HoleAt(uint64_t position) const override;
  absl::StatusOr<uint64_t> SequenceBefore(UnixMillis time) const override;
  Retention retention() const override { return options_.retention; }
  std::optional<Durability> durability() const override { return options_.durability; }
  size_t events() const override;
  size_t bytes() const override;

 private:
  using Segments = std::vector<std::shared_ptr<Segment>>;

  // On the writer's thread.
  absl::Status Rotate(uint64_t first_sequence);
  bool IsDue(UnixMillis now) const;
  void Distrust();

  // The segment that has what follows `after`; null if nothing does.
  std::shared_ptr<Segment> FindBehind(uint64_t after) const;
  absl::Status ReadFailed(const Segment& segment, const absl::Status& why) const;
  void CloseIdle() const;

  const SqliteStoreOptions options_;
  const FileAccess access_;
  const size_t segment_bytes_;
  Metrics& metrics_;
  const std::unique_ptr<JournalMeta> meta_;

  // Of the writer's thread.
  std::unique_ptr<SegmentFile> file_;  // null: the next group begins a new one
  std::vector<EpochStart> epochs_;
  uint64_t next_number_;

  mutable Mutex mutex_;
  // Oldest first, the newest one last. Never empty once an epoch is open.
  Segments segments_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_sequence_ ABSL_GUARDED_BY(mutex_);

  Housekeeper housekeeper_;  // last: it uses some of the above
};

SqliteStore::SqliteStore(SqliteStoreOptions options, FileAccess access,
                         std::unique_ptr<JournalMeta> meta, Chain chain, Metrics& metrics)
    : options_(std::move(options)),
      access_(std::move(access)),
      segment_bytes_(std::max(kMinSegmentBytes, std::min(options_.segment_bytes,
                                                         options_.retention.bytes / kFilesBySize))),
      metrics_(metrics),
      meta_(std::move(meta)),
      file_(std::move(chain.writable)),
      epochs_(std::move(chain.epochs)),
      next_number_(chain.next_number),
      segments_(std::move(chain.segments)),
      last_sequence_(chain.next_sequence - 1),
      housekeeper_(*meta_, metrics_, access_, [this] { CloseIdle(); }) {
  MutexLock lock(mutex_);
  for (const auto& segment : segments_) {
    const bool is_written = file_ != nullptr && segment == segments_.back();
    const bool is_whole = !segment->extent().hole.has_value();
    if (is_whole && !is_written && !segment->has_file_index()) housekeeper_.Seal(segment, nullptr);
  }
}

absl::StatusOr<std::vector<EpochStart>> SqliteStore::OpenEpoch(uint64_t epoch) {
  const uint64_t first = LastSequence() + 1;
  if (file_ == nullptr) {
    if (absl::Status made = Rotate(first); !made.ok()) return made;
  }
  const EpochStart start{epoch, first};
  std::vector<EpochStart> epochs = epochs_;
  epochs.push_back(start);
  if (epochs.size() > kMaxEpochs) {
    epochs.erase(epochs.begin(), epochs.end() - static_cast<ptrdiff_t>(kMaxEpochs));
  }
  if (absl::Status added = file_->AddEpoch(start); !added.ok()) return added;
  if (absl::Status set = meta_->SetEpochs(epochs); !set.ok()) return set;
  epochs_ = std::move(epochs);
  return epochs_;
}

absl::Status SqliteStore::Append(const std::vector<EventRef>& group) {
  std::shared_ptr<Segment> newest;
  {
    MutexLock lock(mutex_);
    newest = segments_.back();
  }
  if (file_ != nullptr && housekeeper_.TakeDistrust(newest->number())) Distrust();
  if (file_ == nullptr || newest->extent().bytes >= segment_bytes_) {
    if (absl::Status rotated = Rotate(group.front()->cursor.sequence); !rotated.ok()) {
      return rotated;
    }
    MutexLock lock(mutex_);
    newest = segments_.back();
  }
  if (absl::Status stored = file_->Append(group); !stored.ok()) {
    const ErrorReason reason = ReasonOf(stored);
    const bool harmless = reason == pb::ERROR_REASON_JOURNAL_DISK_FULL ||
                          reason == pb::ERROR_REASON_JOURNAL_READ_ONLY;
    if (!harmless) Distrust();
    return stored;
  }
  newest->Extend(group, BytesOf(group));
  {
    MutexLock lock(mutex_);
    last_sequence_ = group.back()->cursor.sequence;
  }
  housekeeper_.NoteAppend(newest);
  if (file_->database().log_frames() > kMaxLogFrames) {
    const absl::Status moved = file_->database().Checkpoint(/*restart=*/false);
    // The group is stored all the same; the housekeeper meets the same trouble and tells.
    if (!moved.ok()) metrics_.store_errors->Increment();
  }
  return absl::OkStatus();
}

// What the system could not write or sync it may have forgotten. What this file has stays in its
// log; nothing more is added to it.
void SqliteStore::Distrust() {
  MutexLock lock(mutex_);
  segments_.back()->LeaveLog();
  file_->database().LeaveLogAtClose();
  file_ = nullptr;
}

absl::Status SqliteStore::Rotate(uint64_t first_sequence) {
  // What is in the next file must not survive what comes before it.
  if (file_ != nullptr) {
    if (absl::Status synced = file_->database().SyncLog(); !synced.ok()) {
      Distrust();
      return synced;
    }
  }
  const std::string path = options_.directory + "/" + SegmentName(next_number_);
  const SegmentFile::Head head{next_number_, first_sequence};
  auto file = SegmentFile::Create(path, head, epochs_, access_);
  if (!file.ok()) return file.status();
  if (absl::Status listed = meta_->AddSegment(head.number, first_sequence); !listed.ok()) {
    *file = nullptr;
    RemoveDatabase(path);
    return listed;
  }
  Segment::Extent extent{.first = first_sequence, .last = first_sequence - 1};
  extent.bytes = SizeOnDisk(path);
  auto segment = std::make_shared<Segment>(path, head.number, access_, extent);
  segment->StartIndex(SessionIndex());
  std::shared_ptr<Segment> full;
  std::shared_ptr<Segment> unused;
  {
    MutexLock lock(mutex_);
    if (!segments_.empty()) {
      const bool was_written = file_ != nullptr;
      if (segments_.back()->extent().first > segments_.back()->extent().last) {
        unused = std::move(segments_.back());
        segments_.pop_back();
      } else if (was_written) {
        full = segments_.back();
      }
    }
    segments_.push_back(std::move(segment));
  }
  ++next_number_;
  std::swap(file_, *file);
  if (full != nullptr) housekeeper_.Seal(std::move(full), *std::move(file));
  if (unused != nullptr) housekeeper_.Remove(std::move(unused));
  return absl::OkStatus();
}

bool SqliteStore::IsDue(UnixMillis now) const {
  MutexLock lock(mutex_);
  const Segment::Extent extent = segments_.back()->extent();
  return extent.last >= extent.first &&
         now - extent.first_time >= Millis(options_.retention.age) / kFilesByAge;
}

void SqliteStore::Prune(UnixMillis now) {
  if (IsDue(now)) {
    if (const absl::Status rotated = Rotate(LastSequence() + 1); !rotated.ok()) {
      metrics_.store_errors->Increment();
    }
  }
  const UnixMillis oldest = now - Millis(options_.retention.age);
  Segments dropped;
  {
    MutexLock lock(mutex_);
    size_t bytes = 0;
    for (const auto& segment : segments_) bytes += segment->extent().bytes;
    while (segments_.size() > 1) {
      const Segment::Extent extent = segments_.front()->extent();
      if (bytes <= options_.retention.bytes && extent.last_time >= oldest) break;
      bytes -= extent.bytes;
      (extent.last_time < oldest ? metrics_.pruned_by_age : metrics_.pruned_by_size)->Increment();
      dropped.push_back(std::move(segments_.front()));
      segments_.erase(segments_.begin());
    }
  }
  for (auto& segment : dropped) housekeeper_.Remove(std::move(segment));
}

std::shared_ptr<Segment> SqliteStore::FindBehind(uint64_t after) const {
  MutexLock lock(mutex_);
  const auto found = std::partition_point(
      segments_.begin(), segments_.end(),
      [after](const auto& segment) { return segment->extent().last <= after; });
  return found == segments_.end() ? nullptr : *found;
}

absl::StatusOr<std::vector<EventRef>> SqliteStore::Read(const std::vector<std::string>& session_ids,
                                                        uint64_t after, size_t max_events,
                                                        uint64_t* scanned_to) const {
  std::vector<EventRef> events;
  *scanned_to = after;
  while (events.size() < max_events) {
    const std::shared_ptr<Segment> segment = FindBehind(*scanned_to);
    if (segment == nullptr) break;
    const uint64_t first = segment->extent().first;
    // Pruned meanwhile: the reader finds out.
    if (first > *scanned_to + 1) break;
    uint64_t scanned = 0;
    const uint64_t from = *scanned_to;
    const absl::Status read =
        segment->Read(session_ids, from, max_events - events.size(), &events, &scanned);
    *scanned_to = scanned;
    if (!read.ok()) {
      const absl::Status why = ReadFailed(*segment, read);
      // What comes before the trouble is good; the next call meets the trouble first.
      if (events.empty() && scanned == after) return why;
      break;
    }
    if (scanned == from) break;  // a hole
    // One chunk of a file that has to be searched is enough.
    if (scanned < segment->extent().last) break;
  }
  return events;
}

absl::Status SqliteStore::ReadFailed(const Segment& segment, const absl::Status& why) const {
  metrics_.store_errors->Increment();
  if (ReasonOf(why) != pb::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED) return why;
  const std::optional<Hole> hole = segment.extent().hole;
  LogError("a file of the journal is damaged; what can be read of it and the others stay readable",
           {{"error", MessageOf(why)},
            {"lost_after", hole.has_value() ? hole->after : 0},
            {"lost_to", hole.has_value() ? hole->to : 0}});
  return why;
}

uint64_t SqliteStore::LastSequence() const {
  MutexLock lock(mutex_);
  return last_sequence_;
}

uint64_t SqliteStore::PrunedTo() const {
  MutexLock lock(mutex_);
  return segments_.empty() ? last_sequence_ : segments_.front()->extent().first - 1;
}

UnixMillis SqliteStore::LastTime() const {
  MutexLock lock(mutex_);
  UnixMillis last = 0;
  for (const auto& segment : segments_) last = std::max(last, segment->extent().last_time);
  return last;
}

std::optional<Hole> SqliteStore::HoleAt(uint64_t position) const {
  const std::shared_ptr<Segment> segment = FindBehind(position);
  if (segment == nullptr) return std::nullopt;
  const std::optional<Hole> hole = segment->extent().hole;
  if (!hole.has_value() || position < hole->after || position >= hole->to) return std::nullopt;
  return hole;
}

absl::StatusOr<uint64_t> SqliteStore::SequenceBefore(UnixMillis time) const {
  std::shared_ptr<Segment> segment;
  {
    MutexLock lock(mutex_);
    for (const auto& each : segments_) {
      const Segment::Extent extent = each->extent();
      if (extent.first <= extent.last && extent.first_time < time) segment = each;
    }
  }
  if (segment == nullptr) return PrunedTo();
  const Segment::Extent extent = segment->extent();
  if (extent.last_time < time) return extent.last;
  if (extent.events() == 0) return extent.first - 1;
  return segment->SequenceBefore(time);
}

size_t SqliteStore::events() const {
  MutexLock lock(mutex_);
  size_t events = 0;
  for (const auto& segment : segments_) events += segment->extent().events();
  return events;
}

size_t SqliteStore::bytes() const {
  MutexLock lock(mutex_);
  size_t bytes = 0;
  for (const auto& segment : segments_) bytes += segment->extent().bytes;
  return bytes;
}

void SqliteStore::CloseIdle() const {
  Segments segments;
  {
    MutexLock lock(mutex_);
    segments = segments_;
  }
  for (const auto& segment : segments) segment->CloseIdle();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const SqliteStoreOptions& options,
                                                       Metrics& metrics) {
  if (::mkdir(options.directory.c_str(), 0700) != 0 && errno != EEXIST) {
    const bool full = errno == ENOSPC || errno == EDQUOT;
    return MakeError(absl::StatusCode::kUnavailable,
                     full ? pb::ERROR_REASON_JOURNAL_DISK_FULL : pb::ERROR_REASON_JOURNAL_READ_ONLY,
                     options.directory + ": cannot be made: " + std::strerror(errno) +
                         "; correct the owner of the state directory, or give another one with "
                         "--state-dir");
  }
  auto meta = JournalMeta::Open(options.directory, options.vfs);
  if (!meta.ok()) return meta.status();
  FileAccess access{options.durability, options.vfs};
  absl::StatusOr<Chain> chain = LoadChain(options.directory, **meta, access);
  if (!chain.ok()) return chain.status();
  return std::make_unique<SqliteStore>(options, std::move(access), *std::move(meta),
                                       *std::move(chain), metrics);
}

}  // namespace talkjsd::journal
