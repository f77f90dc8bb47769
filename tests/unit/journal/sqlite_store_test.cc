// The store on disk as long as the disk is well: what MemoryStoreTest asks of the other one, and
// what outlives a restart.
#include "daemon/journal/sqlite_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <sqlite3.h>

#include "tests/unit/journal/store_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;
using ::testing::AllOf;
using ::testing::HasSubstr;
using List = std::vector<uint64_t>;

class SqliteStoreTest : public StoreFixture {
 protected:
  // The sequences of one session, as TryAppend deals them out.
  static List Of(char session, uint64_t first, uint64_t last) {
    List sequences;
    for (uint64_t sequence = first; sequence <= last; ++sequence) {
      if (sequence % 3 == static_cast<uint64_t>(session - 'a')) sequences.push_back(sequence);
    }
    return sequences;
  }
  void ExpectAll(const Store& store, uint64_t first, uint64_t last) {
    for (const size_t chunk : {1, 7, 256, 1000}) {
      EXPECT_EQ(ReadFrom(store, first - 1, {}, chunk), Range(first, last)) << chunk;
      EXPECT_EQ(ReadFrom(store, first - 1, {"b"}, chunk), Of('b', first, last)) << chunk;
      List two = Of('a', first, last);
      for (const uint64_t sequence : Of('c', first, last)) two.push_back(sequence);
      std::sort(two.begin(), two.end());
      EXPECT_EQ(ReadFrom(store, first - 1, {"c", "nobody", "a"}, chunk), two) << chunk;
    }
    EXPECT_EQ(ReadFrom(store, first - 1, {"nobody"}), List{});
    EXPECT_EQ(ReadFrom(store, last - 2), Range(last - 1, last));
  }
};

TEST_F(SqliteStoreTest, ReadsFromAnyPlaceAcrossFiles) {
  const auto store = MakeOpenStore();
  AppendTo(*store, 300);
  EXPECT_GT(Files().size(), 3u);
  ExpectAll(*store, 1, 300);
  EXPECT_EQ(store->LastSequence(), 300u);
  EXPECT_EQ(store->PrunedTo(), 0u);
  EXPECT_EQ(store->events(), 300u);
  EXPECT_FALSE(store->HoleAt(0).has_value());
}

TEST_F(SqliteStoreTest, KeepsEventsAsTheyWere) {
  StoredEvent event;
  event.cursor = {UINT64_MAX - 5, 1};
  event.append_time = 1'700'000'000'123;
  event.session_id = "ses\0sion";
  event.conversation_id = "caf\xc3\xa9";
  event.kind = EventKind::kSessionDestroyed;
  event.by_me = true;
  event.bytes.assign("\0\n\xff bytes", 9);
  {
    const auto store = MakeOpenStore(event.cursor.epoch);
    ASSERT_TRUE(store->Append({std::make_shared<StoredEvent>(event)}).ok());
  }
  const auto store = MakeStore();
  uint64_t scanned = 0;
  const auto read = store->Read({}, 0, 10, &scanned);
  ASSERT_TRUE(read.ok());
  ASSERT_EQ(read->size(), 1u);
  const StoredEvent& back = *read->front();
  EXPECT_EQ(back.cursor, event.cursor);
  EXPECT_EQ(back.append_time, event.append_time);
  EXPECT_EQ(back.session_id, event.session_id);
  EXPECT_EQ(back.conversation_id, event.conversation_id);
  EXPECT_EQ(back.kind, event.kind);
  EXPECT_EQ(back.by_me, event.by_me);
  EXPECT_EQ(back.bytes, event.bytes);
  EXPECT_EQ(store->LastTime(), event.append_time);
}

TEST_F(SqliteStoreTest, GoesOnAfterARestart) {
  for (uint64_t start = 0; start < 4; ++start) {
    const auto store = MakeStore();
    const auto epochs = store->OpenEpoch(100 + start);
    ASSERT_TRUE(epochs.ok());
    ASSERT_EQ(epochs->size(), start + 1);
    for (uint64_t i = 0; i <= start; ++i) {
      EXPECT_EQ((*epochs)[i].epoch, 100 + i);
      EXPECT_EQ((*epochs)[i].first_sequence, 95 * i + 1);
    }
    AppendTo(*store, 95);
    ExpectAll(*store, 1, 95 * (start + 1));
  }
  const auto store = MakeStore();
  ExpectAll(*store, 1, 380);
}

TEST_F(SqliteStoreTest, EpochsThatWroteNothingStayKnown) {
  for (const uint64_t epoch : {5, 6, 7}) ASSERT_TRUE(MakeStore()->OpenEpoch(epoch).ok());
  const auto epochs = MakeStore()->OpenEpoch(8);
  ASSERT_TRUE(epochs.ok());
  ASSERT_EQ(epochs->size(), 4u);
  EXPECT_EQ(epochs->front().epoch, 5u);
  EXPECT_EQ(epochs->back().epoch, 8u);
}

TEST_F(SqliteStoreTest, PrunesWholeFilesBySize) {
  options_.retention.bytes = 400 << 10;
  const auto store = MakeOpenStore();
  for (int i = 0; i < 30; ++i) {
    AppendTo(*store, 50);
    store->Prune(1000);
    EXPECT_LE(store->bytes(), options_.retention.bytes);
  }
  const uint64_t pruned = store->PrunedTo();
  EXPECT_GT(pruned, 1000u);
  EXPECT_LT(pruned, 1400u);
  EXPECT_EQ(ReadFrom(*store, pruned), Range(pruned + 1, 1500));
  EXPECT_EQ(ReadFrom(*store, pruned - 1), List{});
  EXPECT_GT(metrics_.pruned_by_size->Value(), 0);
  EXPECT_EQ(metrics_.pruned_by_age->Value(), 0);
}

TEST_F(SqliteStoreTest, DroppedFilesLeaveTheDisk) {
  options_.retention.bytes = 400 << 10;
  {
    const auto store = MakeOpenStore();
    AppendTo(*store, 1500);
    store->Prune(1000);
  }
  EXPECT_LE(Files().size(), 8u);
  uintmax_t size = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
    size += entry.file_size();
  }
  EXPECT_LE(size, 600u << 10);
}

TEST_F(SqliteStoreTest, PrunesByAge) {
  options_.retention.age = std::chrono::seconds(80);
  const auto store = MakeOpenStore();
  for (UnixMillis second = 1; second <= 200; ++second) {
    AppendTo(*store, 1, second * 1000);
    store->Prune(second * 1000);
  }
  // A file is closed after an eighth of the age, so that what is kept too long is little.
  EXPECT_GE(store->PrunedTo(), 100u);
  EXPECT_LT(store->PrunedTo(), 120u);
  store->Prune(1'000'000);
  EXPECT_EQ(store->PrunedTo(), 200u);
  EXPECT_EQ(store->LastSequence(), 200u);
  EXPECT_EQ(store->events(), 0u);
  AppendTo(*store, 1, 1'000'000);
  EXPECT_EQ(ReadFrom(*store, 200), (List{201}));
}

TEST_F(SqliteStoreTest, FindsTheSequenceBeforeATime) {
  const auto store = MakeOpenStore();
  for (UnixMillis i = 1; i <= 250; ++i) AppendTo(*store, 1, i / 2 * 10);
  for (UnixMillis time = 0; time <= 1300; ++time) {
    const auto sequence = store->SequenceBefore(time);
    ASSERT_TRUE(sequence.ok());
    // Event i was appended at i / 2 * 10.
    const auto expected =
        static_cast<uint64_t>(std::clamp<UnixMillis>((time + 9) / 10 * 2 - 1, 0, 250));
    ASSERT_EQ(*sequence, expected) << time;
  }
}

TEST_F(SqliteStoreTest, ThousandsOfSessionsAtOnce) {
  const auto store = MakeOpenStore();
  std::vector<std::string> sessions;
  for (int i = 0; i < 500; ++i) sessions.push_back("session-" + std::to_string(i));
  ASSERT_TRUE(TryAppend(*store, 1500, 1000, sessions).ok());
  std::vector<std::string> half;
  List expected;
  for (size_t i = 0; i < 500; i += 2) half.push_back(sessions[i]);
  for (uint64_t sequence = 2; sequence <= 1500; sequence += 2) expected.push_back(sequence);
  EXPECT_EQ(ReadFrom(*store, 0, half), expected);
}

TEST_F(SqliteStoreTest, ANewerFormatIsRefusedWithWhatToDo) {
  { AppendTo(*MakeOpenStore(), 100); }
  for (const std::string& file : {dir_ / "journal/journal.meta", Files().front().string()}) {
    sqlite3* database = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &database), SQLITE_OK);
    const auto run = [&](const char* sql) {
      ASSERT_EQ(sqlite3_exec(database, sql, nullptr, nullptr, nullptr), SQLITE_OK);
    };
    run("PRAGMA user_version=2; UPDATE about SET value='9.8.7' WHERE name='written_by'");
    const absl::Status refused = OpenSqliteStore(options_, metrics_).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(refused), pb::ERROR_REASON_JOURNAL_FORMAT_NEWER);
    EXPECT_THAT(std::string(MessageOf(refused)),
                AllOf(HasSubstr("written by talkjsd 9.8.7"), HasSubstr("in format 2"),
                      HasSubstr("run talkjsd 9.8.7 or a newer one")));
    run("PRAGMA user_version=1");
    sqlite3_close(database);
  }
  EXPECT_EQ(ReadFrom(*MakeStore(), 0).size(), 100u);
}

// Made by this format's first version; every later one must read it.
TEST_F(SqliteStoreTest, OpensTheGoldenJournalOfFormat1) {
  std::filesystem::copy(TALKJSD_TEST_DATA "/journal-format-1", options_.directory);
  const auto store = MakeStore();
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(store->LastSequence(), 120u);
  ExpectAll(*store, 1, 120);
  uint64_t scanned = 0;
  const auto events = store->Read({"b"}, 0, 1, &scanned);
  ASSERT_TRUE(events.ok());
  const StoredEvent& first = *events->front();
  EXPECT_EQ(first.cursor, (Cursor{11, 1}));
  EXPECT_EQ(first.append_time, 1'700'000'000'000);
  EXPECT_EQ(first.bytes, std::string(1000, 'x'));
  const auto epochs = store->OpenEpoch(33);
  ASSERT_TRUE(epochs.ok());
  ASSERT_EQ(epochs->size(), 3u);
  EXPECT_EQ((*epochs)[1].epoch, 22u);
  EXPECT_EQ((*epochs)[1].first_sequence, 61u);
}

// How the golden journal was made: run it with --gtest_also_run_disabled_tests and
// GOLDEN_DIRECTORY, when the format changes.
TEST_F(SqliteStoreTest, DISABLED_MakeAGoldenJournal) {
  const char* const directory = std::getenv("GOLDEN_DIRECTORY");
  ASSERT_NE(directory, nullptr);
  options_.directory = directory;
  uint64_t next = 1;
  for (const uint64_t epoch : {11, 22}) {
    const auto store = MakeOpenStore(epoch);
    for (int i = 0; i < 60; ++i, ++next) {
      auto event = std::make_shared<StoredEvent>(
          *MakeStored(std::string(1, "abc"[next % 3]), next, 1'700'000'000'000 + i, 1000));
      event->cursor.epoch = epoch;
      ASSERT_TRUE(store->Append({event}).ok());
    }
  }
}

TEST_F(SqliteStoreTest, AJournalOverItSurvivesARestart) {
  OpenDisk({.ring_bytes = 4000});
  for (int i = 0; i < 40; ++i) Append(i % 2 == 0 ? "a" : "b", 5);
  const Cursor middle = {journal_->epoch(), 77};
  const Cursor end = journal_->Latest();
  journal_ = nullptr;
  OpenDisk({.ring_bytes = 4000});
  EXPECT_EQ(journal_->Latest(), end);
  const auto reader = Reading({}, At(middle));
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(78, 200));
  Append("c", 3);
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(201, 203));
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, Earliest()))), Range(1, 203));
  EXPECT_EQ(journal_->durability(), Durability::kOs);
}

TEST_F(SqliteStoreTest, AppendTimesDoNotFallOverARestart) {
  OpenDisk();
  const UnixMillis start = clock_.WallMillis();
  Append("a");
  journal_ = nullptr;
  clock_.Set(start - 60'000);
  OpenDisk();
  Append("a");
  EXPECT_EQ(ReadAll(*Reading({}, Earliest()))[1]->append_time, start);
  journal_ = nullptr;
  clock_.Set(start - 48LL * 3600 * 1000);  // so far back that the old time must have been wrong
  OpenDisk();
  Append("a");
  EXPECT_EQ(ReadAll(*Reading({}, Earliest()))[2]->append_time, clock_.WallMillis());
}

// An older copy of the journal is put back and grows past a cursor that a client still has.
TEST_F(SqliteStoreTest, ARestoredCopyMeansReplayOrAGapNeverASkip) {
  OpenDisk();
  Append("a", 50);
  const Cursor kept = journal_->Latest();
  journal_ = nullptr;
  std::filesystem::copy(options_.directory, dir_ / "copy");
  OpenDisk();
  const uint64_t lost_epoch = journal_->epoch();
  Append("a", 70);
  const Cursor lost = journal_->Latest();
  journal_ = nullptr;
  std::filesystem::remove_all(options_.directory);
  std::filesystem::rename(dir_ / "copy", options_.directory);

  OpenDisk();
  Append("a", 200);
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, At(kept)))), Range(51, 250));
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, At({kept.epoch, 120})))), Range(51, 250));
  EXPECT_EQ(lost.epoch, lost_epoch);
  std::optional<GapInfo> gap;
  EXPECT_EQ(ReasonOf(journal_->OpenReader({}, At(lost), OnGap::kFail, &gap).status()),
            pb::ERROR_REASON_JOURNAL_LOST);
  const auto reader = journal_->OpenReader({}, At(lost), OnGap::kContinue, &gap);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(gap.has_value());
  EXPECT_EQ(gap->reason, GapInfo::Reason::kJournalLost);
  EXPECT_EQ(Sequences(ReadAll(**reader)), Range(1, 250));
}

// Resuming one before, at and one after the edge of retention, while it moves.
TEST_F(SqliteStoreTest, ResumingAtTheEdgeOfRetentionIsExactWhilePruningRuns) {
  const char* const rounds_wanted = std::getenv("TALKJSD_EDGE_ROUNDS");
  const int rounds = rounds_wanted != nullptr ? std::atoi(rounds_wanted) : 3000;
  options_.retention.bytes = 256 << 10;
  OpenDisk({.ring_bytes = 2000});
  std::atomic<bool> stop = false;
  std::thread appender([&] {
    while (!stop) {
      std::vector<NewEvent> events;
      for (int i = 0; i < 5; ++i) events.push_back(MakeEvent("a", 1000));
      Append(std::move(events));
    }
  });
  while (journal_->Earliest().sequence == 0) std::this_thread::yield();
  int expired = 0;
  int resumed = 0;
  for (int round = 0; round < rounds; ++round) {
    const Cursor edge = journal_->Earliest();
    const auto offset = static_cast<uint64_t>(round % 3);
    const Cursor from{edge.epoch, edge.sequence + offset - 1};
    std::optional<GapInfo> gap;
    const auto reader = journal_->OpenReader({}, At(from), OnGap::kFail, &gap);
    const absl::StatusOr<Reader::Batch> batch =
        reader.ok() ? (*reader)->Read(10, kNoLimit) : reader.status();
    if (!batch.ok()) {
      ASSERT_EQ(ReasonOf(batch.status()), pb::ERROR_REASON_CURSOR_EXPIRED) << batch.status();
      ASSERT_GT(journal_->Earliest().sequence, from.sequence);
      ++expired;
    } else if (!batch->events.empty()) {
      ASSERT_EQ(batch->events.front()->cursor.sequence, from.sequence + 1);
      ++resumed;
    }
  }
  stop = true;
  appender.join();
  EXPECT_GE(expired, rounds / 3);
  EXPECT_GT(resumed, rounds / 2);
}

}  // namespace
}  // namespace talkjsd::journal
