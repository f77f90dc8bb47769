// What the writer does: order, groups, trouble with the store, the end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/journal/journal_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;
using ::testing::HasSubstr;

class WriterTest : public JournalFixture {};

TEST_F(WriterTest, NumbersEventsAndPatchesTheirCursors) {
  OpenMemory();
  EXPECT_EQ(journal_->Latest(), (Cursor{journal_->epoch(), 0}));
  EXPECT_EQ(journal_->Earliest(), (Cursor{journal_->epoch(), 0}));
  Append("a", 2);
  Append("b");
  const std::vector<EventRef> events = ReadAll(*Reading({}, Earliest()));
  EXPECT_EQ(Sequences(events), Range(1, 3));
  for (const EventRef& event : events) {
    EXPECT_EQ(event->cursor.epoch, journal_->epoch());
    EXPECT_EQ(event->append_time, clock_.WallMillis());
    EXPECT_THAT(event->bytes, HasSubstr(EncodeCursor(event->cursor)));
  }
  EXPECT_EQ(events[2]->session_id, "b");
  EXPECT_EQ(journal_->Latest(), (Cursor{journal_->epoch(), 3}));
}

TEST_F(WriterTest, ContinuesAfterTheStoresLastSequence) {
  store_->epochs = {{77, 1}};
  for (uint64_t sequence = 1; sequence <= 5; ++sequence) {
    store_->events.push_back(MakeStored("a", sequence));
  }
  OpenFake();
  EXPECT_EQ(journal_->Latest(), (Cursor{77, 5}));
  Append("a");
  EXPECT_EQ(journal_->Latest(), (Cursor{journal_->epoch(), 6}));
  EXPECT_NE(journal_->epoch(), 77u);
}

TEST_F(WriterTest, WhatComesDuringACommitIsTheNextGroup) {
  OpenFake();
  store_->Hold(true);
  journal_->Append(MakeEvents("a", 1));
  ASSERT_TRUE(store_->AwaitAppends(1));
  for (int i = 0; i < 10; ++i) journal_->Append(MakeEvents("s" + std::to_string(i), 3));
  EXPECT_EQ(journal_->Latest().sequence, 0u);  // stored first, visible afterwards
  store_->Hold(false);
  Settle();
  EXPECT_EQ(store_->groups, (std::vector<size_t>{1, 30}));
  EXPECT_EQ(Sequences(store_->events), Range(1, 31));
}

TEST_F(WriterTest, GroupsAreBoundedAndCallsAreNotSplit) {
  OpenFake({.max_group_events = 10});
  store_->Hold(true);
  journal_->Append(MakeEvents("a", 1));
  ASSERT_TRUE(store_->AwaitAppends(1));
  for (const size_t count : {4, 4, 4, 25, 10, 1}) journal_->Append(MakeEvents("a", count));
  store_->Hold(false);
  Settle();
  EXPECT_EQ(store_->groups, (std::vector<size_t>{1, 8, 4, 25, 10, 1}));
}

TEST_F(WriterTest, AGroupBecomesVisibleAtOnce) {
  OpenMemory();
  constexpr uint64_t kGroup = 7;
  constexpr uint64_t kGroups = 300;
  std::thread appender([this] {
    for (uint64_t i = 0; i < kGroups; ++i) {
      std::vector<NewEvent> events = MakeEvents("a", kGroup - 1);
      events.push_back(MakeEvent("b"));
      journal_->Append(std::move(events));
    }
  });
  const auto reader = Reading({}, Earliest());
  const auto reader_of_both = Reading(Sessions({"a", "b"}), Earliest());
  Waiter waiter;
  for (Reader* each : {reader.get(), reader_of_both.get()}) {
    while (each->position().sequence < kGroup * kGroups) {
      ASSERT_TRUE(waiter.Await(*each));
      const auto batch = each->Read(kNoLimit, kNoLimit);
      ASSERT_TRUE(batch.ok());
      ASSERT_EQ(batch->events.size() % kGroup, 0u);
    }
  }
  appender.join();
}

TEST_F(WriterTest, AFailingStoreIsRetriedInOrder) {
  OpenFake();
  store_->Set(&FakeStore::State::failures_due, 2);
  testing::internal::CaptureStderr();
  const auto reader = Reading({}, Now());
  std::vector<int> stored;
  for (int i = 0; i < 3; ++i) {
    journal_->Append(MakeEvents("a", 2), [&stored, i](const absl::Status& status) {
      EXPECT_TRUE(status.ok());
      stored.push_back(i);
    });
  }
  ASSERT_TRUE(store_->AwaitAppends(2));
  EXPECT_TRUE(ReadAll(*reader).empty());
  Settle();
  EXPECT_EQ(stored, (std::vector<int>{0, 1, 2}));
  EXPECT_EQ(Sequences(store_->events), Range(1, 6));
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(1, 6));
  const std::string log = testing::internal::GetCapturedStderr();
  const size_t first = log.find("cannot be written");
  ASSERT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("cannot be written", first + 1), std::string::npos) << log;
}

TEST_F(WriterTest, CloseStoresWhatWasHandedOver) {
  OpenFake({.max_group_events = 10});
  store_->Hold(true);
  std::atomic<int> stored = 0;
  for (int i = 0; i < 50; ++i) {
    journal_->Append(MakeEvents("a", 3),
                     [&](const absl::Status& status) { stored += status.ok(); });
  }
  std::thread closer([this] { journal_->Close(); });
  store_->Hold(false);
  closer.join();
  journal_->Close();
  EXPECT_EQ(stored, 50);
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, Earliest()))), Range(1, 150));

  std::optional<absl::Status> refused;
  journal_->Append(MakeEvents("a", 1), [&](const absl::Status& status) { refused = status; });
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(*refused), pb::ERROR_REASON_DRAINING);
  EXPECT_EQ(journal_->Latest().sequence, 150u);
}

TEST_F(WriterTest, CloseGivesUpOnAStoreThatKeepsFailing) {
  OpenFake({.max_group_events = 1});
  Append("a");
  store_->Set(&FakeStore::State::failures_due, 1'000'000);
  std::vector<absl::Status> ends;
  for (int i = 0; i < 3; ++i) {
    journal_->Append(MakeEvents("a", 1),
                     [&](const absl::Status& status) { ends.push_back(status); });
  }
  ASSERT_TRUE(store_->AwaitAppends(2));
  journal_->Close();
  ASSERT_EQ(ends.size(), 3u);
  for (const absl::Status& status : ends) {
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(status), pb::ERROR_REASON_JOURNAL_UNAVAILABLE);
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("disk full"));
  }
  EXPECT_EQ(journal_->Latest().sequence, 1u);
}

TEST_F(WriterTest, AppendTimesDoNotFallWhenTheClockIsSetBack) {
  OpenMemory();
  const UnixMillis start = clock_.WallMillis();
  Append("a");
  clock_.Set(start - 60'000);
  Append("a");
  clock_.Set(start + 10);
  Append("a");
  const std::vector<EventRef> events = ReadAll(*Reading({}, Earliest()));
  EXPECT_EQ(events[1]->append_time, start);
  EXPECT_EQ(events[2]->append_time, start + 10);
}

TEST_F(WriterTest, ConcurrentAppendersKeepEachTheirOrder) {
  OpenMemory({.ring_bytes = 1 << 16});
  constexpr int kThreads = 4;
  constexpr size_t kEach = 500;
  std::vector<std::thread> appenders;
  for (int t = 0; t < kThreads; ++t) {
    appenders.emplace_back([this, t] {
      for (size_t i = 0; i < kEach; ++i) {
        NewEvent event = MakeEvent("s" + std::to_string(t));
        event.conversation_id = std::to_string(i);
        journal_->Append([&] {
          std::vector<NewEvent> one;
          one.push_back(std::move(event));
          return one;
        }());
      }
    });
  }
  for (std::thread& appender : appenders) appender.join();
  Settle();
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, Earliest()))), Range(1, kThreads * kEach));
  for (int t = 0; t < kThreads; ++t) {
    const auto events = ReadAll(*Reading(Sessions({"s" + std::to_string(t)}), Earliest()));
    ASSERT_EQ(events.size(), kEach);
    for (size_t i = 0; i < kEach; ++i) EXPECT_EQ(events[i]->conversation_id, std::to_string(i));
  }
}

TEST_F(WriterTest, CountsInMetrics) {
  OpenMemory();
  Append("a", 3);
  Settle();
  const std::string text = metrics_.Render();
  EXPECT_THAT(text, HasSubstr("talkjsd_journal_events_total{kind=\"sent\"} 3"));
  EXPECT_THAT(text, HasSubstr("talkjsd_journal_kept_events 3"));
  EXPECT_THAT(text, HasSubstr("talkjsd_journal_commit_seconds_count 1"));
}

}  // namespace
}  // namespace talkjsd::journal
