#include "daemon/api/access/quotas.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

class QuotasTest : public testing::Test {
 protected:
  std::shared_ptr<Quotas> Make(const Limits& limits) {
    return std::make_shared<Quotas>(limits, clock_, [this] { return resident_; });
  }
  static std::string LimitOf(const absl::Status& status) {
    EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
    EXPECT_EQ(ReasonOf(status), talkjs::sidecar::v1::ERROR_REASON_LIMIT_EXCEEDED);
    return MetadataOf(status)["limit"];
  }

  ManualClock clock_;
  int64_t resident_ = 0;
};

TEST_F(QuotasTest, APeerThatOpensStreamsWithoutEndIsSlowedDownAndOthersAreNot) {
  Limits limits;
  limits.streams_opened_per_second = 3;
  const auto quotas = Make(limits);
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(quotas->TakeStream("uid:1").ok()) << i;
  const auto refused = quotas->TakeStream("uid:1");
  EXPECT_EQ(LimitOf(refused.status()), "streams_opened_per_second");
  EXPECT_TRUE(quotas->TakeStream("uid:2").ok());
  clock_.Advance(std::chrono::seconds(1));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(quotas->TakeStream("uid:1").ok()) << i;
  EXPECT_FALSE(quotas->TakeStream("uid:1").ok());
  clock_.Advance(std::chrono::hours(1));
  quotas->Tick();
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(quotas->TakeStream("uid:1").ok()) << i;
  EXPECT_FALSE(quotas->TakeStream("uid:1").ok());
}

TEST_F(QuotasTest, OnePeerLeavesAFifthOfTheStreamsToOthers) {
  Limits limits;
  limits.streams = 10;
  const auto quotas = Make(limits);
  std::vector<std::unique_ptr<Quotas::Slot>> slots;
  for (int i = 0; i < 8; ++i) {
    auto slot = quotas->TakeStream("uid:1");
    ASSERT_TRUE(slot.ok()) << slot.status();
    slots.push_back(*std::move(slot));
  }
  EXPECT_EQ(LimitOf(quotas->TakeStream("uid:1").status()), "max_streams");
  EXPECT_TRUE(quotas->TakeStream("uid:2").ok());
  slots.pop_back();
  EXPECT_TRUE(quotas->TakeStream("uid:1").ok()) << "one was closed";
  limits.streams = 100;
  quotas->SetLimits(limits);
  slots.push_back(*quotas->TakeStream("uid:1"));
  EXPECT_TRUE(quotas->TakeStream("uid:1").ok()) << "the limit was raised";
}

TEST_F(QuotasTest, MemoryRefusesStreamsFirstAndThenSessions) {
  Limits limits;
  limits.memory_bytes = 1000;
  const auto quotas = Make(limits);
  const struct {
    int64_t resident;
    bool streams, sessions;
  } cases[] = {{799, true, true},   {800, false, true},   {899, false, true},
               {900, false, false}, {2000, false, false}, {100, true, true}};
  for (const auto& test : cases) {
    resident_ = test.resident;
    clock_.Advance(std::chrono::seconds(1));
    quotas->Tick();
    const auto stream = quotas->TakeStream("uid:1");
    EXPECT_EQ(stream.ok(), test.streams) << test.resident;
    EXPECT_EQ(stream.ok() ? "" : LimitOf(stream.status()), test.streams ? "" : "memory_bytes");
    EXPECT_EQ(quotas->CheckMemoryForSession().ok(), test.sessions) << test.resident;
  }
}

TEST_F(QuotasTest, MemoryIsLookedAtOnceASecondAndIsThisProcesss) {
  Limits limits;
  limits.memory_bytes = 1000;
  const auto quotas = Make(limits);
  quotas->Tick();
  resident_ = 1000;
  quotas->Tick();
  EXPECT_TRUE(quotas->CheckMemoryForSession().ok());
  clock_.Advance(std::chrono::seconds(1));
  quotas->Tick();
  EXPECT_FALSE(quotas->CheckMemoryForSession().ok());

  const int64_t before = ResidentBytes();
  EXPECT_GT(before, 1 << 20);
  const std::vector<char> more(64 << 20, 'x');
  EXPECT_GT(ResidentBytes(), before + (32 << 20)) << static_cast<int>(more[more.size() - 1]);
}

}  // namespace
}  // namespace talkjsd::api
