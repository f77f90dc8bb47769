#include "daemon/api/calls/request_log.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "talkjs/sidecar/v1/message_service.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

class RequestLogTest : public testing::Test {
 protected:
  absl::StatusOr<RequestLog::Entry> Begin(const std::string& id, const std::string& digest) {
    return log_.Begin(id, digest, [this] { return "key" + std::to_string(++keys_); });
  }
  ManualClock clock_;
  RequestLog log_{clock_, 3};
  int keys_ = 0;
};

TEST_F(RequestLogTest, ARepeatHasTheSameKeyAndTheFirstAnswer) {
  EXPECT_EQ(Begin("r", "content")->key, "key1");
  EXPECT_EQ(Begin("r", "content")->key, "key1");
  EXPECT_FALSE(Begin("r", "content")->answer.has_value());
  log_.SetAnswer("r", "msg_1");
  EXPECT_EQ(Begin("r", "content")->answer, "msg_1");
}

TEST_F(RequestLogTest, AnIdWithOtherContentIsRefused) {
  ASSERT_TRUE(Begin("r", "content").ok());
  const auto other = Begin("r", "other");
  EXPECT_EQ(ReasonOf(other.status()), v1::ERROR_REASON_REQUEST_ID_REUSED);
  EXPECT_TRUE(absl::IsInvalidArgument(other.status()));
}

TEST_F(RequestLogTest, ForgetsAfterADay) {
  ASSERT_TRUE(Begin("r", "content").ok());
  clock_.Advance(std::chrono::hours(24) - std::chrono::seconds(1));
  EXPECT_FALSE(Begin("r", "other").ok());
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Begin("r", "other")->key, "key2");
}

TEST_F(RequestLogTest, StaysBounded) {
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Begin("r" + std::to_string(i), "content").ok());
  EXPECT_FALSE(Begin("r9", "other").ok()) << "the newest is remembered";
  EXPECT_TRUE(Begin("r0", "other").ok()) << "the oldest has left";
}

TEST_F(RequestLogTest, SurvivesTheDaemon) {
  namespace fs = std::filesystem;
  std::string directory = (fs::temp_directory_path() / "request_log.XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/requests.db";
  const std::string id("ses_1\0r", 7);
  {
    auto log = RequestLog::Open(path, clock_, 3);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->Begin(id, std::string("\0\xff", 2), [] { return "key1"; }).ok());
    ASSERT_TRUE((*log)->Begin("other", "content", [] { return "key2"; }).ok());
    (*log)->SetAnswer("other", "msg_2");
  }
  clock_.Advance(std::chrono::hours(1));
  {
    auto log = RequestLog::Open(path, clock_, 3);
    ASSERT_TRUE(log.ok()) << log.status();
    const auto repeat = (*log)->Begin(id, std::string("\0\xff", 2), [] { return "key3"; });
    ASSERT_TRUE(repeat.ok());
    EXPECT_EQ(repeat->key, "key1");
    EXPECT_FALSE(repeat->answer.has_value());
    EXPECT_EQ((*log)->Begin("other", "content", [] { return "key4"; })->answer, "msg_2");
    EXPECT_EQ(ReasonOf((*log)->Begin(id, "changed", [] { return "key5"; }).status()),
              v1::ERROR_REASON_REQUEST_ID_REUSED);
  }
  clock_.Advance(std::chrono::hours(23));
  {
    auto log = RequestLog::Open(path, clock_, 3);
    ASSERT_TRUE(log.ok()) << log.status();
    EXPECT_EQ((*log)->Begin(id, "changed", [] { return "key6"; })->key, "key6");
  }
  fs::remove_all(directory);
}

TEST_F(RequestLogTest, TheDigestDoesNotDependOnTheOrderOfAMap) {
  v1::SendMessageRequest one;
  v1::SendMessageRequest two;
  for (int i = 0; i < 50; ++i) (*one.mutable_custom())[std::to_string(i)] = "v";
  for (int i = 49; i >= 0; --i) (*two.mutable_custom())[std::to_string(i)] = "v";
  EXPECT_EQ(ContentDigest(one), ContentDigest(two));
  two.set_text("t");
  EXPECT_NE(ContentDigest(one), ContentDigest(two));
}

}  // namespace
}  // namespace talkjsd::api
