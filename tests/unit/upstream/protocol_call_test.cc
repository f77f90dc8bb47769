#include <gtest/gtest.h>

#include "tests/unit/upstream/protocol_testing.h"

namespace talkjsd::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kError[] = R"({"errorCode":"X","reasons":["r"]})";

class ProtocolCall : public testing::Test {
 protected:
  ProtocolDriver driver_;
};

TEST_F(ProtocolCall, FinalStatusesAreGivenToTheCaller) {
  driver_.LogIn();
  for (const int status : {200, 400, 402, 403, 404, 405, 409, 502, 503, 201, 418}) {
    const auto call = driver_.Call("/a");
    driver_.Answer(driver_.Find("POST /a")->number, status, kError);
    ASSERT_TRUE(call->has_value()) << status;
    EXPECT_EQ((**call)->status, status);
  }
}

// realtime.md 3.5: 200 ms growing by 1.2, +-5 % each; the very first wait may be nothing.
TEST_F(ProtocolCall, RepetitionsAreThrottledWithGrowingGaps) {
  driver_.LogIn();
  const auto call = driver_.Call("/a");
  std::vector<Duration> gaps;
  for (int i = 0; i < 40; ++i) {
    driver_.Answer(driver_.Find("POST /a")->number, 429, kError);
    const MonoTime answered = driver_.now();
    driver_.Forget();
    while (driver_.Find("POST /a") == nullptr) {
      const MonoTime next = driver_.protocol().NextDeadline();
      const Duration step = next > driver_.now() ? next - driver_.now() : Duration(1);
      driver_.PassAlive(step);
    }
    gaps.push_back(driver_.now() - answered);
  }
  EXPECT_LE(gaps[0], milliseconds(2));
  EXPECT_NEAR(std::chrono::duration<double>(gaps[1]).count(), 0.24, 0.03);
  for (size_t i = 2; i < gaps.size() && gaps[i] < seconds(25); ++i) EXPECT_GT(gaps[i], gaps[i - 1]);
  EXPECT_LE(gaps.back(), milliseconds(31'600));
  EXPECT_GE(gaps.back(), milliseconds(28'000));
  EXPECT_FALSE(call->has_value());
}

TEST_F(ProtocolCall, ASubscriptionThatWasRefusedAtFirstIsToldOfWhenItBegins) {
  for (const int status : {429, 500}) {
    ProtocolDriver driver;
    driver.LogIn();
    driver.protocol().Subscribe("/late", driver.now());
    driver.protocol().Subscribe("/in/time", driver.now());
    driver.Collect();
    driver.Answer(driver.Find("SUBSCRIBE /late")->number, status, kError);
    driver.Answer(driver.Find("SUBSCRIBE /in/time")->number, 200);
    driver.Forget();
    driver.PassAlive(seconds(1));
    ASSERT_EQ(driver.Count("SUBSCRIBE /late"), 1);
    EXPECT_TRUE(driver.subscribed_late.empty());
    driver.Answer(driver.Find("SUBSCRIBE /late")->number, 200);
    EXPECT_EQ(driver.subscribed_late, std::vector<std::string>{"/late"});
  }
}

TEST_F(ProtocolCall, ASubscriptionThatWasRefusedForGoodIsTriedAgainNowAndThen) {
  driver_.LogIn();
  driver_.protocol().Subscribe("/refused", driver_.now());
  driver_.protocol().Subscribe("/left", driver_.now());
  driver_.Collect();
  driver_.Answer(driver_.Find("SUBSCRIBE /refused")->number, 403, kError);
  driver_.Answer(driver_.Find("SUBSCRIBE /left")->number, 404, kError);
  driver_.protocol().Unsubscribe("/left", driver_.now());
  driver_.Forget();
  driver_.PassAlive(seconds(29));
  EXPECT_EQ(driver_.Count("SUBSCRIBE /refused"), 0);
  driver_.PassAlive(seconds(32));
  ASSERT_EQ(driver_.Count("SUBSCRIBE /refused"), 1);
  EXPECT_EQ(driver_.Count("SUBSCRIBE /left"), 0);
  driver_.Answer(driver_.Find("SUBSCRIBE /refused")->number, 403, kError);
  driver_.Forget();
  driver_.PassAlive(seconds(61));
  ASSERT_EQ(driver_.Count("SUBSCRIBE /refused"), 1);
  EXPECT_TRUE(driver_.subscribed_late.empty());
  driver_.Answer(driver_.Find("SUBSCRIBE /refused")->number, 200);
  EXPECT_EQ(driver_.subscribed_late, std::vector<std::string>{"/refused"});
  driver_.Forget();
  driver_.PassAlive(seconds(200));
  EXPECT_EQ(driver_.Count("SUBSCRIBE /refused"), 0);
}

TEST_F(ProtocolCall, AnAnswerThatIsFinalResetsTheThrottle) {
  driver_.LogIn();
  const auto call = driver_.Call("/a");
  for (int i = 0; i < 20; ++i) {
    driver_.Answer(driver_.Find("POST /a")->number, 429, kError);
    driver_.Forget();
    while (driver_.Find("POST /a") == nullptr) driver_.PassAlive(milliseconds(10));
  }
  driver_.Answer(driver_.Find("POST /a")->number, 404, kError);
  const auto other = driver_.Call("/b");
  driver_.PassAlive(seconds(40));
  driver_.Answer(driver_.Find("POST /b")->number, 429, kError);
  driver_.Forget();
  driver_.PassAlive(milliseconds(250));
  EXPECT_EQ(driver_.Count("POST /b"), 1);
}

TEST_F(ProtocolCall, TheTenthServerErrorIsGivenToTheCaller) {
  driver_.LogIn();
  const auto call = driver_.Call("/a");
  for (int error = 1; error <= 10; ++error) {
    EXPECT_FALSE(call->has_value());
    ASSERT_NE(driver_.Find("POST /a"), nullptr);
    driver_.Answer(driver_.Find("POST /a")->number, 500, kError);
    driver_.Forget();
    driver_.PassAlive(seconds(5));
  }
  ASSERT_TRUE(call->has_value());
  EXPECT_EQ((**call)->status, 500);
  EXPECT_EQ(driver_.Count("POST /a"), 0);
}

TEST_F(ProtocolCall, CallsThatAreThrottledKeepTheirOrder) {
  driver_.LogIn();
  const auto first = driver_.Call("/1");
  const auto second = driver_.Call("/2");
  driver_.Answer(driver_.Find("POST /2")->number, 500, kError);
  driver_.Answer(driver_.Find("POST /1")->number, 500, kError);
  const auto third = driver_.Call("/3");
  driver_.Forget();
  driver_.PassAlive(seconds(2));
  EXPECT_EQ(driver_.Words(), (std::vector<std::string>{"POST /1", "POST /2", "POST /3"}));
}

// realtime.md 3.9.
TEST_F(ProtocolCall, WhatQueuedUpLeavesAtAPace) {
  driver_.Start();
  for (int i = 0; i < 60; ++i) driver_.Call("/" + std::to_string(i));
  driver_.Token();
  driver_.Open();
  driver_.Answer(0, 200, R"({"expiresInSeconds":null})");
  const auto sent = [&] { return driver_.sent.size() - 1; };
  EXPECT_EQ(sent(), 51u);
  const auto late = driver_.Call("/late");
  EXPECT_EQ(sent(), 51u);
  for (size_t i = 1; i <= 10; ++i) {
    driver_.Pass(milliseconds(99));
    EXPECT_EQ(sent(), 51 + i - 1);
    driver_.Pass(milliseconds(1));
    EXPECT_EQ(sent(), 51 + i);
  }
  EXPECT_EQ(driver_.sent.back().what, "POST /late");
  // Drained: calls leave at once again.
  driver_.Pass(milliseconds(200));
  driver_.Call("/now");
  EXPECT_EQ(driver_.sent.back().what, "POST /now");
}

TEST_F(ProtocolCall, ASubscriptionDoesNotWaitBehindCalls) {
  driver_.Start();
  for (int i = 0; i < 60; ++i) driver_.Call("/" + std::to_string(i));
  driver_.Token();
  driver_.Open();
  driver_.Answer(0, 200, R"({"expiresInSeconds":null})");
  driver_.protocol().Subscribe("/x", driver_.now());
  driver_.Collect();
  EXPECT_EQ(driver_.sent.back().what, "SUBSCRIBE /x");
}

TEST_F(ProtocolCall, CallFirstOvertakesWhatWaits) {
  driver_.Start();
  driver_.Call("/waiting");
  driver_.Token();
  driver_.protocol().OnSocketOpen(driver_.now());
  driver_.Collect();
  driver_.protocol().OnText(R"([0,200,{"expiresInSeconds":null}])", driver_.now());
  driver_.protocol().CallFirst({"PUT", "/users/me"}, nullptr, driver_.now());
  driver_.Collect();
  EXPECT_EQ(driver_.Words(),
            (std::vector<std::string>{"POST /session/renew", "PUT /users/me", "POST /waiting"}));
}

TEST_F(ProtocolCall, AtItsDeadlineACallThatWasNotSentIsUnavailable) {
  driver_.Start();
  const auto call = driver_.Call("/a", seconds(10));
  driver_.Pass(milliseconds(9999));
  EXPECT_FALSE(call->has_value());
  driver_.Pass(milliseconds(1));
  ASSERT_TRUE(call->has_value());
  EXPECT_EQ((*call)->status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(driver_.protocol().pending_calls(), 0u);
}

TEST_F(ProtocolCall, AtItsDeadlineACallThatWasSentMayHaveBeenDone) {
  driver_.LogIn();
  const auto answered_late = driver_.Call("/a", seconds(3));
  const auto lost = driver_.Call("/b", seconds(8));
  const int64_t number = driver_.Find("POST /a")->number;
  driver_.Pass(seconds(3));
  ASSERT_TRUE(answered_late->has_value());
  EXPECT_EQ((*answered_late)->status().code(), absl::StatusCode::kDeadlineExceeded);
  driver_.Answer(number, 200);  // for nobody
  driver_.Lose();
  driver_.Pass(seconds(5));
  ASSERT_TRUE(lost->has_value());
  EXPECT_EQ((*lost)->status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(driver_.protocol().pending_calls(), 0u);
}

TEST_F(ProtocolCall, ASessionThatIsNotRunningAnswersAtOnce) {
  const auto call = driver_.Call("/a");
  ASSERT_TRUE(call->has_value());
  EXPECT_EQ((*call)->status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace talkjsd::upstream
