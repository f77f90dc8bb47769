#include "daemon/journal/inspect.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/journal/chain.h"
#include "daemon/journal/journal_meta.h"
#include "daemon/journal/segment_file.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

// The same page of a file can be wrong in many ways.
constexpr size_t kMaxProblems = 20;

class Inspector {
 public:
  Inspector(std::string directory, Thoroughness thoroughness) : thoroughness_(thoroughness) {
    report_.directory = std::move(directory);
  }

  absl::StatusOr<JournalReport> Run();

 private:
  void ReadList();
  SegmentReport Look(uint64_t number);
  absl::Status Describe(SegmentFile& file, SegmentReport& segment);
  void Verify(SegmentFile& file, SegmentReport& segment);
  void VerifyRows(SegmentFile& file, SegmentReport& segment);
  void AddEpochs(const std::vector<EpochStart>& epochs, SegmentReport* segment);
  void CheckContinuity();

  const Thoroughness thoroughness_;
  JournalReport report_;
  std::map<uint64_t, uint64_t> listed_;
};

void Complain(const absl::Status& status, std::vector<std::string>& problems) {
  if (problems.size() < kMaxProblems) problems.emplace_back(MessageOf(status));
}

absl::StatusOr<JournalReport> Inspector::Run() {
  const absl::StatusOr<std::vector<uint64_t>> files = ListSegments(report_.directory);
  if (!files.ok()) return files.status();
  ReadList();
  std::set<uint64_t> numbers(files->begin(), files->end());
  const uint64_t oldest = numbers.empty() ? 0 : *numbers.begin();
  for (const auto& [number, first] : listed_) {
    if (number >= oldest) numbers.insert(number);
  }
  for (const uint64_t number : numbers) report_.segments.push_back(Look(number));
  std::stable_sort(
      report_.epochs.begin(), report_.epochs.end(),
      [](const EpochStart& a, const EpochStart& b) { return a.first_sequence < b.first_sequence; });
  CheckContinuity();
  return std::move(report_);
}

void Inspector::ReadList() {
  const auto meta = JournalMeta::OpenReadOnly(report_.directory);
  absl::Status status = meta.status();
  if (meta.ok()) {
    auto listed = (*meta)->Segments();
    if (listed.ok()) listed_ = *std::move(listed);
    status = listed.status();
    const auto epochs = (*meta)->Epochs();
    if (epochs.ok()) AddEpochs(*epochs, nullptr);
    if (status.ok()) status = epochs.status();
  }
  if (!status.ok()) Complain(status, report_.problems);
}

void Inspector::AddEpochs(const std::vector<EpochStart>& epochs, SegmentReport* segment) {
  for (const EpochStart& start : epochs) {
    const bool known =
        std::any_of(report_.epochs.begin(), report_.epochs.end(),
                    [&](const EpochStart& other) { return other.epoch == start.epoch; });
    if (!known) report_.epochs.push_back(start);
    if (segment != nullptr && start.first_sequence >= segment->first_sequence) {
      segment->epochs.push_back(start);
    }
  }
}

SegmentReport Inspector::Look(uint64_t number) {
  SegmentReport segment;
  segment.file = SegmentName(number);
  if (const auto listed = listed_.find(number); listed != listed_.end()) {
    segment.first_sequence = listed->second;
    segment.last_sequence = listed->second - 1;
  }
  const std::string path = report_.directory + "/" + segment.file;
  if (!std::filesystem::exists(path)) {
    segment.problems.push_back("the file is missing");
    return segment;
  }
  segment.bytes = SizeOnDisk(path);
  const auto file = SegmentFile::Open(path, Database::Mode::kReadOnly, FileAccess());
  absl::Status status = file.status();
  if (status.ok()) status = Describe(**file, segment);
  if (!status.ok()) Complain(status, segment.problems);
  if (file.ok() && thoroughness_ == Thoroughness::kVerify) Verify(**file, segment);
  return segment;
}

absl::Status Inspector::Describe(SegmentFile& file, SegmentReport& segment) {
  segment.first_sequence = file.head().first_sequence;
  segment.last_sequence = segment.first_sequence - 1;
  const auto writer = file.WrittenBy();
  if (!writer.ok()) return writer.status();
  segment.written_by = *writer;
  const auto epochs = file.Epochs();
  if (!epochs.ok()) return epochs.status();
  AddEpochs(*epochs, &segment);
  const absl::StatusOr<bool> index = file.HasIndex();
  if (!index.ok()) return index.status();
  segment.has_index = *index;
  const auto bounds = file.FindBounds();
  if (!bounds.ok()) return bounds.status();
  if (!bounds->has_value()) return absl::OkStatus();
  segment.last_sequence = (*bounds)->last;
  segment.first_time = (*bounds)->first_time;
  segment.last_time = (*bounds)->last_time;
  return absl::OkStatus();
}

void Inspector::Verify(SegmentFile& file, SegmentReport& segment) {
  auto check = file.database().Prepare("PRAGMA integrity_check(20)");
  if (!check.ok()) {
    Complain(check.status(), segment.problems);
    return;
  }
  for (;;) {
    const absl::StatusOr<bool> row = check->Step();
    if (!row.ok()) Complain(row.status(), segment.problems);
    if (!row.ok() || !*row) break;
    if (check->Bytes(0) != "ok" && segment.problems.size() < kMaxProblems) {
      segment.problems.emplace_back(check->Bytes(0));
    }
  }
  check->Reset();
  if (segment.has_index) {
    const absl::Status index = file.CheckIndex();
    if (!index.ok()) Complain(index, segment.problems);
  }
  VerifyRows(file, segment);
}

void Inspector::VerifyRows(SegmentFile& file, SegmentReport& segment) {
  uint64_t good = segment.first_sequence - 1;
  std::vector<EventRef> rows;
  do {
    rows.clear();
    const absl::Status read = file.Read(good, UINT64_MAX, kRowsAtATime, &rows);
    if (!rows.empty()) good = rows.back()->cursor.sequence;
    if (!read.ok()) {
      Complain(read, segment.problems);
      return;
    }
  } while (!rows.empty());
  if (good < segment.last_sequence && segment.problems.size() < kMaxProblems) {
    segment.problems.push_back("events after " + std::to_string(good) + " are missing");
  }
}

void Inspector::CheckContinuity() {
  const SegmentReport* before = nullptr;
  for (const SegmentReport& segment : report_.segments) {
    // A group that was written again after a failed sync is in both files.
    if (before != nullptr && segment.first_sequence > before->last_sequence + 1) {
      report_.problems.push_back("sequences " + std::to_string(before->last_sequence + 1) + " to " +
                                 std::to_string(segment.first_sequence - 1) + ", between " +
                                 before->file + " and " + segment.file + ", are missing");
    }
    before = &segment;
  }
}

}  // namespace

bool JournalReport::is_sound() const {
  return problems.empty() &&
         std::all_of(segments.begin(), segments.end(),
                     [](const SegmentReport& segment) { return segment.problems.empty(); });
}

absl::StatusOr<JournalReport> InspectJournal(const std::string& directory,
                                             Thoroughness thoroughness) {
  std::string journal = directory;
  while (journal.size() > 1 && journal.back() == '/') journal.pop_back();
  if (!std::filesystem::exists(journal + "/" + kMetaName) &&
      std::filesystem::exists(journal + "/journal/" + kMetaName)) {
    journal.append("/journal");
  }
  const absl::StatusOr<std::vector<uint64_t>> files = ListSegments(journal);
  if (!files.ok()) return files.status();
  if (files->empty() && !std::filesystem::exists(journal + "/" + kMetaName)) {
    return MakeError(absl::StatusCode::kNotFound,
                     talkjs::sidecar::v1::ERROR_REASON_JOURNAL_UNAVAILABLE,
                     journal +
                         ": there is no journal here; give the daemon's state directory, or "
                         "the journal in it");
  }
  return Inspector(std::move(journal), thoroughness).Run();
}

}  // namespace talkjsd::journal
