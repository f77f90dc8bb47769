// Resuming over the store on disk: promise 4 of the message stream, over restarts, lost ends,
// restored copies, and at the edge of retention while it moves.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/unit/journal/store_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

class ResumeTest : public StoreFixture {
 protected:
  // A start of the daemon: a new epoch over what is there. The ring holds next to nothing, so that
  // readers go on from the store.
  void Start() {
    journal_ = nullptr;
    OpenDisk({.ring_bytes = 4000});
  }
  void CopyJournal(const std::string& to) {
    journal_ = nullptr;
    std::filesystem::remove_all(dir_ / to);
    std::filesystem::copy(options_.directory, dir_ / to, std::filesystem::copy_options::recursive);
  }
  void RestoreJournal(const std::string& from) {
    journal_ = nullptr;
    std::filesystem::remove_all(options_.directory);
    std::filesystem::copy(dir_ / from, options_.directory,
                          std::filesystem::copy_options::recursive);
  }
  std::vector<uint64_t> ReadAfter(Cursor cursor) {
    const auto reader = Reading({}, At(cursor));
    return reader == nullptr ? std::vector<uint64_t>{} : Sequences(ReadAll(*reader));
  }
};

TEST_F(ResumeTest, ACursorOfAnyStartGoesOnOverAllThatFollow) {
  std::vector<Cursor> cursors;
  for (int start = 0; start < 4; ++start) {
    Start();
    for (int i = 0; i < 10; ++i) {
      Append("a", 5);
      cursors.push_back(journal_->Latest());
    }
  }
  for (const Cursor& cursor : cursors) {
    EXPECT_EQ(ReadAfter(cursor), Range(cursor.sequence + 1, 200));
  }
}

TEST_F(ResumeTest, AReaderThatFallsOutOfTheRingGoesOnFromTheStoreAndComesBack) {
  Start();
  const auto all = Reading({}, Now());
  const auto one = Reading(Sessions({"b"}), Now());
  for (int i = 0; i < 300; ++i) {
    Append("a", 2);
    Append("b");
  }
  EXPECT_EQ(Sequences(ReadAll(*all, 7)), Range(1, 900));
  const auto of_one = Sequences(ReadAll(*one, 7));
  ASSERT_EQ(of_one.size(), 300u);
  for (size_t i = 0; i < of_one.size(); ++i) EXPECT_EQ(of_one[i], 3 * (i + 1));
  Append("b");  // from the ring again
  EXPECT_EQ(Sequences(ReadAll(*all)), Range(901, 901));
  EXPECT_EQ(Sequences(ReadAll(*one)), Range(901, 901));
}

TEST_F(ResumeTest, AnOlderCopyThatGrewPastACursorReplaysAndNeverSkips) {
  Start();
  Append("a", 50);
  CopyJournal("copy");
  Start();
  Append("a", 30);  // 51..80, of the second start
  const Cursor of_second = journal_->Latest();
  CopyJournal("later");
  Start();
  Append("a", 40);  // 81..120, of the third
  const Cursor of_third = journal_->Latest();

  // A copy from within the second start's life: the end of it is lost, the third is unknown.
  RestoreJournal("later");
  Start();
  Append("a", 500);  // 81..580 of a fourth start: past every cursor
  EXPECT_EQ(ReadAfter(of_second), Range(81, 580));
  EXPECT_EQ(ReasonOf(journal_->OpenReader({}, At(of_third), OnGap::kFail, nullptr).status()),
            pb::ERROR_REASON_JOURNAL_LOST);

  // The first copy: it knows neither.
  RestoreJournal("copy");
  Start();
  Append("a", 500);
  for (const Cursor& cursor : {of_second, of_third}) {
    EXPECT_EQ(ReasonOf(journal_->OpenReader({}, At(cursor), OnGap::kFail, nullptr).status()),
              pb::ERROR_REASON_JOURNAL_LOST);
    std::optional<GapInfo> gap;
    const auto reader = journal_->OpenReader({}, At(cursor), OnGap::kContinue, &gap);
    ASSERT_TRUE(reader.ok());
    ASSERT_TRUE(gap.has_value());
    EXPECT_EQ(gap->reason, GapInfo::Reason::kJournalLost);
    EXPECT_EQ(Sequences(ReadAll(**reader)), Range(1, 550));
  }
}

TEST_F(ResumeTest, ALostEndIsReplayedFromWhatSurvives) {
  Start();
  Append("a", 20);
  const uint64_t first_epoch = journal_->epoch();
  Start();  // a start without an event
  Start();
  Append("a", 100);
  // A client has seen up to 60 of the first start; 20 survive.
  const auto reader = Reading({}, At({first_epoch, 60}));
  EXPECT_EQ(reader->position(), (Cursor{first_epoch, 20}));
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(21, 120));
}

// One resume at a position that retention may pass at any moment: what comes is what follows it,
// or the loss is told.
class EdgeTest : public ResumeTest {
 protected:
  static constexpr uint64_t kSessions = 3;  // event n is of session n % 3

  void ResumeAt(uint64_t position, OnGap on_gap, bool one_session) {
    Selection selection;
    if (one_session) selection.session_ids = {"s0"};
    uint64_t last = position;
    std::optional<GapInfo> gap;
    const uint64_t pruned_before = journal_->Earliest().sequence;
    auto reader = journal_->OpenReader(selection, After(position), on_gap, &gap);
    if (!reader.ok()) {
      ASSERT_EQ(on_gap, OnGap::kFail);
      ASSERT_EQ(ReasonOf(reader.status()), pb::ERROR_REASON_CURSOR_EXPIRED);
      ASSERT_GT(journal_->Earliest().sequence, position) << "nothing was lost";
      ++refused_;
      return;
    }
    ASSERT_TRUE(gap.has_value() || position >= pruned_before);
    if (gap.has_value()) {
      ASSERT_EQ(on_gap, OnGap::kContinue);
      ASSERT_EQ(gap->from.sequence, position);
      ASSERT_GT(gap->to.sequence, position);
      last = gap->to.sequence;
      ++gaps_;
    }
    for (int i = 0; i < 2; ++i) {
      const auto batch = (*reader)->Read(8, kNoLimit);
      if (!batch.ok()) {
        ASSERT_EQ(on_gap, OnGap::kFail);
        ASSERT_EQ(ReasonOf(batch.status()), pb::ERROR_REASON_CURSOR_EXPIRED);
        ++refused_;
        return;
      }
      if (batch->gap.has_value()) {
        ASSERT_EQ(batch->gap->from.sequence, last);
        last = batch->gap->to.sequence;
        ++gaps_;
      }
      for (const EventRef& event : batch->events) {
        uint64_t expected = last + 1;
        if (one_session) expected += (kSessions - expected % kSessions) % kSessions;
        ASSERT_EQ(event->cursor.sequence, expected) << "after " << position;
        last = expected;
      }
      last = std::max(last, (*reader)->position().sequence);
    }
    ++resumed_;
  }

  std::atomic<int> refused_ = 0;
  std::atomic<int> gaps_ = 0;
  std::atomic<int> resumed_ = 0;
};

TEST_F(EdgeTest, ResumingBeforeAtAndAfterTheEdgeOfRetentionWhileItMoves) {
  options_.segment_bytes = 64 << 10;
  options_.retention.bytes = 256 << 10;
  OpenDisk({.ring_bytes = 32 << 10});
  std::atomic<bool> stop = false;
  std::thread appender([&] {
    uint64_t next = 1;
    while (!stop) {
      std::vector<NewEvent> events;
      for (int i = 0; i < 12; ++i, ++next) {
        events.push_back(MakeEvent("s" + std::to_string(next % kSessions), 400));
      }
      std::promise<void> stored;
      journal_->Append(std::move(events), [&](const absl::Status&) { stored.set_value(); });
      stored.get_future().wait();
    }
  });
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(4);
  while (journal_->Earliest().sequence == 0 && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  const uint64_t first_edge = journal_->Earliest().sequence;
  int resumes = 0;
  // Two threads beside the one that appends and prunes.
  const auto resume = [&](OnGap on_gap, int* count) {
    for (; *count < 4000 && std::chrono::steady_clock::now() < deadline; ++*count) {
      const uint64_t edge = journal_->Earliest().sequence;
      const uint64_t position = edge + static_cast<uint64_t>(*count % 3) - 1;
      ResumeAt(position, on_gap, *count % 2 == 0);
      if (HasFatalFailure()) return;
    }
  };
  int continued = 0;
  std::thread other([&] { resume(OnGap::kContinue, &continued); });
  resume(OnGap::kFail, &resumes);
  other.join();
  stop = true;
  appender.join();
  EXPECT_GT(resumes + continued, 1000);
  EXPECT_GT(journal_->Earliest().sequence, first_edge) << "retention has moved meanwhile";
  EXPECT_GT(refused_, 0);
  EXPECT_GT(gaps_, 0);
  EXPECT_GT(resumed_, 0);
  RecordProperty("resumes", resumes + continued);
  journal_->Close();
}

}  // namespace
}  // namespace talkjsd::journal
