#include "daemon/journal/housekeeper.h"

#include <prometheus/counter.h>

#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/journal/chain.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

// What gathers in the log before it is moved.
constexpr auto kGather = std::chrono::milliseconds(100);
constexpr auto kTidyInterval = std::chrono::seconds(10);

// Whether the file is as before, though the attempt failed.
bool IsHarmless(const absl::Status& status) {
  const ErrorReason reason = ReasonOf(status);
  return reason == pb::ERROR_REASON_JOURNAL_DISK_FULL ||
         reason == pb::ERROR_REASON_JOURNAL_READ_ONLY;
}

}  // namespace

Housekeeper::Housekeeper(JournalMeta& meta, Metrics& metrics, FileAccess access,
                         std::function<void()> tidy)
    : meta_(meta),
      metrics_(metrics),
      access_(std::move(access)),
      tidy_(std::move(tidy)),
      thread_([this] { Run(); }) {}

Housekeeper::~Housekeeper() {
  {
    MutexLock lock(mutex_);
    stop_ = true;
    changed_.NotifyAll();
  }
  thread_.join();
}

void Housekeeper::NoteAppend(std::shared_ptr<Segment> segment) {
  MutexLock lock(mutex_);
  if (work_.dirty == segment) return;
  work_.dirty = std::move(segment);
  changed_.NotifyAll();
}

void Housekeeper::Seal(std::shared_ptr<Segment> segment, std::unique_ptr<SegmentFile> writer) {
  MutexLock lock(mutex_);
  work_.sealed.push_back({std::move(segment), std::move(writer)});
  changed_.NotifyAll();
}

void Housekeeper::Remove(std::shared_ptr<Segment> segment) {
  MutexLock lock(mutex_);
  work_.removed.push_back(std::move(segment));
  changed_.NotifyAll();
}

bool Housekeeper::TakeDistrust(uint64_t number) {
  uint64_t expected = number;
  return distrusted_.compare_exchange_strong(expected, 0);
}

void Housekeeper::Settle() {
  MutexLock lock(mutex_);
  hurry_ = true;
  changed_.NotifyAll();
  while (busy_ || !work_.empty()) changed_.Wait(mutex_);
  hurry_ = false;
}

bool Housekeeper::AwaitWork(MonoTime tidy_at, Work* work) {
  MutexLock lock(mutex_);
  busy_ = false;
  changed_.NotifyAll();
  while (work_.empty() && !stop_) {
    if (!changed_.WaitUntil(mutex_, tidy_at)) return true;
  }
  const MonoTime gathered = SystemClock().Now() + kGather;
  while (work_.sealed.empty() && work_.removed.empty() && !stop_ && !hurry_) {
    if (!changed_.WaitUntil(mutex_, gathered)) break;
  }
  std::swap(*work, work_);
  busy_ = true;
  return !stop_;
}

void Housekeeper::Run() {
  MonoTime tidy_at = SystemClock().Now() + kTidyInterval;
  for (;;) {
    Work work;
    const bool go_on = AwaitWork(tidy_at, &work);
    for (const auto& segment : work.removed) Unlink(*segment);
    // Closing moves the log, and what has no index gets it after the next start.
    if (!go_on) return;
    if (work.dirty != nullptr) MoveLog(work.dirty);
    for (Sealed& sealed : work.sealed) {
      if (file_ != nullptr && file_->head().number == sealed.segment->number()) file_ = nullptr;
      if (!Index(*sealed.segment)) again_.push_back(std::move(sealed));
    }
    if (SystemClock().Now() < tidy_at) continue;
    tidy_at = SystemClock().Now() + kTidyInterval;
    tidy_();
    for (Sealed& sealed : std::exchange(again_, {})) {
      if (!Index(*sealed.segment)) again_.push_back(std::move(sealed));
    }
  }
}

void Housekeeper::MoveLog(const std::shared_ptr<Segment>& segment) {
  absl::Status status;
  if (file_ == nullptr || file_->head().number != segment->number()) {
    file_ = nullptr;
    auto file = SegmentFile::Open(segment->path(), Database::Mode::kReadWrite, access_);
    status = file.status();
    if (file.ok()) file_ = *std::move(file);
  }
  if (status.ok()) status = file_->database().Checkpoint(/*restart=*/false);
  if (status.ok()) return;
  metrics_.store_errors->Increment();
  LogError("the journal's log cannot be moved into its file", {{"error", MessageOf(status)}});
  if (IsHarmless(status)) return;
  // The system may have forgotten what it could not sync: moving the rest would hide the loss.
  segment->LeaveLog();
  if (file_ != nullptr) file_->database().LeaveLogAtClose();
  file_ = nullptr;
  distrusted_ = segment->number();
}

bool Housekeeper::Index(Segment& segment) {
  auto file = SegmentFile::Open(segment.path(), Database::Mode::kReadWrite, access_);
  absl::Status status = file.status();
  if (status.ok()) status = (*file)->database().Execute("PRAGMA temp_store=MEMORY");
  if (status.ok()) status = (*file)->CreateIndex();
  if (status.ok()) status = (*file)->database().Checkpoint(/*restart=*/true);
  if (status.ok()) {
    segment.UseFileIndex(Segment::IndexOrigin::kMadeNow);
    segment.SetBytes(SizeOnDisk(segment.path()));
    return true;
  }
  metrics_.store_errors->Increment();
  LogError("a file of the journal has no index yet", {{"error", MessageOf(status)}});
  if (IsHarmless(status)) return false;
  segment.LeaveLog();
  if (file.ok()) (*file)->database().LeaveLogAtClose();
  return true;
}

void Housekeeper::Unlink(Segment& segment) {
  if (file_ != nullptr && file_->head().number == segment.number()) file_ = nullptr;
  std::erase_if(again_, [&](const Sealed& sealed) { return sealed.segment.get() == &segment; });
  segment.CloseIdle();
  segment.CloseIdle();  // also those that were just used
  // Where the list cannot be written the file goes all the same: it may be what fills the disk.
  const absl::Status dropped = meta_.DropSegment(segment.number());
  if (!dropped.ok()) {
    metrics_.store_errors->Increment();
    LogError("the journal's list of files cannot be written", {{"error", MessageOf(dropped)}});
  }
  RemoveDatabase(segment.path());
}

}  // namespace talkjsd::journal
