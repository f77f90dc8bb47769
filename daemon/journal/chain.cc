#include "daemon/journal/chain.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

// More events than any file holds.
constexpr uint64_t kUnknownEvents = 1'000'000'000;

// A file that has not got further than its tables.
constexpr size_t kUnfinishedBytes = 64 << 10;

// One number of the chain, before the numbers are fitted together.
struct Found {
  uint64_t number = 0;
  std::string path;
  std::optional<uint64_t> first;  // from the file, else from the list
  bool readable = false;          // `extent` is the file's
  bool missing = false;
  bool open_end = false;  // how far it went is not known
  Segment::Extent extent;
  std::unique_ptr<SegmentFile> file;
};

class Loader {
 public:
  Loader(const std::string& directory, JournalMeta& meta, const FileAccess& access)
      : directory_(directory), meta_(meta), access_(access) {}

  absl::StatusOr<Chain> Load();

 private:
  absl::StatusOr<std::set<uint64_t>> Numbers();
  absl::Status Probe(uint64_t number, bool is_newest);
  absl::Status ProbeFile(Found& found, bool is_newest);
  absl::Status ReadNewest(Found& found);
  void NoteDamage(Found& found, const absl::Status& why);
  bool RemoveUnfinished(const Found& found, bool is_newest) const;
  absl::Status ReadEpochs(SegmentFile& file);
  void AddEpochs(const std::vector<EpochStart>& epochs);
  void FitTogether();
  void FillTimes();
  absl::Status RepairList();
  Chain Finish();

  const std::string& directory_;
  JournalMeta& meta_;
  const FileAccess& access_;
  std::map<uint64_t, uint64_t> listed_;
  std::vector<Found> found_;
  std::vector<EpochStart> epochs_;
  SessionIndex newest_index_;
};

absl::StatusOr<std::set<uint64_t>> Loader::Numbers() {
  absl::StatusOr<std::vector<uint64_t>> files = ListSegments(directory_);
  if (!files.ok()) return files.status();
  auto listed = meta_.Segments();
  if (!listed.ok()) return listed.status();
  listed_ = *std::move(listed);
  std::set<uint64_t> numbers(files->begin(), files->end());
  const uint64_t oldest_file = numbers.empty() ? 0 : *numbers.begin();
  for (const auto& [number, first] : listed_) {
    // Older ones were being dropped by retention.
    if (number >= oldest_file) numbers.insert(number);
  }
  return numbers;
}

absl::StatusOr<Chain> Loader::Load() {
  const absl::StatusOr<std::set<uint64_t>> numbers = Numbers();
  if (!numbers.ok()) return numbers.status();
  auto epochs = meta_.Epochs();
  if (!epochs.ok()) return epochs.status();
  AddEpochs(*epochs);
  for (const uint64_t number : *numbers) {
    if (absl::Status probed = Probe(number, number == *numbers->rbegin()); !probed.ok()) {
      return probed;
    }
  }
  std::stable_sort(epochs_.begin(), epochs_.end(), [](const EpochStart& a, const EpochStart& b) {
    return a.first_sequence < b.first_sequence;
  });
  FitTogether();
  FillTimes();
  if (absl::Status repaired = RepairList(); !repaired.ok()) return repaired;
  return Finish();
}

absl::Status Loader::Probe(uint64_t number, bool is_newest) {
  Found found;
  found.number = number;
  found.path = directory_ + "/" + SegmentName(number);
  if (const auto listed = listed_.find(number); listed != listed_.end()) {
    found.first = listed->second;
  }
  if (::access(found.path.c_str(), F_OK) != 0) {
    found.missing = true;
    LogError("a file of the journal is missing; its events are lost, the others stay readable",
             {{"file", found.path}});
  } else {
    const absl::Status probed = ProbeFile(found, is_newest);
    if (!probed.ok()) {
      if (!IsDamage(probed)) return probed;
      if (RemoveUnfinished(found, is_newest)) return absl::OkStatus();
      NoteDamage(found, probed);
    }
  }
  found_.push_back(std::move(found));
  return absl::OkStatus();
}

absl::Status Loader::ProbeFile(Found& found, bool is_newest) {
  auto opened = SegmentFile::Open(found.path, Database::Mode::kReadWrite, access_);
  if (!opened.ok()) return opened.status();
  found.file = *std::move(opened);
  found.first = found.file->head().first_sequence;
  found.extent.first = *found.first;
  found.extent.last = *found.first - 1;
  found.extent.bytes = SizeOnDisk(found.path);
  if (absl::Status read = ReadEpochs(*found.file); !read.ok()) return read;
  if (is_newest) {
    if (absl::Status read = ReadNewest(found); !read.ok()) return read;
  } else {
    const auto bounds = found.file->FindBounds();
    if (!bounds.ok()) return bounds.status();
    if (bounds->has_value()) {
      found.extent.last = (*bounds)->last;
      found.extent.first_time = (*bounds)->first_time;
      found.extent.last_time = (*bounds)->last_time;
    }
  }
  found.readable = true;
  return absl::OkStatus();
}

// All of it: what is written on must be sound, and where each session's events are is remembered.
absl::Status Loader::ReadNewest(Found& found) {
  std::vector<EventRef> rows;
  do {
    rows.clear();
    const absl::Status read = found.file->Read(found.extent.last, UINT64_MAX, kRowsAtATime, &rows);
    for (const EventRef& event : rows) {
      newest_index_.Add(event->session_id, event->cursor.sequence);
      if (found.extent.first_time == 0) found.extent.first_time = event->append_time;
      found.extent.last = event->cursor.sequence;
      found.extent.last_time = event->append_time;
    }
    if (!read.ok()) return read;
  } while (!rows.empty());
  return absl::OkStatus();
}

// A file whose making a crash has interrupted is in no list and has no events.
bool Loader::RemoveUnfinished(const Found& found, bool is_newest) const {
  if (!is_newest || listed_.contains(found.number)) return false;
  if (listed_.empty() && !found_.empty()) return false;  // the list is lost
  if (SizeOnDisk(found.path) > kUnfinishedBytes) return false;
  LogInfo("removing an unfinished file of the journal", {{"file", found.path}});
  RemoveDatabase(found.path);
  return true;
}

void Loader::NoteDamage(Found& found, const absl::Status& why) {
  LogError("a file of the journal is damaged; what can be read of it and the others stay readable",
           {{"file", found.path}, {"error", MessageOf(why)}});
  newest_index_ = SessionIndex();
  if (found.file == nullptr) return;
  const uint64_t first = *found.first;
  found.extent = Segment::Extent{.first = first, .last = first - 1, .bytes = found.extent.bytes};
  std::optional<Hole> hole = FindDamage(*found.file, first, UINT64_MAX);
  found.open_end = hole.has_value() && hole->to == UINT64_MAX;
  std::vector<EventRef> end;
  if (!found.open_end) {
    const absl::Status read = found.file->ReadBack(0, INT64_MAX, 1, &end);
    if (!read.ok() || end.empty()) return;
    found.extent.last = end.front()->cursor.sequence;
    found.extent.last_time = end.front()->append_time;
  } else {
    found.extent.last = hole->after;
  }
  std::vector<EventRef> begin;
  if (!hole.has_value() || hole->after >= first) {
    const absl::Status read = found.file->Read(first - 1, UINT64_MAX, 1, &begin);
    if (!read.ok() || begin.empty()) return;
    found.extent.first_time = begin.front()->append_time;
    if (found.extent.last_time == 0) found.extent.last_time = found.extent.first_time;
  }
  if (found.open_end) hole->to = hole->after;  // grows when the chain is fitted together
  found.extent.hole = hole;
  found.readable = true;
}

absl::Status Loader::ReadEpochs(SegmentFile& file) {
  auto epochs = file.Epochs();
  if (!epochs.ok()) return epochs.status();
  AddEpochs(*epochs);
  return absl::OkStatus();
}

void Loader::AddEpochs(const std::vector<EpochStart>& epochs) {
  for (const EpochStart& start : epochs) {
    if (start.first_sequence == 0 || start.first_sequence > kMaxSequence) continue;  // damaged
    const bool known = std::any_of(epochs_.begin(), epochs_.end(), [&](const EpochStart& other) {
      return other.epoch == start.epoch;
    });
    if (!known) epochs_.push_back(start);
  }
}

// Makes `extent` end at `last`: what it does not have up to there is lost.
void EndAt(uint64_t last, bool missing, Segment::Extent& extent) {
  std::optional<Hole>& hole = extent.hole;
  if (last > extent.last) {
    const uint64_t after = hole.has_value() ? std::min(hole->after, extent.last) : extent.last;
    hole = Hole{after, last, missing};
  } else if (hole.has_value()) {
    // The rest is in the next file as well: a group that was written again after a failed sync.
    hole->to = std::min(hole->to, last);
    if (hole->after >= last) hole.reset();
  }
  extent.last = last;
}

void Loader::FitTogether() {
  for (size_t i = 0; i < found_.size(); ++i) {
    Found& found = found_[i];
    Found* const before = i == 0 ? nullptr : &found_[i - 1];
    const uint64_t due = before == nullptr ? found.first.value_or(1) : before->extent.last + 1;
    if (found.readable) {
      if (before != nullptr && found.extent.first != due) {
        const bool number_missing = before->number + 1 != found.number;
        EndAt(std::max(found.extent.first, before->extent.first) - 1,
              before->readable ? number_missing : before->missing, before->extent);
      }
    } else {
      found.extent.first = due;
      found.extent.last = due - 1;
      const auto next = std::find_if(found_.begin() + static_cast<ptrdiff_t>(i) + 1, found_.end(),
                                     [](const Found& later) { return later.first.has_value(); });
      if (next != found_.end() && *next->first > due) {
        EndAt(*next->first - 1, found.missing, found.extent);
      }
    }
  }
  if (found_.empty()) return;
  Found& newest = found_.back();
  if (!newest.readable || newest.open_end) {
    EndAt(newest.extent.last + kUnknownEvents, newest.missing, newest.extent);
  }
  // Epochs that no event tells of: newer files were there and are not even listed any more.
  if (!epochs_.empty() && epochs_.back().first_sequence > newest.extent.last + 1) {
    EndAt(epochs_.back().first_sequence - 1, true, newest.extent);
    newest.open_end = true;
  }
}

void Loader::FillTimes() {
  UnixMillis later = 0;
  for (auto found = found_.rbegin(); found != found_.rend(); ++found) {
    if (found->extent.last_time == 0) found->extent.last_time = later;
    if (found->extent.first_time == 0) found->extent.first_time = found->extent.last_time;
    if (found->extent.first_time != 0) later = found->extent.first_time;
  }
  // Where nothing is known of the time, as if it were now: retention shall not drop unseen what the
  // operator may want to hear of.
  UnixMillis earlier = SystemClock().WallMillis();
  for (Found& found : found_) {
    if (found.extent.last_time == 0) {
      found.extent.first_time = earlier;
      found.extent.last_time = earlier;
    }
    earlier = found.extent.last_time;
  }
}

absl::Status Loader::RepairList() {
  for (const Found& found : found_) {
    if (listed_.contains(found.number)) continue;
    const absl::Status added = meta_.AddSegment(found.number, found.extent.first);
    if (!added.ok()) return added;
  }
  for (const auto& [number, first] : listed_) {
    if (found_.empty() || number >= found_.front().number) break;
    if (const absl::Status dropped = meta_.DropSegment(number); !dropped.ok()) return dropped;
  }
  return absl::OkStatus();
}

Chain Loader::Finish() {
  Chain chain;
  chain.epochs = std::move(epochs_);
  for (Found& found : found_) {
    auto segment = std::make_shared<Segment>(found.path, found.number, access_, found.extent);
    const bool is_newest = &found == &found_.back();
    if (is_newest && found.readable && !found.extent.hole.has_value()) {
      segment->StartIndex(std::move(newest_index_));
      chain.writable = std::move(found.file);
    } else if (found.readable) {
      const absl::StatusOr<bool> indexed = found.file->HasIndex();
      if (indexed.ok() && *indexed) segment->UseFileIndex(Segment::IndexOrigin::kFound);
    }
    chain.next_number = found.number + 1;
    chain.next_sequence = found.extent.last + 1;
    chain.segments.push_back(std::move(segment));
  }
  if (chain.segments.empty() && !chain.epochs.empty()) {
    // All files are gone, the list of them too.
    chain.next_sequence = chain.epochs.back().first_sequence + kUnknownEvents;
  }
  return chain;
}

}  // namespace

absl::StatusOr<Chain> LoadChain(const std::string& directory, JournalMeta& meta,
                                const FileAccess& access) {
  return Loader(directory, meta, access).Load();
}

absl::StatusOr<std::vector<uint64_t>> ListSegments(const std::string& directory) {
  std::vector<uint64_t> numbers;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::optional<uint64_t> number = ParseSegmentName(it->path().filename().string());
    if (number.has_value()) numbers.push_back(*number);
  }
  if (error) {
    return MakeError(absl::StatusCode::kUnavailable, pb::ERROR_REASON_JOURNAL_UNAVAILABLE,
                     directory + ": cannot be listed: " + error.message() +
                         "; correct its owner or give another directory with --state-dir");
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

size_t SizeOnDisk(const std::string& path) {
  size_t size = 0;
  for (const char* suffix : {"", "-wal"}) {
    std::error_code error;
    const auto part = std::filesystem::file_size(path + suffix, error);
    if (!error) size += part;
  }
  return size;
}

void RemoveDatabase(const std::string& path) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path + suffix).c_str());
}

}  // namespace talkjsd::journal
