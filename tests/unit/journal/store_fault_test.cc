// Disks that are full, that fail, that lose power; a process that is killed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include "daemon/journal/journal_meta.h"
#include "tests/unit/journal/fault_vfs.h"
#include "tests/unit/journal/store_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;
using ::testing::HasSubstr;

class StoreFaultTest : public StoreFixture {
 protected:
  StoreFaultTest() { options_.vfs = vfs_.name(); }
  ~StoreFaultTest() override { journal_ = nullptr; }

  // Appends until an attempt fails.
  static absl::Status AppendUntilRefused(Store& store) {
    for (int i = 0; i < 2000; ++i) {
      if (absl::Status stored = TryAppend(store, 10); !stored.ok()) return stored;
    }
    return absl::OkStatus();
  }

  FaultVfs vfs_;
};

TEST_F(StoreFaultTest, AFullDiskIsRefusedWithWhatToDoAndGoesOnByItself) {
  const auto store = MakeOpenStore();
  AppendTo(*store, 100);
  vfs_.FailWrites(SQLITE_FULL);
  const absl::Status refused = TryAppend(*store, 10);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(refused), pb::ERROR_REASON_JOURNAL_DISK_FULL);
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr("free space"));
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr(".segment"));
  EXPECT_EQ(store->LastSequence(), 100u);
  EXPECT_EQ(ReadFrom(*store, 0), Range(1, 100));
  vfs_.FailWrites(SQLITE_OK);
  AppendTo(*store, 200);
  EXPECT_EQ(ReadFrom(*store, 0), Range(1, 300));
}

TEST_F(StoreFaultTest, AFullDiskWhileANewFileIsDueLeavesNoneBehind) {
  const auto store = MakeOpenStore();
  AppendTo(*store, 60);
  const size_t files = Files().size();
  AppendTo(*store, 10);
  while (Files().size() == files) AppendTo(*store, 1);
  while (store->LastSequence() % 10 != 0) AppendTo(*store, 1);
  vfs_.FailWrites(SQLITE_FULL);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(TryAppend(*store, 10).ok());
  vfs_.FailWrites(SQLITE_OK);
  AppendTo(*store, 300);
  const uint64_t last = store->LastSequence();
  EXPECT_EQ(ReadFrom(*store, 0), Range(1, last));
}

TEST_F(StoreFaultTest, AReadOnlyDiskIsItsOwnReason) {
  const auto store = MakeOpenStore();
  AppendTo(*store, 10);
  vfs_.FailWrites(SQLITE_READONLY);
  const absl::Status refused = TryAppend(*store, 10);
  EXPECT_EQ(ReasonOf(refused), pb::ERROR_REASON_JOURNAL_READ_ONLY);
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr("make the state directory writable"));
  vfs_.FailWrites(SQLITE_OK);
  AppendTo(*store, 10);
  EXPECT_EQ(ReadFrom(*store, 0), Range(1, 20));
}

TEST_F(StoreFaultTest, NothingIsDeliveredThatIsNotStored) {
  OpenDisk({.ring_bytes = 2000});
  Append("a", 5);
  vfs_.FailWrites(SQLITE_FULL);
  testing::internal::CaptureStderr();
  const auto reader = Reading({}, Now());
  std::promise<absl::Status> stored;
  journal_->Append(MakeEvents("a", 5),
                   [&](const absl::Status& status) { stored.set_value(status); });
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (journal_->health().ok() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  EXPECT_EQ(ReasonOf(journal_->health()), pb::ERROR_REASON_JOURNAL_DISK_FULL);
  EXPECT_TRUE(ReadAll(*reader).empty());
  EXPECT_EQ(journal_->Latest().sequence, 5u);
  EXPECT_EQ(Sequences(ReadAll(*Reading({}, Earliest()))), Range(1, 5));
  vfs_.FailWrites(SQLITE_OK);
  EXPECT_TRUE(stored.get_future().get().ok());
  EXPECT_EQ(Sequences(ReadAll(*reader)), Range(6, 10));
  EXPECT_TRUE(journal_->health().ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("can be written again"));
}

TEST_F(StoreFaultTest, AFailedSyncMovesOnToANewFile) {
  options_.durability = Durability::kDisk;
  for (int failures = 1; failures <= 6; ++failures) {
    SCOPED_TRACE(failures);
    std::filesystem::remove_all(options_.directory);
    testing::internal::CaptureStderr();
    uint64_t returned = 0;
    {
      const auto store = MakeOpenStore();
      AppendTo(*store, 20);
      vfs_.FailSyncs(failures);
      const size_t files = Files().size();
      int refused = 0;
      while (store->LastSequence() < 60) refused += !TryAppend(*store, 10).ok();
      EXPECT_GE(refused, 1);
      EXPECT_EQ(vfs_.failed_syncs() > 0, true);
      EXPECT_GT(Files().size(), files);
      EXPECT_EQ(ReadFrom(*store, 0), Range(1, store->LastSequence()));
      returned = store->LastSequence();
      vfs_.CutPower();
    }
    vfs_.LosePower(static_cast<uint64_t>(failures));
    EXPECT_EQ(ReadFrom(*MakeOpenStore(2), 0), Range(1, returned));
    testing::internal::GetCapturedStderr();
  }
}

TEST_F(StoreFaultTest, PowerLossOnDiskDurabilityLosesNothingThatWasReturned) {
  options_.durability = Durability::kDisk;
  uint64_t last = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    {
      const auto store = MakeOpenStore(seed);
      ASSERT_NE(store, nullptr);
      ASSERT_GE(store->LastSequence(), last);
      EXPECT_EQ(ReadFrom(*store, 0), Range(1, store->LastSequence()));
      AppendTo(*store, 20 * (seed % 9));
      last = store->LastSequence();
      vfs_.CutPower();
      testing::internal::CaptureStderr();
      EXPECT_FALSE(TryAppend(*store, 10).ok());
    }
    testing::internal::GetCapturedStderr();
    vfs_.LosePower(seed);
  }
  const auto store = MakeStore();
  EXPECT_GE(store->LastSequence(), last);
  EXPECT_EQ(ReadFrom(*store, 0), Range(1, store->LastSequence()));
}

TEST_F(StoreFaultTest, PowerLossOnOsDurabilityKeepsABeginningAndEveryEpoch) {
  size_t lost = 0;
  for (uint64_t seed = 1; seed <= 25; ++seed) {
    SCOPED_TRACE(seed);
    uint64_t returned = 0;
    {
      const auto store = MakeStore();
      ASSERT_NE(store, nullptr);
      const auto epochs = store->OpenEpoch(seed);
      ASSERT_TRUE(epochs.ok());
      EXPECT_EQ(epochs->size(), seed);
      EXPECT_EQ(ReadFrom(*store, 0), Range(1, store->LastSequence()));
      AppendTo(*store, 20 * (seed % 9));
      returned = store->LastSequence();
      vfs_.CutPower();
    }
    vfs_.LosePower(seed);
    const auto store = MakeStore();
    ASSERT_NE(store, nullptr);
    lost += returned - store->LastSequence();
    EXPECT_EQ(ReadFrom(*store, 0), Range(1, store->LastSequence()));
    EXPECT_FALSE(store->HoleAt(0).has_value());
  }
  EXPECT_GT(lost, 0u);  // or the disk was not cruel enough
}

// What a client saw and the disk forgot comes again; what it did not see comes once.
TEST_F(StoreFaultTest, AClientResumesOverAPowerLoss) {
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    OpenDisk();
    Append("a", 30);
    Append("a", 30);
    const Cursor seen = journal_->Latest();
    const uint64_t end = seen.sequence;
    vfs_.CutPower();
    testing::internal::CaptureStderr();
    journal_ = nullptr;
    testing::internal::GetCapturedStderr();
    vfs_.LosePower(seed);
    OpenDisk();
    const uint64_t survived = journal_->Latest().sequence;
    ASSERT_LE(survived, end);
    Append("a", 100);
    EXPECT_EQ(Sequences(ReadAll(*Reading({}, At(seen)))), Range(survived + 1, survived + 100));
    journal_ = nullptr;
  }
}

// The child tells through a pipe what Append has returned.
TEST_F(StoreFaultTest, AKilledProcessLosesNothingThatWasReturned) {
  options_.vfs.clear();
  uint64_t returned = 0;
  SeededRandom random(5);
  for (uint64_t round = 1; round <= 8; ++round) {
    SCOPED_TRACE(round);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      Metrics metrics;
      auto store = OpenSqliteStore(options_, metrics);
      if (!store.ok() || !(*store)->OpenEpoch(round).ok()) ::_exit(1);
      while (TryAppend(**store, 10).ok()) {
        const uint64_t last = (*store)->LastSequence();
        if (::write(ends[1], &last, sizeof(last)) != sizeof(last)) ::_exit(1);
      }
      ::_exit(1);
    }
    ::close(ends[1]);
    for (uint64_t count = 20 + random.Next() % 100; count > 0; --count) {
      ASSERT_EQ(::read(ends[0], &returned, sizeof(returned)), 8);
    }
    ::kill(child, SIGKILL);
    while (::read(ends[0], &returned, sizeof(returned)) == 8) {
    }
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto store = MakeStore();
    ASSERT_GE(store->LastSequence(), returned);
    EXPECT_EQ(ReadFrom(*store, 0), Range(1, store->LastSequence()));
  }
}

TEST_F(StoreFaultTest, ADirectoryThatCannotBeUsedIsNamed) {
  options_.vfs.clear();
  options_.directory = dir_ / "no/such/parent";
  const absl::Status refused = OpenSqliteStore(options_, metrics_).status();
  EXPECT_EQ(ReasonOf(refused), pb::ERROR_REASON_JOURNAL_READ_ONLY);
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr(options_.directory));
  EXPECT_THAT(std::string(MessageOf(refused)), HasSubstr("--state-dir"));
}

TEST_F(StoreFaultTest, AFullDiskAtTheStartIsItsOwnReason) {
  { AppendTo(*MakeOpenStore(), 50); }
  vfs_.FailWrites(SQLITE_FULL);
  auto store = OpenSqliteStore(options_, metrics_);
  absl::Status refused = store.status();
  if (refused.ok()) {
    refused = Journal::Open({}, *std::move(store), clock_, random_, metrics_).status();
  }
  EXPECT_EQ(ReasonOf(refused), pb::ERROR_REASON_JOURNAL_DISK_FULL) << refused;
}

TEST_F(StoreFaultTest, CongestionBeginsAtTheLimitAndEndsBelowIt) {
  OpenFake({.max_queued_bytes = 1000});
  store_->Hold(true);
  EXPECT_FALSE(journal_->congested());
  for (int i = 0; i < 100 && !journal_->congested(); ++i) journal_->Append(MakeEvents("a", 1));
  EXPECT_TRUE(journal_->congested());
  store_->Hold(false);
  Settle();
  Settle();
  EXPECT_FALSE(journal_->congested());
}

}  // namespace
}  // namespace talkjsd::journal
