// Where readers start: promises 4 and 5 of the message stream.
#include <absl/strings/escaping.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/journal/journal_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;
using ::testing::HasSubstr;

// A store of three starts: epoch 11 wrote 1..10, 22 wrote 11..20, the present one follows. 1..4 are
// pruned.
class PositionTest : public JournalFixture {
 protected:
  void OpenOld() {
    store_->epochs = {{11, 1}, {22, 11}};
    for (uint64_t sequence = 5; sequence <= 20; ++sequence) {
      store_->events.push_back(MakeStored(sequence % 2 == 0 ? "even" : "odd", sequence));
    }
    store_->pruned_to = 4;
    OpenFake();
    Append("even", 5);  // 21..25
  }
  std::vector<uint64_t> ReadFrom(Cursor cursor) {
    const auto reader = Reading({}, At(cursor));
    return reader == nullptr ? std::vector<uint64_t>{} : Sequences(ReadAll(*reader));
  }
  void ExpectRefused(Cursor cursor, pb::ErrorReason reason) {
    std::optional<GapInfo> gap;
    const auto reader = journal_->OpenReader({}, At(cursor), OnGap::kFail, &gap);
    EXPECT_EQ(reader.status().code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(ReasonOf(reader.status()), reason);
    EXPECT_THAT(std::string(MessageOf(reader.status())), HasSubstr("on_gap to CONTINUE"));
    EXPECT_FALSE(gap.has_value());
  }
  GapInfo ExpectContinued(Cursor cursor) {
    std::optional<GapInfo> gap;
    auto reader = journal_->OpenReader({}, At(cursor), OnGap::kContinue, &gap);
    EXPECT_TRUE(reader.ok()) << reader.status();
    EXPECT_TRUE(gap.has_value());
    if (!reader.ok() || !gap.has_value()) return {};
    EXPECT_EQ((*reader)->position(), journal_->Earliest());
    EXPECT_EQ(Sequences(ReadAll(**reader)), Range(5, 25));
    return *gap;
  }
};

TEST_F(PositionTest, EveryEventOfThisEpochCanBeResumedAfter) {
  OpenMemory({.ring_bytes = 3000});
  for (int i = 0; i < 60; ++i) Append(i % 2 == 0 ? "a" : "b");
  for (uint64_t sequence = 0; sequence <= 60; ++sequence) {
    EXPECT_EQ(ReadFrom({journal_->epoch(), sequence}), Range(sequence + 1, 60));
  }
}

TEST_F(PositionTest, OlderEpochsAreContinuedAcrossTheirEnd) {
  OpenOld();
  EXPECT_EQ(ReadFrom({11, 4}), Range(5, 25));
  EXPECT_EQ(ReadFrom({11, 10}), Range(11, 25));
  EXPECT_EQ(ReadFrom({22, 10}), Range(11, 25));
  EXPECT_EQ(ReadFrom({22, 20}), Range(21, 25));
  EXPECT_EQ(ReadFrom({journal_->epoch(), 20}), Range(21, 25));
}

TEST_F(PositionTest, BeyondTheSurvivingEndOfAnEpochItsLastEventCounts) {
  OpenOld();
  EXPECT_EQ(ReadFrom({11, 11}), Range(11, 25));
  EXPECT_EQ(ReadFrom({11, 24}), Range(11, 25));
  EXPECT_EQ(ReadFrom({22, UINT64_MAX}), Range(21, 25));
  const auto reader = Reading({}, At({11, 24}));
  EXPECT_EQ(reader->position(), (Cursor{11, 10}));
}

TEST_F(PositionTest, AnInventedCursorOfThisEpochContinuesAfterTheLastEvent) {
  OpenOld();
  const auto reader = Reading({}, After(1'000'000));
  EXPECT_TRUE(ReadAll(*reader).empty());
  Append("odd");
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(26, 26));
}

TEST_F(PositionTest, AnUnknownEpochIsALostJournal) {
  OpenOld();
  ExpectRefused({33, 7}, pb::ERROR_REASON_JOURNAL_LOST);
  const GapInfo gap = ExpectContinued({33, 7});
  EXPECT_EQ(gap.reason, GapInfo::Reason::kJournalLost);
  EXPECT_EQ(gap.from, (Cursor{33, 7}));
  EXPECT_EQ(gap.to, (Cursor{11, 4}));
}

TEST_F(PositionTest, OlderThanRetentionIsExpired) {
  OpenOld();
  ExpectRefused({11, 3}, pb::ERROR_REASON_CURSOR_EXPIRED);
  ExpectRefused({11, 0}, pb::ERROR_REASON_CURSOR_EXPIRED);
  const absl::Status status = journal_->OpenReader({}, At({11, 3}), OnGap::kFail, nullptr).status();
  EXPECT_EQ(MetadataOf(status)["earliest_cursor"],
            absl::Base64Escape(EncodeCursor(journal_->Earliest())));
  const GapInfo gap = ExpectContinued({11, 3});
  EXPECT_EQ(gap.reason, GapInfo::Reason::kExpired);
  EXPECT_EQ(gap.from, (Cursor{11, 3}));
  EXPECT_EQ(gap.to, (Cursor{11, 4}));
}

TEST_F(PositionTest, TheEndOfAnEpochThatIsGoneIsExpired) {
  OpenOld();
  store_->Set(&FakeStore::State::pruned_to, uint64_t{15});
  ExpectRefused({11, 10}, pb::ERROR_REASON_CURSOR_EXPIRED);
  ExpectRefused({11, 99}, pb::ERROR_REASON_CURSOR_EXPIRED);
  EXPECT_EQ(ReadFrom({22, 15}), Range(16, 25));
}

TEST_F(PositionTest, NowAndEarliest) {
  OpenOld();
  EXPECT_EQ(journal_->Earliest(), (Cursor{11, 4}));
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, Earliest()))), Range(5, 25));
  const auto now = Reading(Sessions({"odd"}), Now());
  EXPECT_EQ(now->position(), journal_->Latest());
  Append("even");
  Append("odd");
  EXPECT_EQ(Sequences(ReadAll(*now)), Range(27, 27));
}

TEST_F(PositionTest, ATimeIsTheFirstEventAppendedAtOrAfterIt) {
  OpenMemory({}, {.age = std::chrono::seconds(100), .bytes = 1 << 20});
  const UnixMillis start = clock_.WallMillis();
  for (int i = 0; i < 20; ++i) {
    clock_.Set(start + i * 10'000);
    Append("a");
  }
  Settle();  // what was appended before 90 s is pruned: events 1..9
  const auto first_from = [this](UnixMillis time) {
    return Reading({}, {.kind = StartPosition::Kind::kTime, .time = time})->position().sequence + 1;
  };
  EXPECT_EQ(journal_->Earliest().sequence, 9u);
  EXPECT_EQ(first_from(start), 10u);
  EXPECT_EQ(first_from(start + 90'000), 10u);
  EXPECT_EQ(first_from(start + 90'001), 11u);
  EXPECT_EQ(first_from(start + 190'000), 20u);
  EXPECT_EQ(first_from(start + 190'001), 21u);
  EXPECT_EQ(first_from(start + 999'999'999), 21u);
}

TEST_F(PositionTest, AnUnsearchableStoreIsUnavailable) {
  OpenFake();
  const auto reader = journal_->OpenReader({}, {.kind = StartPosition::Kind::kTime, .time = 1},
                                           OnGap::kFail, nullptr);
  EXPECT_EQ(ReasonOf(reader.status()), pb::ERROR_REASON_JOURNAL_UNAVAILABLE);
}

}  // namespace
}  // namespace talkjsd::journal
