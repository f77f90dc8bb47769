// What subscriptions do as time goes by, without a server.
#include "daemon/api/streams/subscriptions.h"

#include <gtest/gtest.h>
#include <prometheus/gauge.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>

#include "daemon/base/error.h"
#include "daemon/base/random.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;
using std::chrono::hours;

class ManualClock : public Clock {
 public:
  MonoTime Now() const override { return MonoTime(std::chrono::milliseconds(wall_.load())); }
  UnixMillis WallMillis() const override { return wall_.load(); }
  void Advance(Duration by) {
    wall_ += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
  }

 private:
  std::atomic<UnixMillis> wall_{1'700'000'000'000};
};

class SubscriptionsTest : public ::testing::Test {
 protected:
  SubscriptionsTest() {
    static int count = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("positions." + std::to_string(getpid()) + "." + std::to_string(++count));
    journal_ = *journal::Journal::Open({}, journal::MakeMemoryStore({}), clock_, random_, metrics_);
    journal::Positions::Options options;
    options.path = path_;
    options.resolve = [this](journal::Cursor cursor) { return journal_->Resolve(cursor); };
    positions_ = *journal::Positions::Open(std::move(options), clock_);
    subscriptions_ = std::make_unique<Subscriptions>(*journal_, *positions_, clock_, metrics_);
  }
  ~SubscriptionsTest() override {
    subscriptions_.reset();
    positions_.reset();
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
      std::filesystem::remove(path_ + suffix);
    }
  }

  absl::StatusOr<Subscriptions::Opened> Open(const std::string& name, const std::string& stream_id,
                                             bool takeover = false) {
    v1::StreamMessagesRequest request;
    request.mutable_subscription()->set_name(name);
    request.mutable_subscription()->set_takeover(takeover);
    return subscriptions_->Open(
        request, std::nullopt, stream_id,
        [&](const journal::StartPosition& start) -> absl::StatusOr<Subscriptions::OpenedReader> {
          if (before_opening_) before_opening_();
          Subscriptions::OpenedReader opened;
          auto reader = journal_->OpenReader({}, start, journal::OnGap::kFail, &opened.gap);
          if (!reader.ok()) return reader.status();
          opened.reader = *std::move(reader);
          return opened;
        });
  }
  // Returns when they are visible.
  void Append(int count) {
    std::vector<journal::NewEvent> events(static_cast<size_t>(count));
    for (journal::NewEvent& event : events) {
      v1::MessageEvent message;
      message.set_cursor(std::string(journal::CursorPlaceholder()));
      event.session_id = "s";
      event.bytes = journal::FrameEvent(message.SerializeAsString());
    }
    std::promise<void> stored;
    journal_->Append(std::move(events), [&](const absl::Status&) { stored.set_value(); });
    stored.get_future().wait();
  }
  journal::Cursor At(uint64_t sequence) const { return {journal_->epoch(), sequence}; }
  absl::Status Acknowledge(const std::string& stream_id, uint64_t sequence) {
    v1::AcknowledgeRequest request;
    request.set_name("crm");
    request.set_stream_id(stream_id);
    request.set_cursor(journal::EncodeCursor(At(sequence)));
    return subscriptions_->Acknowledge(request, [](const auto&) { return true; }).status();
  }

  std::string path_;
  ManualClock clock_;
  SeededRandom random_{7};
  Metrics metrics_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<journal::Positions> positions_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::function<void()> before_opening_;
};

TEST_F(SubscriptionsTest, UnusedForThirtyDaysTheyExpireAndOpenOnesDoNot) {
  const auto open = Open("open", "1");
  ASSERT_TRUE(open.ok()) << open.status();
  const auto idle = Open("idle", "2");
  ASSERT_TRUE(idle.ok()) << idle.status();
  subscriptions_->Release(*idle->hold);
  for (int day = 0; day < 29; ++day) {
    clock_.Advance(hours(24));
    subscriptions_->Tick(clock_.Now());
  }
  EXPECT_EQ(subscriptions_->List({}, [](const auto&) { return true; })->subscriptions_size(), 2);
  clock_.Advance(hours(25));
  subscriptions_->Tick(clock_.Now());
  const auto left = subscriptions_->List({}, [](const auto&) { return true; });
  ASSERT_EQ(left->subscriptions_size(), 1);
  EXPECT_EQ(left->subscriptions(0).name(), "open");
  // From its release on it is unused.
  subscriptions_->Release(*open->hold);
  clock_.Advance(hours(24 * 29));
  EXPECT_EQ(subscriptions_->List({}, [](const auto&) { return true; })->subscriptions_size(), 1);
  clock_.Advance(hours(25));
  EXPECT_EQ(subscriptions_->List({}, [](const auto&) { return true; })->subscriptions_size(), 0);
  // One that expired is made anew.
  Append(3);
  const auto again = Open("open", "3");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->start.kind, journal::StartPosition::Kind::kNow);
}

TEST_F(SubscriptionsTest, WhatIsAcknowledgedWhileAnotherStreamTakesOverDoesNotComeAgain) {
  Append(1);
  const auto old = Open("crm", "old");
  ASSERT_TRUE(old.ok());
  Append(5);
  old->hold->NoteSent(At(6));
  int openings = 0;
  before_opening_ = [&] {
    if (++openings == 1) {
      EXPECT_TRUE(Acknowledge("old", 4).ok());
    }
  };
  const auto taker = Open("crm", "new", true);
  ASSERT_TRUE(taker.ok()) << taker.status();
  EXPECT_EQ(openings, 2);
  EXPECT_EQ(taker->opened.reader->position(), At(4));
  EXPECT_EQ(ReasonOf(Acknowledge("old", 5)), v1::ERROR_REASON_STREAM_ID_STALE);
}

TEST_F(SubscriptionsTest, AStreamThatLostItDoesNotReleaseItForTheOther) {
  const auto old = Open("crm", "old");
  const auto taker = Open("crm", "new", true);
  ASSERT_TRUE(old.ok() && taker.ok());
  subscriptions_->Release(*old->hold);
  EXPECT_EQ(ReasonOf(Open("crm", "third").status()), v1::ERROR_REASON_SUBSCRIPTION_IN_USE);
  subscriptions_->Release(*taker->hold);
  EXPECT_TRUE(Open("crm", "third").ok());
}

TEST_F(SubscriptionsTest, AStreamThatIsTakenOverBeforeItRunsEndsAtOnce) {
  class Call : public LiveCall {
   public:
    void End(const absl::Status& status) override { end = status; }
    absl::Status end;
  };
  const auto call = std::make_shared<Call>();
  const auto old = Open("crm", "old");
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE(Open("crm", "new", true).ok());
  EXPECT_TRUE(call->end.ok());
  old->hold->Attach(call);
  EXPECT_EQ(ReasonOf(call->end), v1::ERROR_REASON_SUBSCRIPTION_TAKEN);
}

TEST_F(SubscriptionsTest, MetricsShowHowManyAndHowFarBehind) {
  ASSERT_TRUE(Open("crm", "1").ok());
  const auto idle = Open("idle", "2");
  subscriptions_->Release(*idle->hold);
  Append(10);
  subscriptions_->Tick(clock_.Now());
  EXPECT_EQ(metrics_.subscriptions_open->Value(), 1);
  EXPECT_EQ(metrics_.subscriptions_idle->Value(), 1);
  EXPECT_EQ(metrics_.subscription_lag_events->Value(), 10);
}

}  // namespace
}  // namespace talkjsd::api
