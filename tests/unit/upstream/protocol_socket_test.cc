#include <gtest/gtest.h>

#include <set>

#include "tests/unit/upstream/protocol_testing.h"

namespace talkjsd::upstream {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kEdited[] = R"({"type":"user.edited","userId":"alice","diff":{"name":"Al"}})";

class ProtocolSocket : public testing::Test {
 protected:
  void LogInAgain() {
    driver_.Open();
    driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
  }
  ProtocolDriver driver_;
};

TEST_F(ProtocolSocket, TheFirstReconnectWaitsAsTheSdkDoesAndLaterOnesAreJittered) {
  driver_.LogIn();
  std::set<int64_t> delays;
  for (int attempt = 1; attempt <= 50; ++attempt) {
    driver_.Lose();
    ASSERT_EQ(driver_.opens.size(), 1u);
    const Duration delay = driver_.opens[0];
    EXPECT_GE(delay, attempt == 1 ? seconds(5) : seconds(1));
    EXPECT_LT(delay, attempt == 1 ? seconds(15) : seconds(60));
    EXPECT_EQ(driver_.protocol().phase(), Phase::kWaiting);
    EXPECT_EQ(driver_.protocol().failed_attempts(), attempt);
    delays.insert(delay.count());
    driver_.Forget();
  }
  EXPECT_GT(delays.size(), 40u);
}

TEST_F(ProtocolSocket, AConnectionThatLastedStartsWithTheFirstDelayAgain) {
  driver_.LogIn();
  for (int i = 0; i < 3; ++i) driver_.Lose();
  LogInAgain();
  driver_.PassAlive(seconds(29));
  EXPECT_EQ(driver_.protocol().failed_attempts(), 3);
  driver_.PassAlive(seconds(1));
  EXPECT_EQ(driver_.protocol().failed_attempts(), 0);
}

TEST_F(ProtocolSocket, CallsUnderWayAreRepeatedUnchangedAndInOrder) {
  driver_.protocol().Subscribe("/me/conversations", driver_.now());
  driver_.LogIn();
  const auto first = driver_.Call("/1");
  const auto second = driver_.Call("/2");
  driver_.Answer(driver_.Find("POST /1")->number, 429, R"({"errorCode":"X","reasons":[]})");
  driver_.Lose();
  const auto third = driver_.Call("/3");
  driver_.Forget();
  LogInAgain();
  driver_.Pass(seconds(1));
  EXPECT_EQ(driver_.Words(), (std::vector<std::string>{kRenew, "SUBSCRIBE /me/conversations",
                                                       "POST /1", "POST /2", "POST /3"}));
  EXPECT_EQ(driver_.sent[0].number, 0);
  EXPECT_EQ(driver_.logins, std::vector<bool>{false});
  EXPECT_FALSE(second->has_value());
  driver_.Answer(driver_.Find("POST /2")->number, 200);
  EXPECT_TRUE(second->has_value());
}

TEST_F(ProtocolSocket, TheSessionsOwnCallsEndWithTheSocketUnlessNothingIsLost) {
  driver_.LogIn();
  auto own = driver_.OwnCall("/own");
  driver_.Lose();
  ASSERT_TRUE(own->has_value());
  EXPECT_EQ((*own)->status().code(), absl::StatusCode::kUnavailable);
  LogInAgain();
  own = driver_.OwnCall("/again");
  driver_.Publish(1, R"({"type":"upstream.restarting"})");
  driver_.Lose();
  EXPECT_FALSE(own->has_value());
  driver_.Forget();
  LogInAgain();
  EXPECT_EQ(driver_.Count("GET /again"), 1);
}

TEST_F(ProtocolSocket, AnAnnouncedRestartKeepsTheStateOnce) {
  driver_.LogIn();
  driver_.Publish(1, R"({"type":"upstream.restarting"})");
  driver_.Lose();
  driver_.Open();
  driver_.Lose();  // before the login: still the announced interruption
  LogInAgain();
  EXPECT_EQ(driver_.logins, std::vector<bool>{true});
  driver_.Lose();
  LogInAgain();
  EXPECT_EQ(driver_.logins, (std::vector<bool>{true, false}));
}

TEST_F(ProtocolSocket, UsersAreSubscribedInFramesOfAThousand) {
  std::vector<std::string> ids;
  for (int i = 0; i < 2001; ++i) ids.push_back("u" + std::to_string(i));
  driver_.protocol().SubscribeUsers(ids, driver_.now());
  driver_.protocol().UnsubscribeUser("u7", driver_.now());
  driver_.Start();
  driver_.Token();
  LogInAgain();
  EXPECT_EQ(driver_.Count("SUBSCRIBE /users"), 2);
}

TEST_F(ProtocolSocket, PingsAQuietServerAndGivesUpFiveSecondsLater) {
  driver_.LogIn();
  driver_.Pass(milliseconds(8999));
  EXPECT_EQ(driver_.Count("GET /ping"), 0);
  driver_.Pass(milliseconds(1001));
  ASSERT_EQ(driver_.Count("GET /ping"), 1);
  const MonoTime pinged = driver_.sent_at.back();
  driver_.Answer(driver_.Find("GET /ping")->number, 200);
  driver_.Pass(seconds(10));
  ASSERT_EQ(driver_.Count("GET /ping"), 2);
  const MonoTime unanswered = driver_.sent_at.back();
  EXPECT_GE(unanswered - pinged, seconds(9));
  driver_.Pass(unanswered + milliseconds(4999) - driver_.now());
  EXPECT_EQ(driver_.aborts, 0);
  driver_.Pass(milliseconds(1));
  EXPECT_EQ(driver_.aborts, 1);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kWaiting);
  EXPECT_EQ(driver_.opens.size(), 1u);
}

TEST_F(ProtocolSocket, PingsBeforeTheLoginIsAnsweredToo) {
  driver_.Start();
  driver_.Token();
  driver_.Open();
  driver_.Pass(seconds(10));
  EXPECT_EQ(driver_.Count("GET /ping"), 1);
}

TEST_F(ProtocolSocket, ABusyServerIsPingedWhenTheClientIsSilent) {
  driver_.LogIn();
  for (int second = 1; second <= 26; ++second) {
    driver_.Publish(second, kEdited);
    driver_.Pass(seconds(1));
  }
  EXPECT_EQ(driver_.Count("GET /ping"), 1);
}

TEST_F(ProtocolSocket, GarbageIsCountedAndIsNoSignOfLife) {
  driver_.LogIn();
  const char* const garbage[] = {
      "",           "x",     "{}", "[]", "[1]", "null", "[1,\"PUBLISH\"]", "[\"a\",200,{}]",
      "[1,2.5,{}]", "[[[[[["};
  for (const char* text : garbage) driver_.Text(text);
  EXPECT_EQ(driver_.errors, static_cast<int>(std::size(garbage)));
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
  driver_.Pass(seconds(10));
  ASSERT_EQ(driver_.Count("GET /ping"), 1);
  for (int i = 0; i < 5; ++i) {
    driver_.Text("garbage");
    driver_.Pass(seconds(1));
  }
  EXPECT_EQ(driver_.aborts, 1);
}

TEST_F(ProtocolSocket, WhatIsNotUnderstoodHasEverythingReadAgainButNotAllTheTime) {
  driver_.LogIn();
  driver_.Forget();
  driver_.Text("garbage");
  EXPECT_EQ(driver_.states_lost, 1);
  ASSERT_EQ(driver_.phases.size(), 2u);
  EXPECT_EQ(driver_.phases[0].phase, Phase::kConnecting);
  EXPECT_FALSE(driver_.phases[0].why.ok());
  EXPECT_EQ(driver_.phases[1].phase, Phase::kReady);
  for (int i = 0; i < 5; ++i) driver_.Text("garbage");
  driver_.PassAlive(seconds(29));
  EXPECT_EQ(driver_.states_lost, 1);
  driver_.PassAlive(seconds(1));
  EXPECT_EQ(driver_.states_lost, 2);
  driver_.PassAlive(seconds(100));
  EXPECT_EQ(driver_.states_lost, 2);
  EXPECT_EQ(driver_.errors, 6);
  EXPECT_EQ(driver_.aborts + driver_.closes, 0);
}

TEST_F(ProtocolSocket, AnEventThatIsNotUnderstoodHasEverythingReadAgainAfterTheOthers) {
  driver_.LogIn();
  driver_.Publish(1, std::string(R"({"type":"message.created","messageId":7},)") + kEdited);
  ASSERT_EQ(driver_.frames.size(), 1u);
  EXPECT_EQ(driver_.frames[0].events.size(), 1u);
  EXPECT_EQ(driver_.states_lost, 1);
  driver_.Publish(2, R"({"type":"of.a.newer.talkjs"})");
  EXPECT_EQ(driver_.states_lost, 1);
}

TEST_F(ProtocolSocket, WhatIsNotUnderstoodVoidsTheAnnouncementOfARestart) {
  driver_.LogIn();
  driver_.Publish(1, R"({"type":"upstream.restarting"})");
  driver_.Lose();
  driver_.Open();
  driver_.Text("garbage");
  EXPECT_EQ(driver_.states_lost, 0);
  driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
  EXPECT_EQ(driver_.logins.back(), false);
}

TEST_F(ProtocolSocket, AnswersToNoRequestAreIgnored) {
  driver_.LogIn();
  const auto call = driver_.Call("/a");
  driver_.Answer(999, 200);
  driver_.Answer(-1, 401);
  EXPECT_FALSE(call->has_value());
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
}

TEST_F(ProtocolSocket, RepeatedAndSmallerPublishNumbersAreAcknowledgedAndDropped) {
  driver_.LogIn();
  for (const int number : {0, 3, 3, 2, 10}) driver_.Publish(number, kEdited);
  ASSERT_EQ(driver_.frames.size(), 5u);
  std::vector<size_t> events;
  for (const FrameReceived& frame : driver_.frames) events.push_back(frame.events.size());
  EXPECT_EQ(events, (std::vector<size_t>{0, 1, 0, 0, 1}));
  EXPECT_EQ(driver_.Count("ACK"), 5);
}

TEST_F(ProtocolSocket, AnEventThatIsNotUnderstoodDoesNotSpoilItsFrame) {
  driver_.LogIn();
  driver_.Publish(1, std::string(R"({"type":"user.edited","userId":7,"diff":{}},)") + kEdited +
                         R"(,{"type":"of.tomorrow"})");
  ASSERT_EQ(driver_.frames.size(), 1u);
  EXPECT_EQ(driver_.frames[0].events.size(), 2u);
  EXPECT_EQ(driver_.errors, 1);
}

TEST_F(ProtocolSocket, FramesAreAcknowledgedOnTheirOwnSocketOnly) {
  driver_.acknowledges = false;
  driver_.LogIn();
  driver_.Publish(1, kEdited);
  ASSERT_EQ(driver_.frames.size(), 1u);
  EXPECT_EQ(driver_.Count("ACK"), 0);
  const int64_t generation = driver_.frames[0].socket_generation;
  driver_.Lose();
  driver_.protocol().Acknowledge(1, generation);
  driver_.Collect();
  LogInAgain();
  driver_.protocol().Acknowledge(1, generation);
  driver_.Collect();
  EXPECT_EQ(driver_.Count("ACK"), 0);
  // Numbers may start anew on a new socket.
  driver_.Publish(1, kEdited);
  ASSERT_EQ(driver_.frames.size(), 2u);
  EXPECT_EQ(driver_.frames[1].events.size(), 1u);
  driver_.protocol().Acknowledge(1, driver_.frames[1].socket_generation);
  driver_.Collect();
  EXPECT_EQ(driver_.Count("ACK"), 1);
}

TEST_F(ProtocolSocket, ARefusedSubscriptionIsAnError) {
  driver_.protocol().Subscribe("/me/conversations", driver_.now());
  driver_.Start();
  driver_.Token();
  LogInAgain();
  driver_.Answer(driver_.Find("SUBSCRIBE /me/conversations")->number, 403,
                 R"({"errorCode":"X","reasons":[]})");
  EXPECT_EQ(driver_.errors, 1);
}

}  // namespace
}  // namespace talkjsd::upstream
