#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "tests/unit/upstream/protocol_testing.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr char kError[] = R"({"errorCode":"X","reasons":["r"]})";

class ProtocolLogin : public testing::Test {
 protected:
  // At the login's answer.
  void UpToLogin() {
    driver_.Start();
    driver_.Token();
    driver_.Open();
    ASSERT_EQ(driver_.Count(kRenew), 1);
  }
  ProtocolDriver driver_;
};

TEST_F(ProtocolLogin, NothingButTheLoginIsSentBeforeItsAnswer) {
  driver_.Start();
  ASSERT_EQ(driver_.tokens_wanted.size(), 1u);
  EXPECT_EQ(driver_.tokens_wanted[0].cause, TokenCause::kFirst);
  driver_.protocol().Subscribe("/me/conversations", driver_.now());
  const auto call = driver_.Call("/a");
  driver_.Token("abc");
  driver_.Open();
  ASSERT_EQ(driver_.sent.size(), 1u);
  EXPECT_EQ(driver_.sent[0].number, 0);
  EXPECT_EQ(driver_.sent[0].what, kRenew);
  EXPECT_EQ(driver_.sent[0].data, R"({"token":"abc"})");
  driver_.Answer(0, 200, R"({"expiresInSeconds":86399})");
  EXPECT_EQ(driver_.Words(),
            (std::vector<std::string>{kRenew, "SUBSCRIBE /me/conversations", "POST /a"}));
  EXPECT_EQ(driver_.logins, std::vector<bool>{false});
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
}

TEST_F(ProtocolLogin, ATokenThatNeverExpiresIsNotRenewed) {
  UpToLogin();
  driver_.AnswerLogin(200, R"({"expiresInSeconds":null})");
  driver_.Forget();
  driver_.PassAlive(std::chrono::hours(24 * 40));
  EXPECT_TRUE(driver_.tokens_wanted.empty());
  EXPECT_EQ(driver_.errors, 0);
}

TEST_F(ProtocolLogin, AMissingLifetimeCountsAsNeverAndAsAnError) {
  UpToLogin();
  driver_.AnswerLogin(200, "{}");
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
  EXPECT_EQ(driver_.errors, 1);
  driver_.Forget();
  driver_.PassAlive(std::chrono::hours(24));
  EXPECT_TRUE(driver_.tokens_wanted.empty());
}

TEST_F(ProtocolLogin, AShortLifetimeIsUsedAndRenewedAtAPace) {
  UpToLogin();
  driver_.AnswerLogin(200, R"({"expiresInSeconds":0})");
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
  EXPECT_EQ(driver_.short_lived, std::vector<int64_t>{0});
  driver_.PassAlive(milliseconds(4999));
  EXPECT_EQ(driver_.tokens_wanted.size(), 1u);
  driver_.PassAlive(milliseconds(1));
  EXPECT_EQ(driver_.tokens_wanted.size(), 2u);
}

// realtime.md 3.3: half of a short lifetime, five minutes before the end of a long one, at most 20
// days.
TEST_F(ProtocolLogin, RenewsWhenItShould) {
  const std::pair<const char*, Duration> cases[] = {
      {"121", milliseconds(60'500)},
      {"600", seconds(300)},
      {"601", seconds(301)},
      {"86399", seconds(86'099)},
      {"100000000000", milliseconds(1'728'000'000)},
  };
  for (const auto& [lifetime, delay] : cases) {
    SCOPED_TRACE(lifetime);
    ProtocolDriver driver;
    driver.LogIn(lifetime);
    driver.PassAlive(delay - milliseconds(1));
    EXPECT_TRUE(driver.tokens_wanted.empty());
    driver.PassAlive(milliseconds(1));
    ASSERT_EQ(driver.tokens_wanted.size(), 1u);
    EXPECT_EQ(driver.tokens_wanted[0].cause, TokenCause::kRenewal);
  }
}

TEST_F(ProtocolLogin, CallsAndSubscriptionsGoOnDuringARenewal) {
  driver_.protocol().Subscribe("/me/conversations", driver_.now());
  driver_.LogIn("121");
  driver_.PassAlive(milliseconds(60'500));
  driver_.Forget();
  driver_.Token("second");
  ASSERT_EQ(driver_.Count(kRenew), 1);
  const auto call = driver_.Call("/a");
  driver_.protocol().SubscribeUsers({"bob"}, driver_.now());
  driver_.protocol().Unsubscribe("/me/conversations", driver_.now());
  driver_.Collect();
  EXPECT_EQ(driver_.Words(), (std::vector<std::string>{kRenew, "POST /a", "SUBSCRIBE /users",
                                                       "UNSUBSCRIBE /me/conversations"}));
  driver_.AnswerLogin(200, R"({"expiresInSeconds":3600})");
  EXPECT_TRUE(driver_.logins.empty());
  EXPECT_EQ(driver_.sent.size(), 4u);
  driver_.Answer(driver_.Find("POST /a")->number, 200);
  EXPECT_TRUE(call->has_value());
}

TEST_F(ProtocolLogin, ARenewalThatSucceedsEndsTheTroubleOfTheOneBefore) {
  driver_.LogIn("121");
  driver_.PassAlive(milliseconds(60'500));
  driver_.TokenTrouble(TokenResult::Kind::kRetry);
  ASSERT_FALSE(driver_.phases.empty());
  EXPECT_EQ(driver_.phases.back().phase, Phase::kReady);
  EXPECT_FALSE(driver_.phases.back().why.ok());
  driver_.PassAlive(seconds(1));
  ASSERT_EQ(driver_.tokens_wanted.size(), 2u);
  driver_.Token("second");
  driver_.AnswerLogin(200, R"({"expiresInSeconds":3600})");
  EXPECT_EQ(driver_.phases.back().phase, Phase::kReady);
  EXPECT_TRUE(driver_.phases.back().why.ok());
}

TEST_F(ProtocolLogin, ARenewalThatMeetsAServerErrorIsRepeatedWithTheSameToken) {
  driver_.LogIn("121");
  driver_.PassAlive(milliseconds(60'500));
  driver_.Token("second");
  driver_.AnswerLogin(503, kError);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
  driver_.Forget();
  driver_.PassAlive(milliseconds(4900));
  EXPECT_EQ(driver_.Count(kRenew), 0);
  driver_.PassAlive(milliseconds(5200));
  ASSERT_EQ(driver_.Count(kRenew), 1);
  EXPECT_EQ(driver_.Find(kRenew)->data, R"({"token":"second"})");
}

TEST_F(ProtocolLogin, ARefusedTokenIsReplacedAtOnceAndThenAtAPace) {
  UpToLogin();
  int64_t login = 0;
  for (int refusal = 1; refusal <= 4; ++refusal) {
    driver_.Forget();
    ASSERT_EQ(driver_.protocol().phase(), Phase::kConnecting);
    driver_.Answer(login, 401, kError);
    if (refusal > 1) {
      // Not by a socket that is of no use.
      EXPECT_EQ(driver_.protocol().phase(), Phase::kWaitingForToken);
      EXPECT_EQ(ReasonOf(driver_.phases.back().why), v1::ERROR_REASON_TOKEN_REFUSED);
      EXPECT_EQ(driver_.closes, 1);
      const Duration ceiling = seconds(1 << (refusal - 1));
      driver_.PassAlive(ceiling / 2 - milliseconds(1));
      EXPECT_TRUE(driver_.tokens_wanted.empty());
      driver_.PassAlive(ceiling / 2 + milliseconds(1));
    }
    ASSERT_EQ(driver_.tokens_wanted.size(), 1u);
    EXPECT_EQ(driver_.tokens_wanted[0].cause, TokenCause::kRefused);
    EXPECT_EQ(driver_.tokens_wanted[0].refusals, refusal);
    driver_.Token("again");
    if (refusal > 1) driver_.Open();
    ASSERT_EQ(driver_.Count(kRenew), 1);
    login = driver_.Find(kRenew)->number;
  }
}

TEST_F(ProtocolLogin, ANewerTokenThatCameMeanwhileIsTriedWhenTheFormerIsRefused) {
  UpToLogin();
  driver_.protocol().OnCredentialsReplaced(driver_.now());
  driver_.Collect();
  driver_.Token("newer");
  EXPECT_EQ(driver_.Count(kRenew), 1);
  driver_.AnswerLogin(401, kError);
  EXPECT_EQ(driver_.Count(kRenew), 2);
  EXPECT_EQ(driver_.Find(kRenew)->data, R"({"token":"newer"})");
  driver_.AnswerLogin(200, R"({"expiresInSeconds":null})");
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
}

TEST_F(ProtocolLogin, BadRequestAndPaymentRequiredAreFinal) {
  for (const int status : {400, 402}) {
    ProtocolDriver driver;
    driver.Start();
    const auto call = driver.Call("/a");
    driver.Token();
    driver.Open();
    driver.AnswerLogin(status, kError);
    EXPECT_EQ(driver.protocol().phase(), Phase::kFailed);
    EXPECT_EQ(driver.closes, 1);
    ASSERT_TRUE(call->has_value());
    EXPECT_EQ((*call)->status().code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(driver.protocol().NextDeadline(), kNever);
    // Until somebody supplies something else.
    driver.Forget();
    driver.protocol().OnCredentialsReplaced(driver.now());
    driver.Collect();
    EXPECT_EQ(driver.protocol().phase(), Phase::kConnecting);
    driver.Token("other");
    EXPECT_EQ(driver.opens.size(), 1u);
  }
}

TEST_F(ProtocolLogin, AnyOtherStatusIsALostConnection) {
  for (const int status : {403, 404, 429, 500, 503, 201}) {
    SCOPED_TRACE(status);
    ProtocolDriver driver;
    driver.Start();
    driver.Token();
    driver.Open();
    driver.AnswerLogin(status, kError);
    EXPECT_EQ(driver.protocol().phase(), Phase::kWaiting);
    EXPECT_EQ(driver.closes, 1);
    ASSERT_EQ(driver.opens.size(), 2u);
    EXPECT_GE(driver.opens[1], seconds(5));
    EXPECT_LT(driver.opens[1], seconds(15));
  }
}

TEST_F(ProtocolLogin, AnExpiredSessionLogsInAgainOnTheSameSocket) {
  driver_.protocol().Subscribe("/me/conversations", driver_.now());
  driver_.LogIn();
  const auto under_way = driver_.Call("/under-way");
  driver_.Publish(1, R"({"type":"session.expired"})");
  EXPECT_EQ(driver_.protocol().phase(), Phase::kConnecting);
  ASSERT_EQ(driver_.tokens_wanted.size(), 1u);
  EXPECT_EQ(driver_.tokens_wanted[0].cause, TokenCause::kExpired);
  const auto later = driver_.Call("/later");
  EXPECT_EQ(driver_.Find("POST /later"), nullptr);
  // What is on the wire keeps its answer.
  driver_.Answer(driver_.Find("POST /under-way")->number, 200);
  EXPECT_TRUE(under_way->has_value());
  driver_.Forget();
  driver_.Token("second");
  driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
  EXPECT_EQ(driver_.Words(),
            (std::vector<std::string>{kRenew, "SUBSCRIBE /me/conversations", "POST /later"}));
  EXPECT_EQ(driver_.logins, std::vector<bool>{false});
  EXPECT_EQ(driver_.closes, 0);
}

TEST_F(ProtocolLogin, ACallAnsweredUnauthorizedIsRepeatedAfterANewLoginInItsOrder) {
  driver_.LogIn();
  const auto first = driver_.Call("/1");
  const auto second = driver_.Call("/2");
  const auto third = driver_.Call("/3");
  for (const char* what : {"POST /1", "POST /2", "POST /3"}) {
    driver_.Answer(driver_.Find(what)->number, 401, kError);
  }
  ASSERT_EQ(driver_.tokens_wanted.size(), 1u);
  driver_.Forget();
  driver_.Token("second");
  driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
  EXPECT_EQ(driver_.Words(), (std::vector<std::string>{kRenew, "POST /1", "POST /2", "POST /3"}));
  EXPECT_FALSE(first->has_value());
}

TEST_F(ProtocolLogin, ACallThatIsAlwaysUnauthorizedDoesNotLoginAsFastAsItCan) {
  driver_.LogIn();
  const auto call = driver_.Call("/a", std::chrono::hours(24));
  int logins = 0;
  const MonoTime end = driver_.now() + std::chrono::minutes(10);
  while (driver_.now() < end) {
    driver_.Answer(driver_.Find("POST /a")->number, 401, kError);
    while (driver_.tokens_wanted.empty()) driver_.PassAlive(seconds(1));
    driver_.Forget();
    driver_.Token("again");
    driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
    ++logins;
  }
  EXPECT_LT(logins, 25);
}

TEST_F(ProtocolLogin, WithoutATokenTheSessionWaitsForOneAndCallsAreNotMixedUpLater) {
  driver_.LogIn();
  const auto lost = driver_.Call("/lost");
  driver_.Publish(1, R"({"type":"session.expired"})");
  driver_.TokenTrouble(TokenResult::Kind::kWait);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kWaitingForToken);
  EXPECT_EQ(driver_.closes, 1);
  driver_.Forget();
  driver_.protocol().OnCredentialsReplaced(driver_.now());
  driver_.Collect();
  driver_.Token("supplied");
  ASSERT_EQ(driver_.opens.size(), 1u);
  EXPECT_EQ(driver_.opens[0], Duration::zero());
  driver_.Open();
  driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
  ASSERT_EQ(driver_.Count("POST /lost"), 1);
  EXPECT_EQ(driver_.Find("POST /lost")->number, 1);
  EXPECT_EQ(driver_.protocol().pending_calls(), 1u);
  driver_.Answer(1, 200, R"({"id":"x"})");
  ASSERT_TRUE(lost->has_value());
  EXPECT_TRUE((*lost)->ok());
}

TEST_F(ProtocolLogin, ASourceInTroubleIsAskedAgainWithGrowingDelays) {
  driver_.Start();
  MonoTime asked = driver_.now();
  Duration ceiling = seconds(1);
  for (int failure = 1; failure <= 9; ++failure) {
    driver_.Forget();
    driver_.TokenTrouble(TokenResult::Kind::kRetry);
    EXPECT_EQ(driver_.protocol().phase(), Phase::kConnecting);
    while (driver_.tokens_wanted.empty()) driver_.Pass(milliseconds(100));
    EXPECT_GE(driver_.now() - asked, ceiling / 2);
    EXPECT_LE(driver_.now() - asked, ceiling + milliseconds(100));
    asked = driver_.now();
    ceiling = std::min<Duration>(ceiling * 2, seconds(60));
  }
}

TEST_F(ProtocolLogin, WithoutTheAppsSourceTheSessionWaitsForAToken) {
  driver_.Start();
  const auto call = driver_.Call("/a");
  driver_.TokenTrouble(TokenResult::Kind::kTrouble);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kWaitingForToken);
  EXPECT_FALSE(driver_.phases.back().why.ok());
  driver_.Pass(seconds(1));
  ASSERT_EQ(driver_.tokens_wanted.size(), 2u);
  EXPECT_EQ(driver_.tokens_wanted[1].cause, TokenCause::kFirst);
  driver_.Token();
  EXPECT_EQ(driver_.protocol().phase(), Phase::kConnecting);
  EXPECT_EQ(driver_.opens, std::vector<Duration>{Duration::zero()});
  driver_.Open();
  driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
  EXPECT_EQ(driver_.Count("POST /a"), 1);
}

TEST_F(ProtocolLogin, ALiveSessionGoesOnWhileTheAppsSourceIsInTrouble) {
  driver_.LogIn("121");
  driver_.PassAlive(milliseconds(60'500));
  driver_.TokenTrouble(TokenResult::Kind::kTrouble);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
  EXPECT_FALSE(driver_.phases.back().why.ok());
  EXPECT_EQ(driver_.closes, 0);
  driver_.PassAlive(seconds(1));
  ASSERT_EQ(driver_.tokens_wanted.size(), 2u);
  EXPECT_EQ(driver_.tokens_wanted[1].cause, TokenCause::kRenewal);
  // TalkJS ends the login before it is over.
  driver_.Publish(1, R"({"type":"session.expired"})");
  driver_.TokenTrouble(TokenResult::Kind::kTrouble);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kWaitingForToken);
}

TEST_F(ProtocolLogin, ARenewalThatCannotBeHadBeginsAnotherLoginWhenTalkJSEndsThisOne) {
  driver_.LogIn("121");
  driver_.PassAlive(milliseconds(60'500));
  ASSERT_EQ(driver_.tokens_wanted.size(), 1u);
  driver_.Publish(1, R"({"type":"session.expired"})");
  driver_.TokenTrouble(TokenResult::Kind::kWait);
  ASSERT_EQ(driver_.tokens_wanted.size(), 2u);
  EXPECT_EQ(driver_.tokens_wanted[1].cause, TokenCause::kExpired);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kConnecting);
}

TEST_F(ProtocolLogin, ALongLifetimeEndsTheWarningOfAShortOne) {
  driver_.LogIn("60");
  driver_.PassAlive(seconds(30));
  driver_.Token("second");
  driver_.AnswerLogin(200, R"({"expiresInSeconds":3600})");
  EXPECT_EQ(driver_.accepted, 1);
  EXPECT_TRUE(driver_.short_lived.empty());
}

TEST_F(ProtocolLogin, LoginsThatTalkJSEndsEverySecondAreKeptApartButGoOn) {
  driver_.LogIn();
  int logins = 0;
  const MonoTime end = driver_.now() + std::chrono::minutes(2);
  for (int64_t number = 1; driver_.now() < end; ++number) {
    driver_.Forget();
    driver_.Publish(number, R"({"type":"session.expired"})");
    const MonoTime ended = driver_.now();
    while (driver_.tokens_wanted.empty()) driver_.PassAlive(milliseconds(100));
    EXPECT_LE(driver_.now() - ended, seconds(5));
    driver_.Token("again");
    driver_.AnswerLogin(200, R"({"expiresInSeconds":86399})");
    ++logins;
    driver_.PassAlive(seconds(1));
  }
  EXPECT_GT(logins, 20);
  EXPECT_LT(logins, 60);
}

TEST_F(ProtocolLogin, ASourceThatGivesUpFailsTheSession) {
  driver_.Start();
  driver_.TokenTrouble(TokenResult::Kind::kFatal);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kFailed);
}

TEST_F(ProtocolLogin, ALiveSessionGoesOnWithItsTokenWhenCredentialsAreReplaced) {
  driver_.LogIn();
  driver_.protocol().OnCredentialsReplaced(driver_.now());
  driver_.Collect();
  ASSERT_EQ(driver_.tokens_wanted.size(), 1u);
  EXPECT_EQ(driver_.tokens_wanted[0].cause, TokenCause::kRenewal);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
  driver_.Token("new");
  EXPECT_EQ(driver_.Count(kRenew), 1);
  EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
}

TEST_F(ProtocolLogin, AfterStopNothingIsLeft) {
  driver_.LogIn();
  const auto call = driver_.Call("/a");
  driver_.protocol().Stop(absl::UnavailableError("stopping"), driver_.now());
  driver_.Collect();
  EXPECT_EQ(driver_.closes, 1);
  ASSERT_TRUE(call->has_value());
  EXPECT_EQ((*call)->status().message(), "stopping");
  EXPECT_EQ(driver_.protocol().NextDeadline(), kNever);
  EXPECT_EQ(driver_.protocol().pending_calls(), 0u);
  driver_.Token("late");
  EXPECT_EQ(driver_.protocol().phase(), Phase::kStopped);
}

}  // namespace
}  // namespace talkjsd::upstream
