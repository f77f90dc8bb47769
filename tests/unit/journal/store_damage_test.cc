// Files of the store that are damaged or gone: what is lost is told, the rest stays readable.
#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/journal/store_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;
using ::testing::HasSubstr;

class StoreDamageTest : public StoreFixture {
 protected:
  // 300 events of an earlier start.
  void Fill() {
    OpenDisk();
    for (int i = 0; i < 300; ++i) Append(std::vector<NewEvent>(Kilobyte(i)));
    old_epoch_ = journal_->epoch();
    journal_ = nullptr;
  }
  static std::vector<NewEvent> Kilobyte(int i) {
    std::vector<NewEvent> events;
    events.push_back(MakeEvent(i % 2 == 0 ? "even" : "odd", 1000));
    return events;
  }
  // What a reader gets that goes on after gaps: every sequence is either an event or in a gap.
  struct Got {
    std::vector<uint64_t> events;
    std::vector<GapInfo> gaps;
    uint64_t in_gaps = 0;
  };
  Got ReadThrough(StartPosition start, Selection selection = {}) {
    Got got;
    const bool all = selection.session_ids.empty();
    const auto reader = Reading(selection, start, OnGap::kContinue);
    uint64_t position = reader->position().sequence;
    for (;;) {
      const auto batch = reader->Read(50, kNoLimit);
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (!batch.ok() || (batch->events.empty() && !batch->gap.has_value())) break;
      if (batch->gap.has_value()) {
        EXPECT_TRUE(!all || batch->gap->from.sequence == position);
        position = batch->gap->to.sequence;
        got.in_gaps += batch->gap->to.sequence - batch->gap->from.sequence;
        got.gaps.push_back(*batch->gap);
      }
      for (const EventRef& event : batch->events) {
        EXPECT_TRUE(!all || event->cursor.sequence == position + 1);
        position = event->cursor.sequence;
        got.events.push_back(position);
      }
    }
    EXPECT_EQ(reader->position(), journal_->Latest());
    return got;
  }

  uint64_t old_epoch_ = 0;
};

TEST_F(StoreDamageTest, AMissingFileInTheMiddleIsAGap) {
  Fill();
  ASSERT_GE(Files().size(), 4u);
  std::filesystem::remove(Files()[1]);
  testing::internal::CaptureStderr();
  OpenDisk();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("is missing"));
  Append("even", 5);
  const Got got = ReadThrough(Earliest());
  ASSERT_EQ(got.gaps.size(), 1u);
  EXPECT_EQ(got.gaps[0].reason, GapInfo::Reason::kSegmentMissing);
  EXPECT_EQ(got.events.size() + got.in_gaps, 305u);
  EXPECT_GT(got.events.size(), 200u);
  EXPECT_EQ(got.events.back(), 305u);
  // Of one session as well, and from within the hole.
  EXPECT_EQ(ReadThrough(Earliest(), Sessions({"even"})).gaps.size(), 1u);
  const uint64_t inside = got.gaps[0].from.sequence + 3;
  const Got from_inside = ReadThrough(At({old_epoch_, inside}));
  ASSERT_EQ(from_inside.gaps.size(), 1u);
  EXPECT_EQ(from_inside.gaps[0].from.sequence, inside);
}

TEST_F(StoreDamageTest, WithoutLeaveToGoOnTheStreamEndsWithTheWayRoundIt) {
  Fill();
  std::filesystem::remove(Files()[1]);
  testing::internal::CaptureStderr();
  OpenDisk();
  testing::internal::GetCapturedStderr();
  const auto reader = Reading({}, Earliest());
  absl::Status end;
  size_t events = 0;
  while (end.ok()) {
    const auto batch = reader->Read(256, kNoLimit);
    end = batch.status();
    if (batch.ok()) events += batch->events.size();
  }
  EXPECT_GT(events, 10u);
  EXPECT_EQ(end.code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(ReasonOf(end), pb::ERROR_REASON_JOURNAL_SEGMENT_MISSING);
  std::string bytes;
  ASSERT_TRUE(absl::Base64Unescape(MetadataOf(end)["next_cursor"], &bytes));
  const auto next = DecodeCursor(bytes);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, At(*next)))), Range(next->sequence + 1, 300));
}

TEST_F(StoreDamageTest, ADamagedFileInTheMiddleKeepsWhatCanBeRead) {
  Fill();
  Damage(Files()[1]);
  testing::internal::CaptureStderr();
  OpenDisk();
  const Got got = ReadThrough(Earliest());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("is damaged"));
  ASSERT_EQ(got.gaps.size(), 1u);
  EXPECT_EQ(got.gaps[0].reason, GapInfo::Reason::kSegmentDamaged);
  EXPECT_EQ(got.events.size() + got.in_gaps, 300u);
  EXPECT_LT(got.in_gaps, 60u);  // what comes before and behind it in the file is there
  EXPECT_GE(ReadThrough(Earliest(), Sessions({"odd"})).gaps.size(), 1u);
}

TEST_F(StoreDamageTest, AChangedByteOfAnEventIsNoticed) {
  Fill();
  {
    std::fstream file(Files()[1], std::ios::in | std::ios::out | std::ios::binary);
    std::string content{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    const size_t at = content.find(std::string(500, 'x'), 30'000);
    ASSERT_NE(at, std::string::npos);
    file.seekp(static_cast<std::streamoff>(at + 250));
    file << 'y';
  }
  testing::internal::CaptureStderr();
  OpenDisk();
  const Got got = ReadThrough(Earliest());
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(got.in_gaps, 1u);
  EXPECT_EQ(got.events.size(), 299u);
}

TEST_F(StoreDamageTest, ALostNewestFileIsAGapAndIsNotWrittenOn) {
  for (const bool missing : {true, false}) {
    SCOPED_TRACE(missing);
    std::filesystem::remove_all(options_.directory);
    Fill();
    const auto newest = Files().back();
    if (missing) {
      std::filesystem::remove(newest);
    } else {
      Damage(newest, 0, 1);
    }
    testing::internal::CaptureStderr();
    OpenDisk();
    testing::internal::GetCapturedStderr();
    Append("even", 5);
    const Got got = ReadThrough(Earliest());
    ASSERT_EQ(got.gaps.size(), 1u);
    EXPECT_EQ(got.gaps[0].reason,
              missing ? GapInfo::Reason::kSegmentMissing : GapInfo::Reason::kSegmentDamaged);
    EXPECT_GT(got.gaps[0].to.sequence, 300u);  // how much it held is not known
    // A client that had all of it: nobody knows whether more followed.
    const Got from_end = ReadThrough(At({old_epoch_, 300}));
    ASSERT_EQ(from_end.gaps.size(), 1u);
    EXPECT_EQ(from_end.events.size(), 5u);
    EXPECT_NE(missing, std::filesystem::exists(newest));
    journal_ = nullptr;
    testing::internal::CaptureStderr();
    OpenDisk();
    testing::internal::GetCapturedStderr();
    EXPECT_EQ(ReadThrough(Earliest()).events, got.events);
    journal_ = nullptr;
  }
}

TEST_F(StoreDamageTest, ADamagedEndOfTheNewestFileKeepsItsBeginning) {
  Fill();
  Damage(Files().back(), 0.7, 1);
  testing::internal::CaptureStderr();
  OpenDisk();
  testing::internal::GetCapturedStderr();
  Append("even", 5);
  const Got got = ReadThrough(Earliest());
  ASSERT_EQ(got.gaps.size(), 1u);
  EXPECT_GT(got.gaps[0].to.sequence, 300u);
  EXPECT_GT(got.events.size(), 200u);
}

TEST_F(StoreDamageTest, ALostListOfFilesIsMadeAnew) {
  Fill();
  Damage(dir_ / "journal/journal.meta", 0, 1);
  testing::internal::CaptureStderr();
  OpenDisk();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("made anew"));
  EXPECT_EQ(ReadThrough(At({old_epoch_, 0})).events, Range(1, 300));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "journal/journal.meta.damaged"));
}

TEST_F(StoreDamageTest, AllFilesLostIsNotAnEmptyJournal) {
  Fill();
  for (const auto& file : Files()) std::filesystem::remove(file);
  testing::internal::CaptureStderr();
  OpenDisk();
  testing::internal::GetCapturedStderr();
  Append("even", 5);
  const Got got = ReadThrough(At({old_epoch_, 100}));
  EXPECT_EQ(got.gaps.size(), 1u);
  EXPECT_EQ(got.events.size(), 5u);
}

TEST_F(StoreDamageTest, AnUnfinishedNewFileIsRemoved) {
  Fill();
  const std::string name = dir_ / "journal/00000099.segment";
  std::ofstream(name).flush();
  OpenDisk();
  EXPECT_FALSE(std::filesystem::exists(name));
  EXPECT_EQ(ReadThrough(Earliest()).events, Range(1, 300));
}

TEST_F(StoreDamageTest, NothingLostIsServedAfterRandomDamage) {
  Fill();
  std::filesystem::copy(options_.directory, dir_ / "good");
  SeededRandom random(3);
  testing::internal::CaptureStderr();
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE(round);
    std::filesystem::remove_all(options_.directory);
    std::filesystem::copy(dir_ / "good", options_.directory);
    const auto files = Files();
    for (uint64_t hits = 1 + random.Next() % 3; hits > 0; --hits) {
      const auto& file = files[random.Next() % files.size()];
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      stream.seekp(static_cast<std::streamoff>(random.Next() % std::filesystem::file_size(file)));
      stream << random.Text(1 + random.Next() % 600);
    }
    OpenDisk();
    const Got got = ReadThrough(At({old_epoch_, 0}));
    for (const uint64_t sequence : got.events) EXPECT_LE(sequence, 300u);
    ReadThrough(At({old_epoch_, 0}), Sessions({"odd"}));
    journal_ = nullptr;
  }
  testing::internal::GetCapturedStderr();
}

// The reader by itself, over a store that has a hole.
TEST_F(StoreDamageTest, AReaderTellsAHoleOfAnyStore) {
  for (uint64_t sequence = 1; sequence <= 20; ++sequence) {
    store_->events.push_back(MakeStored(sequence % 2 == 0 ? "even" : "odd", sequence));
  }
  store_->epochs = {{1, 1}};
  store_->hole = Hole{8, 12};
  OpenFake();
  for (const Selection& selection : {Selection{}, Sessions({"even"})}) {
    for (uint64_t start = 0; start < 12; ++start) {
      const auto reader = Reading(selection, At({1, start}), OnGap::kContinue);
      std::vector<uint64_t> got;
      int gaps = 0;
      for (;;) {
        const auto batch = reader->Read(3, kNoLimit);
        ASSERT_TRUE(batch.ok());
        if (batch->gap.has_value()) {
          ++gaps;
          EXPECT_EQ(batch->gap->from.sequence, std::max<uint64_t>(start, 8));
          EXPECT_EQ(batch->gap->to.sequence, 12u);
          EXPECT_EQ(batch->gap->reason, GapInfo::Reason::kSegmentDamaged);
        } else if (batch->events.empty()) {
          break;
        }
        for (const EventRef& event : batch->events) got.push_back(event->cursor.sequence);
      }
      EXPECT_EQ(gaps, 1);
      std::vector<uint64_t> expected;
      for (uint64_t sequence = start + 1; sequence <= 20; ++sequence) {
        const bool lost = sequence > 8 && sequence <= 12;
        const bool wanted = selection.session_ids.empty() || sequence % 2 == 0;
        if (!lost && wanted) expected.push_back(sequence);
      }
      EXPECT_EQ(got, expected);
    }
  }
}

}  // namespace
}  // namespace talkjsd::journal
