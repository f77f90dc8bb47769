#include <gtest/gtest.h>

#include "daemon/journal/store.h"
#include "tests/unit/journal/journal_testing.h"

namespace talkjsd::journal {
namespace {

using List = std::vector<uint64_t>;

class MemoryStoreTest : public ::testing::Test {
 protected:
  void Make(Retention retention) { store_ = MakeMemoryStore(retention); }
  void Append(const std::string& session, UnixMillis time) {
    const EventRef event = MakeStored(session, store_->LastSequence() + 1, time);
    ASSERT_TRUE(store_->Append({event}).ok());
  }
  List Read(const std::vector<std::string>& ids, uint64_t after, size_t max_events = kNoLimit) {
    const auto events = store_->Read(ids, after, max_events, &scanned_to_);
    EXPECT_TRUE(events.ok());
    return events.ok() ? Sequences(*events) : List{};
  }

  std::unique_ptr<Store> store_ = MakeMemoryStore({});
  uint64_t scanned_to_ = 0;
};

TEST_F(MemoryStoreTest, ReadsFromAnyPlaceInChunks) {
  for (int i = 0; i < 9; ++i) Append(i % 3 == 0 ? "a" : "b", 0);
  EXPECT_EQ(Read({}, 0), Range(1, 9));
  EXPECT_EQ(scanned_to_, 9u);
  EXPECT_EQ(Read({}, 4, 2), (List{5, 6}));
  EXPECT_EQ(scanned_to_, 6u);
  EXPECT_EQ(Read({"a"}, 1), (List{4, 7}));
  EXPECT_EQ(scanned_to_, 9u);
  EXPECT_EQ(Read({"a"}, 0, 2), (List{1, 4}));
  EXPECT_EQ(scanned_to_, 4u);
  EXPECT_EQ(Read({"a", "b", "c"}, 2), Range(3, 9));
  EXPECT_EQ(Read({"c"}, 0), List{});
  EXPECT_EQ(scanned_to_, 9u);
}

TEST_F(MemoryStoreTest, SharesItsEvents) {
  const EventRef event = MakeStored("a", 1);
  ASSERT_TRUE(store_->Append({event}).ok());
  const auto events = store_->Read({}, 0, 1, &scanned_to_);
  ASSERT_TRUE(events.ok());
  EXPECT_EQ(events->front(), event);
}

TEST_F(MemoryStoreTest, PrunesByAge) {
  Make({.age = std::chrono::seconds(10), .bytes = 1 << 20});
  for (UnixMillis second = 0; second < 20; ++second) Append("a", second * 1000);
  store_->Prune(19'000);
  EXPECT_EQ(store_->PrunedTo(), 9u);  // what was appended at 0..8 s
  EXPECT_EQ(Read({}, 0), Range(10, 20));
  EXPECT_EQ(Read({"a"}, 0), Range(10, 20));
  store_->Prune(1'000'000);
  EXPECT_EQ(store_->PrunedTo(), 20u);
  EXPECT_EQ(store_->LastSequence(), 20u);
  EXPECT_EQ(store_->bytes(), 0u);
  Append("a", 1'000'000);
  EXPECT_EQ(Read({}, 20), (List{21}));
}

TEST_F(MemoryStoreTest, PrunesByBytes) {
  const size_t cost = MakeStored("a", 1)->Cost();
  Make({.age = std::chrono::hours(1), .bytes = 5 * cost});
  for (int i = 0; i < 8; ++i) Append(i % 2 == 0 ? "a" : "b", 0);
  EXPECT_EQ(store_->bytes(), 8 * cost);
  store_->Prune(0);
  EXPECT_EQ(store_->PrunedTo(), 3u);
  EXPECT_EQ(store_->events(), 5u);
  EXPECT_EQ(store_->bytes(), 5 * cost);
}

TEST_F(MemoryStoreTest, FindsTheSequenceBeforeATime) {
  for (const UnixMillis time : {10, 20, 20, 30}) Append("a", time);
  const std::vector<std::pair<UnixMillis, uint64_t>> table = {{0, 0},  {10, 0}, {11, 1}, {20, 1},
                                                              {21, 3}, {30, 3}, {31, 4}};
  for (const auto& [time, sequence] : table) {
    EXPECT_EQ(*store_->SequenceBefore(time), sequence) << time;
  }
}

TEST_F(MemoryStoreTest, KeepsItsEpochs) {
  EXPECT_EQ(store_->OpenEpoch(5)->size(), 1u);
  Append("a", 0);
  const auto epochs = store_->OpenEpoch(6);
  ASSERT_EQ(epochs->size(), 2u);
  EXPECT_EQ(epochs->front().epoch, 5u);
  EXPECT_EQ(epochs->front().first_sequence, 1u);
  EXPECT_EQ(epochs->back().epoch, 6u);
  EXPECT_EQ(epochs->back().first_sequence, 2u);
}

}  // namespace
}  // namespace talkjsd::journal
