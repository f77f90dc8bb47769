#include "daemon/journal/positions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <thread>

#include "tests/unit/journal/fault_vfs.h"
#include "tests/unit/journal/store_testing.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;
using ::testing::HasSubstr;

class PositionsTest : public ::testing::Test {
 protected:
  PositionsTest() {
    options_.path = dir_ / "positions";
    options_.delay = std::chrono::milliseconds(1);
    // Epoch 1 survives up to 100; 9 is of another journal.
    options_.resolve = [](Cursor cursor) -> std::optional<uint64_t> {
      if (cursor.epoch == 9) return std::nullopt;
      return cursor.epoch == 1 ? std::min<uint64_t>(cursor.sequence, 100) : cursor.sequence;
    };
  }
  void Open() {
    positions_ = nullptr;
    auto opened = Positions::Open(options_, clock_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    positions_ = *std::move(opened);
  }
  void Put(const std::string& name, Cursor position) {
    const absl::Status stored = positions_->PutSubscription(
        {.name = name, .selection = "sel\0ection", .position = position});
    ASSERT_TRUE(stored.ok()) << stored;
  }
  Cursor PositionOf(const std::string& name) {
    const auto found = positions_->FindSubscription(name);
    return found.has_value() ? found->position : Cursor{};
  }

  TempDir dir_;
  TestClock clock_;
  Positions::Options options_;
  std::unique_ptr<Positions> positions_;
};

TEST_F(PositionsTest, KeepsSubscriptions) {
  Open();
  Put("alerts", {2, 7});
  Put("bot", {1, 3});
  Open();
  ASSERT_EQ(positions_->Subscriptions().size(), 2u);
  const auto alerts = positions_->FindSubscription("alerts");
  ASSERT_TRUE(alerts.has_value());
  EXPECT_EQ(alerts->position, (Cursor{2, 7}));
  EXPECT_EQ(alerts->selection, "sel\0ection");
  EXPECT_EQ(alerts->last_used, clock_.WallMillis());
  EXPECT_FALSE(positions_->FindSubscription("nobody").has_value());
}

TEST_F(PositionsTest, WhatIsDeletedStaysDeleted) {
  Open();
  Put("alerts", {2, 7});
  positions_->Acknowledge("alerts", {2, 8});
  EXPECT_TRUE(*positions_->DeleteSubscription("alerts"));
  EXPECT_FALSE(*positions_->DeleteSubscription("alerts"));
  Open();
  EXPECT_TRUE(positions_->Subscriptions().empty());
}

TEST_F(PositionsTest, AcknowledgementsOnlyMoveForward) {
  Open();
  Put("a", {2, 50});
  positions_->Acknowledge("a", {2, 60});
  positions_->Acknowledge("a", {2, 55});
  EXPECT_EQ(PositionOf("a"), (Cursor{2, 60}));
  positions_->Acknowledge("a", {9, 70});  // of another journal
  EXPECT_EQ(PositionOf("a"), (Cursor{2, 60}));
  positions_->Acknowledge("nobody", {2, 60});
  // After a rollback the old position counts as what survives of its epoch.
  Put("b", {1, 150});
  positions_->Acknowledge("b", {2, 99});
  EXPECT_EQ(PositionOf("b"), (Cursor{1, 150}));
  positions_->Acknowledge("b", {2, 101});
  EXPECT_EQ(PositionOf("b"), (Cursor{2, 101}));
  // Of a lost journal anything is further.
  Put("c", {9, 1000});
  positions_->Acknowledge("c", {2, 1});
  EXPECT_EQ(PositionOf("c"), (Cursor{2, 1}));
  Open();
  EXPECT_EQ(PositionOf("a"), (Cursor{2, 60}));
  EXPECT_EQ(PositionOf("b"), (Cursor{2, 101}));
}

TEST_F(PositionsTest, AcknowledgementsAreStoredWithoutBeingAskedFor) {
  Open();
  Put("a", {2, 50});
  positions_->Acknowledge("a", {2, 60});
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(options_.path.c_str(), &database), SQLITE_OK);
  sqlite3_busy_timeout(database, 1000);
  const auto stored = [&] {
    sqlite3_stmt* statement = nullptr;
    sqlite3_prepare_v2(database, "SELECT count(*) FROM subscriptions WHERE sequence = 60", -1,
                       &statement, nullptr);
    const bool found =
        sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_int(statement, 0) == 1;
    sqlite3_finalize(statement);
    return found;
  };
  while (!stored() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(stored());
  sqlite3_close(database);
}

TEST_F(PositionsTest, UnusedSubscriptionsExpire) {
  Open();
  constexpr UnixMillis kDay = 24LL * 3600 * 1000;
  const UnixMillis start = clock_.WallMillis();
  Put("quiet", {2, 1});
  Put("busy", {2, 1});
  Put("opened", {2, 1});
  clock_.Set(start + 29 * kDay);
  positions_->Acknowledge("busy", {2, 1});  // moves nothing, and is use
  positions_->NoteUse("opened");
  EXPECT_EQ(positions_->Subscriptions().size(), 3u);
  clock_.Set(start + 31 * kDay);
  EXPECT_FALSE(positions_->FindSubscription("quiet").has_value());
  EXPECT_EQ(positions_->Subscriptions().size(), 2u);
  EXPECT_FALSE(*positions_->DeleteSubscription("quiet"));
  ASSERT_TRUE(positions_->Flush().ok());
  Open();
  clock_.Set(start);
  EXPECT_EQ(positions_->Subscriptions().size(), 2u);  // gone for good
}

TEST_F(PositionsTest, ADiskInTroubleIsToldAndLosesNothing) {
  FaultVfs vfs;
  options_.vfs = vfs.name();
  Open();
  Put("a", {2, 50});
  vfs.FailWrites(SQLITE_FULL);
  testing::internal::CaptureStderr();
  const absl::Status refused = positions_->PutSubscription({"b", "", {2, 1}});
  EXPECT_EQ(ReasonOf(refused), pb::ERROR_REASON_JOURNAL_DISK_FULL);
  EXPECT_FALSE(positions_->FindSubscription("b").has_value());
  positions_->Acknowledge("a", {2, 60});
  EXPECT_FALSE(positions_->Flush().ok());
  EXPECT_EQ(PositionOf("a"), (Cursor{2, 60}));
  vfs.FailWrites(SQLITE_OK);
  EXPECT_TRUE(positions_->Flush().ok());
  Open();
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(PositionOf("a"), (Cursor{2, 60}));
  positions_ = nullptr;
}

TEST_F(PositionsTest, StoredAtOnceSurvivesPowerLoss) {
  FaultVfs vfs;
  options_.vfs = vfs.name();
  options_.delay = std::chrono::hours(1);
  for (uint64_t seed = 1; seed <= 15; ++seed) {
    SCOPED_TRACE(seed);
    Open();
    ASSERT_EQ(positions_->Subscriptions().size(), seed == 1 ? 0 : seed);
    Put("b" + std::to_string(seed), {2, 1});
    Put("a", {2, 10 * seed});
    positions_->Acknowledge("a", {2, 10 * seed + 5});
    vfs.CutPower();
    testing::internal::CaptureStderr();
    positions_ = nullptr;
    testing::internal::GetCapturedStderr();
    vfs.LosePower(seed);
    Open();
    EXPECT_EQ(PositionOf("a"), (Cursor{2, 10 * seed}));  // lags, does not lead
    positions_ = nullptr;
  }
}

TEST_F(PositionsTest, DamageAndNewerFormatsAreRefusedWithWhatToDo) {
  Open();
  Put("a", {2, 50});
  positions_ = nullptr;
  std::filesystem::copy(options_.path, dir_ / "copy");
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(options_.path.c_str(), &database), SQLITE_OK);
  sqlite3_exec(database, "PRAGMA user_version=2", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  EXPECT_EQ(ReasonOf(Positions::Open(options_, clock_).status()),
            pb::ERROR_REASON_JOURNAL_FORMAT_NEWER);
  std::ofstream(options_.path) << std::string(8192, 'x');
  const absl::Status damaged = Positions::Open(options_, clock_).status();
  EXPECT_EQ(ReasonOf(damaged), pb::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED);
  EXPECT_THAT(std::string(MessageOf(damaged)), HasSubstr("restore the file"));
}

}  // namespace
}  // namespace talkjsd::journal
