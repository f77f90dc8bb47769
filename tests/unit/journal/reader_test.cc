// What readers get: everything once, whatever comes between.
#include "daemon/journal/reader.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/unit/journal/journal_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;
using List = std::vector<uint64_t>;

class ReaderTest : public JournalFixture {};

TEST_F(ReaderTest, BatchesKeepTheirLimits) {
  OpenMemory();
  Append("a", 10);
  const size_t size = ReadAll(*Reading({}, Earliest()), 1).front()->bytes.size();
  const auto reader = Reading({}, Earliest());
  EXPECT_EQ(Sequences(reader->Read(3, kNoLimit)->events), Range(1, 3));
  EXPECT_EQ(Sequences(reader->Read(256, 2 * size + 1)->events), Range(4, 5));
  EXPECT_EQ(reader->position().sequence, 5u);
  EXPECT_EQ(Sequences(reader->Read(256, 1)->events), Range(6, 6));  // a larger one comes alone
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(7, 10));
}

TEST_F(ReaderTest, BatchesKeepTheirLimitsBehindTheRing) {
  OpenMemory({.ring_bytes = 0});
  for (int i = 0; i < 500; ++i) Append("a");
  const size_t size = ReadAll(*Reading({}, Earliest()), 1).front()->bytes.size();
  const auto reader = Reading({}, Earliest());
  EXPECT_EQ(Sequences(reader->Read(3, kNoLimit)->events), Range(1, 3));
  EXPECT_EQ(Sequences(reader->Read(256, 2 * size + 1)->events), Range(4, 5));
  EXPECT_EQ(Sequences(reader->Read(256, 1)->events), Range(6, 6));
  EXPECT_EQ(Sequences(ReadAll(*reader, 256, size * 20)), Range(7, 500));
}

TEST_F(ReaderTest, PositionMovesOverWhatIsNotWanted) {
  OpenMemory({.ring_bytes = 2000});
  Selection edits = Sessions({"a"});
  edits.sent = false;
  edits.edited = true;
  const auto reader = Reading(edits, Earliest());
  const auto elsewhere = Reading(Sessions({"nobody"}), Earliest());
  for (int i = 0; i < 100; ++i) Append("a", 3);
  EXPECT_TRUE(ReadAll(*reader).empty());
  EXPECT_EQ(reader->position(), journal_->Latest());
  EXPECT_TRUE(ReadAll(*elsewhere).empty());
  EXPECT_EQ(elsewhere->position(), journal_->Latest());
}

TEST_F(ReaderTest, SelectionsFilterFromRingAndStore) {
  for (const size_t ring_bytes : {size_t{0}, size_t{64} << 20}) {
    OpenMemory({.ring_bytes = ring_bytes});
    std::vector<NewEvent> events = MakeEvents("a", 8);
    events[0].conversation_id = "c1";
    events[1].conversation_id = "c2";
    events[2].conversation_id = "c2";
    events[2].by_me = true;
    events[3].conversation_id = "c3";
    events[4].kind = EventKind::kGap;
    events[5].kind = EventKind::kSessionState;
    events[6].kind = EventKind::kDeleted;
    events[7].session_id = "b";
    Append(std::move(events));
    Selection selection = Sessions({"a", "a"});
    EXPECT_EQ(Sequences(ReadAll(*Reading(selection, Earliest()))), (List{1, 2, 3, 4, 5}));
    selection.conversation_ids = {"c2", "c1"};
    EXPECT_EQ(Sequences(ReadAll(*Reading(selection, Earliest()))), (List{1, 2, 3, 5}));
    selection.exclude_by_me = true;
    EXPECT_EQ(Sequences(ReadAll(*Reading(selection, Earliest()))), (List{1, 2, 5}));
    selection.session_state = true;
    EXPECT_EQ(Sequences(ReadAll(*Reading(selection, Earliest()))), (List{1, 2, 5, 6}));
    selection.session_ids.clear();
    selection.conversation_ids = {"c"};
    EXPECT_EQ(Sequences(ReadAll(*Reading(selection, Earliest()))), (List{5, 6, 8}));
  }
}

// Any interleaving of appending and reading, any selection, a ring that holds a few events only:
// against a list.
TEST_F(ReaderTest, GetsEverythingOnceInOrder) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    OpenMemory({.ring_bytes = 500 + random.Next() % 5000});
    struct Stream {
      std::set<std::string> sessions;
      std::unique_ptr<Reader> reader;
      List got;
      uint64_t start;
    };
    std::vector<Stream> streams;
    std::vector<std::string> sessions_of_events;
    const auto session = [&] { return std::string(1, static_cast<char>('a' + random.Next() % 5)); };
    for (int step = 0; step < 150; ++step) {
      switch (random.Next() % 4) {
        case 0: {
          Stream stream;
          for (uint64_t i = random.Next() % 4; i > 0; --i) stream.sessions.insert(session());
          stream.start = random.Next() % (sessions_of_events.size() + 1);
          stream.reader = Reading(Sessions({stream.sessions.begin(), stream.sessions.end()}),
                                  After(stream.start));
          streams.push_back(std::move(stream));
          break;
        }
        case 1: {
          if (streams.empty()) break;
          Stream& stream = streams[random.Next() % streams.size()];
          const auto batch = stream.reader->Read(1 + random.Next() % 20, random.Next() % 2000);
          ASSERT_TRUE(batch.ok());
          for (const EventRef& event : batch->events) stream.got.push_back(event->cursor.sequence);
          break;
        }
        default: {
          std::vector<NewEvent> events;
          for (uint64_t i = 1 + random.Next() % 10; i > 0; --i) {
            sessions_of_events.push_back(session());
            events.push_back(MakeEvent(sessions_of_events.back(), random.Next() % 300));
          }
          Append(std::move(events));
        }
      }
    }
    for (Stream& stream : streams) {
      for (const EventRef& event : ReadAll(*stream.reader)) {
        stream.got.push_back(event->cursor.sequence);
      }
      List expected;
      for (uint64_t sequence = stream.start + 1; sequence <= sessions_of_events.size();
           ++sequence) {
        if (stream.sessions.empty() || stream.sessions.contains(sessions_of_events[sequence - 1])) {
          expected.push_back(sequence);
        }
      }
      EXPECT_EQ(stream.got, expected);
    }
    streams.clear();
  }
}

TEST_F(ReaderTest, AQuietSessionNeedsNoStoreWhenOthersFillTheRing) {
  OpenFake({.ring_bytes = 1000});
  const auto reader = Reading(Sessions({"quiet"}), Now());
  for (int i = 0; i < 20; ++i) Append("busy", 10);
  EXPECT_TRUE(ReadAll(*reader).empty());
  Append("quiet");
  EXPECT_EQ(Sequences(ReadAll(*reader)), (List{201}));
  EXPECT_EQ(store_->reads, 0);
}

TEST_F(ReaderTest, WhatIsStoredButNotYetVisibleIsNotRead) {
  OpenFake({.ring_bytes = 0});
  Append("a", 3);
  {
    std::lock_guard lock(store_->mutex);
    store_->events.push_back(MakeStored("a", 4));
  }
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, Earliest()))), Range(1, 3));
  EXPECT_EQ(Sequences(ReadAll(*Reading(Sessions({"a"}), Earliest()))), Range(1, 3));
}

TEST_F(ReaderTest, AnUnreadableStoreIsUnavailable) {
  OpenFake({.ring_bytes = 0});
  Append("a", 3);
  const auto reader = Reading({}, Earliest());
  EXPECT_EQ(Sequences(reader->Read(2, kNoLimit)->events), Range(1, 2));
  store_->Set(&FakeStore::State::unreadable, true);
  const absl::Status status = reader->Read(2, kNoLimit).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), pb::ERROR_REASON_JOURNAL_UNAVAILABLE);
  store_->Set(&FakeStore::State::unreadable, false);
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(3, 3));
}

TEST_F(ReaderTest, AGapIsNotForgottenInTrouble) {
  OpenFake({.ring_bytes = 0});
  Append("a", 5);
  const auto reader = Reading({}, Earliest(), OnGap::kContinue);
  store_->Set(&FakeStore::State::pruned_to, uint64_t{3});
  store_->Set(&FakeStore::State::unreadable, true);
  const auto batch = reader->Read(256, kNoLimit);
  ASSERT_TRUE(batch.ok()) << batch.status();
  ASSERT_TRUE(batch->gap.has_value());
  EXPECT_EQ(batch->gap->to.sequence, 3u);
  EXPECT_FALSE(reader->Read(256, kNoLimit).ok());
  store_->Set(&FakeStore::State::unreadable, false);
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(4, 5));
}

class RetentionTest : public JournalFixture {
 protected:
  // Room for about ten events; the ring alone would hold them all.
  void OpenSmall() {
    OpenMemory({}, {.age = std::chrono::hours(1), .bytes = 10 * MakeStored("a", 1, 0, 42)->Cost()});
  }
};

TEST_F(RetentionTest, OvertakingAReaderEndsItsStream) {
  OpenSmall();
  const auto reader = Reading({}, Earliest());
  const auto of_session = Reading(Sessions({"a"}), Earliest());
  Append("a", 30);
  Settle();
  ASSERT_GT(journal_->Earliest().sequence, 0u);
  for (Reader* each : {reader.get(), of_session.get()}) {
    for (int i = 0; i < 2; ++i) {
      const absl::Status status = each->Read(256, kNoLimit).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
      EXPECT_EQ(ReasonOf(status), pb::ERROR_REASON_CURSOR_EXPIRED);
    }
  }
}

TEST_F(RetentionTest, OvertakingAReaderThatAcceptsGapsIsSaid) {
  OpenSmall();
  const auto reader = Reading({}, Earliest(), OnGap::kContinue);
  Append("a", 5);
  EXPECT_EQ(Sequences(reader->Read(3, kNoLimit)->events), Range(1, 3));
  Append("b", 30);
  Settle();
  const uint64_t pruned = journal_->Earliest().sequence;
  ASSERT_GT(pruned, 5u);
  const auto batch = reader->Read(256, kNoLimit);
  ASSERT_TRUE(batch.ok());
  ASSERT_TRUE(batch->gap.has_value());
  EXPECT_EQ(batch->gap->from, (Cursor{journal_->epoch(), 3}));
  EXPECT_EQ(batch->gap->to, (Cursor{journal_->epoch(), pruned}));
  EXPECT_EQ(batch->gap->reason, GapInfo::Reason::kExpired);
  EXPECT_EQ(Sequences(batch->events), Range(pruned + 1, 35));
  EXPECT_TRUE(ReadAll(*reader).empty());
}

TEST_F(RetentionTest, AReaderThatHasReadItsSessionMissesNothing) {
  OpenSmall();
  const auto reader = Reading(Sessions({"a"}), Earliest());
  Append("a", 5);
  EXPECT_EQ(ReadAll(*reader).size(), 5u);
  Append("b", 100);
  Settle();
  ASSERT_GT(journal_->Earliest().sequence, reader->position().sequence);
  EXPECT_TRUE(ReadAll(*reader).empty());
  Append("a");
  EXPECT_EQ(Sequences(ReadAll(*reader)), (List{106}));
}

TEST_F(RetentionTest, NoSilentSkipUnderLoad) {
  OpenSmall();
  const auto reader = Reading({}, Earliest(), OnGap::kContinue);
  constexpr uint64_t kEvents = 3000;
  std::thread appender([this] {
    for (uint64_t i = 0; i < kEvents; ++i) journal_->Append(MakeEvents("a", 1));
  });
  uint64_t expected = 1;
  Waiter waiter;
  while (expected <= kEvents) {
    ASSERT_TRUE(waiter.Await(*reader));
    const auto batch = reader->Read(3, kNoLimit);
    ASSERT_TRUE(batch.ok());
    if (batch->gap.has_value()) {
      ASSERT_EQ(batch->gap->from.sequence + 1, expected);
      expected = batch->gap->to.sequence + 1;
    }
    for (const EventRef& event : batch->events) ASSERT_EQ(event->cursor.sequence, expected++);
  }
  appender.join();
}

}  // namespace
}  // namespace talkjsd::journal
