// The store's work off the writer, on a thread of its own: moves the log of the file being written
// into that file, gives full files their index, removes files that retention has dropped.
#ifndef TALKJSD_JOURNAL_HOUSEKEEPER_H_
#define TALKJSD_JOURNAL_HOUSEKEEPER_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "daemon/base/metrics.h"
#include "daemon/base/mutex.h"
#include "daemon/journal/journal_meta.h"
#include "daemon/journal/segment.h"

namespace talkjsd::journal {

// Thread-safe. It outlives nothing: `meta` and `metrics` outlive it. Trouble is logged and tried
// again.
class Housekeeper {
 public:
  // `tidy` runs on the thread every ten seconds.
  Housekeeper(JournalMeta& meta, Metrics& metrics, FileAccess access, std::function<void()> tidy);
  ~Housekeeper();
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;

  // Events were appended to `segment`, the newest one.
  void NoteAppend(std::shared_ptr<Segment> segment);
  // `segment` is full: nobody writes to it any more.
  // It takes over the writer's connection (may be null), and keeps it open until the file has its
  // index: on a full disk a file that nobody has open cannot be opened by readers either.
  void Seal(std::shared_ptr<Segment> segment, std::unique_ptr<SegmentFile> writer);
  // Retention has dropped `segment`: readers may still be at it.
  void Remove(std::shared_ptr<Segment> segment);

  // The log of this segment could not be moved safely: write elsewhere. Each is told once.
  bool TakeDistrust(uint64_t number);
  // Returns when what was handed over so far has been done or has failed.
  void Settle();

 private:
  struct Sealed {
    std::shared_ptr<Segment> segment;
    std::unique_ptr<SegmentFile> writer;
  };
  struct Work {
    std::shared_ptr<Segment> dirty;
    std::deque<Sealed> sealed;
    std::deque<std::shared_ptr<Segment>> removed;
    bool empty() const { return dirty == nullptr && sealed.empty() && removed.empty(); }
  };

  void Run();
  void MoveLog(const std::shared_ptr<Segment>& segment);
  // False: try again later.
  bool Index(Segment& segment);
  void Unlink(Segment& segment);
  // True if there is work, or it is time to tidy; false at the end.
  bool AwaitWork(MonoTime tidy_at, Work* work);

  JournalMeta& meta_;
  Metrics& metrics_;
  const FileAccess access_;
  const std::function<void()> tidy_;
  std::atomic<uint64_t> distrusted_ = 0;  // a segment's number

  Mutex mutex_;
  CondVar changed_;
  Work work_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool hurry_ ABSL_GUARDED_BY(mutex_) = false;  // somebody waits in Settle

  // Of the thread alone: its connection to the file being written.
  std::unique_ptr<SegmentFile> file_;
  // Their index could not be made.
  std::deque<Sealed> again_;

  std::thread thread_;  // last: it uses all of the above
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_HOUSEKEEPER_H_
