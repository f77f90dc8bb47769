#include "daemon/upstream/token_broker.h"

#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "daemon/wire/jwt.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;
using Kind = TokenResult::Kind;
using std::chrono::seconds;

class Broker : public testing::Test {
 protected:
  Broker() : broker_(clock_, seconds(10)) {}

  Secret Token(const std::string& user) const {
    wire::JwtClaims claims;
    claims.token_type = "user";
    claims.issuer = "demo";
    claims.subject = user;
    claims.expires = clock_.WallMillis() / 1000 + 60;
    return wire::MintJwt(claims, Secret("sk_test_demo"));
  }
  uint64_t Join(const std::string& user, const std::string& provider = "p") {
    return broker_.Join({provider, "ses_" + user, "demo", user}, [this, user] { came_ += user; });
  }
  uint64_t Register(std::set<std::string> ids = {}, const std::string& name = "p") {
    return broker_.Register(name, std::move(ids), [this] { ++wakes_; });
  }
  std::shared_ptr<std::optional<TokenResult>> Ask(uint64_t member,
                                                  TokenCause cause = TokenCause::kFirst) {
    auto result = std::make_shared<std::optional<TokenResult>>();
    broker_.Ask(member, cause, [result](TokenResult got) { *result = std::move(got); });
    return result;
  }
  static ErrorReason Reason(const std::shared_ptr<std::optional<TokenResult>>& result) {
    EXPECT_TRUE(result->has_value());
    if (!result->has_value()) return {};
    EXPECT_EQ((*result)->kind, Kind::kTrouble);
    return ReasonOf((*result)->why);
  }
  // The only query of the provider.
  TokenBroker::Query TakeOne(uint64_t provider) {
    const TokenBroker::Outbox outbox = broker_.Take(provider);
    EXPECT_EQ(outbox.queries.size(), 1u);
    return outbox.queries.empty() ? TokenBroker::Query() : outbox.queries[0];
  }

  ManualClock clock_;
  TokenBroker broker_;
  int wakes_ = 0;
  std::string came_;
};

TEST_F(Broker, AProviderAnswersForSeveralSessions) {
  const uint64_t provider = Register();
  const uint64_t alice = Join("alice");
  const uint64_t bob = Join("bob");
  const auto for_alice = Ask(alice);
  const auto for_bob = Ask(bob, TokenCause::kRenewal);
  EXPECT_EQ(wakes_, 1) << "one wake-up for both";
  const TokenBroker::Outbox outbox = broker_.Take(provider);
  ASSERT_EQ(outbox.queries.size(), 2u);
  EXPECT_EQ(outbox.queries[0].member.user_id, "alice");
  EXPECT_EQ(outbox.queries[0].deadline, clock_.WallMillis() + 10'000);
  EXPECT_EQ(outbox.queries[1].member.session_id, "ses_bob");
  EXPECT_EQ(outbox.queries[1].cause, TokenCause::kRenewal);
  broker_.Answer(provider, outbox.queries[1].query_id, Token("bob"));
  EXPECT_FALSE(for_alice->has_value());
  ASSERT_TRUE(for_bob->has_value());
  EXPECT_EQ((*for_bob)->kind, Kind::kToken);
  EXPECT_TRUE((*for_bob)->token == Token("bob"));
  // Answered, or never asked.
  broker_.Answer(provider, outbox.queries[1].query_id, Token("bob"));
  broker_.Answer(provider, "q999", Token("bob"));
  EXPECT_TRUE(broker_.Take(provider).empty());
}

TEST_F(Broker, NamesAndSessionsSelect) {
  const uint64_t other_name = Register({}, "other");
  const uint64_t other_session = Register({"ses_bob"});
  const uint64_t alice = Join("alice");
  const auto absent = Ask(alice);
  EXPECT_EQ(Reason(absent), v1::ERROR_REASON_TOKEN_PROVIDER_ABSENT);
  EXPECT_EQ(came_, "");
  const uint64_t right = Register({"ses_alice"});
  EXPECT_EQ(came_, "alice");
  const auto asked = Ask(alice);
  TakeOne(right);
  EXPECT_TRUE(broker_.Take(other_name).empty());
  EXPECT_TRUE(broker_.Take(other_session).empty());
}

TEST_F(Broker, TheNextOneIsAskedWhenTheFirstLeaves) {
  const uint64_t first = Register();
  const uint64_t second = Register();
  const uint64_t alice = Join("alice");
  const auto result = Ask(alice);
  TakeOne(first);
  EXPECT_TRUE(broker_.Take(second).empty());
  broker_.Unregister(first);
  const TokenBroker::Query query = TakeOne(second);
  broker_.Answer(second, query.query_id, Token("alice"));
  ASSERT_TRUE(result->has_value());
  EXPECT_EQ((*result)->kind, Kind::kToken);
  const auto last = Ask(alice);
  broker_.Unregister(second);
  EXPECT_EQ(Reason(last), v1::ERROR_REASON_TOKEN_PROVIDER_ABSENT);
}

TEST_F(Broker, TheNextOneIsAskedWhenTheFirstIsTooSlow) {
  const uint64_t first = Register();
  const uint64_t second = Register();
  const uint64_t alice = Join("alice");
  const auto result = Ask(alice);
  const TokenBroker::Query query = TakeOne(first);
  clock_.Advance(seconds(9));
  EXPECT_EQ(broker_.Expire(alice), clock_.Now() + seconds(1)) << "it still has time";
  clock_.Advance(seconds(1));
  EXPECT_EQ(broker_.Expire(alice), clock_.Now() + seconds(10));
  EXPECT_EQ(broker_.Take(first).withdrawn, std::vector<std::string>{query.query_id});
  broker_.Answer(first, query.query_id, Token("alice"));
  EXPECT_FALSE(result->has_value()) << "too late";
  TakeOne(second);
  clock_.Advance(seconds(10));
  EXPECT_EQ(broker_.Expire(alice), kNever);
  EXPECT_EQ(Reason(result), v1::ERROR_REASON_TOKEN_FETCH_TIMEOUT);
  EXPECT_EQ(broker_.Expire(alice), kNever);
}

TEST_F(Broker, AnAnswerWithoutUseIsRejected) {
  const uint64_t provider = Register();
  const uint64_t alice = Join("alice");
  const std::pair<Secret, v1::ErrorReason> cases[] = {
      {Secret(""), v1::ERROR_REASON_TOKEN_FETCH_EMPTY},
      {Secret(std::string(16 * 1024 + 1, 'x')), v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE},
      {Secret("canary"), v1::ERROR_REASON_TOKEN_MALFORMED},
      {Token("bob"), v1::ERROR_REASON_TOKEN_WRONG_USER},
  };
  for (const auto& [token, reason] : cases) {
    const auto result = Ask(alice);
    const TokenBroker::Query query = TakeOne(provider);
    broker_.Answer(provider, query.query_id, token);
    EXPECT_EQ(Reason(result), reason);
    const TokenBroker::Outbox outbox = broker_.Take(provider);
    ASSERT_EQ(outbox.rejections.size(), 1u);
    EXPECT_EQ(outbox.rejections[0].query_id, query.query_id);
    EXPECT_EQ(ReasonOf(outbox.rejections[0].why), reason);
    EXPECT_EQ(MessageOf((*result)->why).find("canary"), std::string_view::npos);
  }
}

TEST_F(Broker, AProviderHearsWhenTalkJSRefusedItsToken) {
  const uint64_t provider = Register();
  const uint64_t alice = Join("alice");
  const auto first = Ask(alice);
  const TokenBroker::Query query = TakeOne(provider);
  broker_.Answer(provider, query.query_id, Token("alice"));
  const auto second = Ask(alice, TokenCause::kRefused);
  const TokenBroker::Outbox outbox = broker_.Take(provider);
  ASSERT_EQ(outbox.rejections.size(), 1u);
  EXPECT_EQ(outbox.rejections[0].query_id, query.query_id);
  EXPECT_EQ(ReasonOf(outbox.rejections[0].why), v1::ERROR_REASON_TOKEN_REFUSED);
  ASSERT_EQ(outbox.queries.size(), 1u);
  EXPECT_EQ(outbox.queries[0].cause, TokenCause::kRefused);
}

TEST_F(Broker, AFailureIsShownAndEndsTheQuestion) {
  const uint64_t provider = Register();
  const uint64_t alice = Join("alice");
  const auto result = Ask(alice);
  broker_.AnswerFailure(provider, TakeOne(provider).query_id, "the vault is sealed");
  EXPECT_EQ(Reason(result), v1::ERROR_REASON_TOKEN_PROVIDER_FAILED);
  EXPECT_NE(MessageOf((*result)->why).find("the vault is sealed"), std::string_view::npos);
  // It is cut between characters.
  const auto longer = Ask(alice);
  std::string why(999, 'x');
  why.append("\xc3\xab");
  broker_.AnswerFailure(provider, TakeOne(provider).query_id, why);
  EXPECT_EQ(Reason(longer), v1::ERROR_REASON_TOKEN_PROVIDER_FAILED);
  EXPECT_TRUE(MessageOf((*longer)->why).ends_with("xx"));
}

TEST_F(Broker, WhoLeavesOrAsksAnewWithdraws) {
  const uint64_t provider = Register();
  const uint64_t alice = Join("alice");
  const auto unseen = Ask(alice);
  const auto former = Ask(alice);
  const TokenBroker::Outbox outbox = broker_.Take(provider);
  ASSERT_EQ(outbox.queries.size(), 1u) << "what it has not seen is not withdrawn but gone";
  EXPECT_TRUE(outbox.withdrawn.empty());
  const auto newest = Ask(alice);
  EXPECT_EQ(broker_.Take(provider).withdrawn, std::vector<std::string>{outbox.queries[0].query_id});
  broker_.Leave(alice);
  EXPECT_EQ(broker_.Take(provider).withdrawn.size(), 1u);
  for (const auto& result : {unseen, former, newest}) EXPECT_FALSE(result->has_value());
}

}  // namespace
}  // namespace talkjsd::upstream
