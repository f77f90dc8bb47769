#include "daemon/emulator/rest/limits.h"
#include "tests/unit/emulator/app_fixture.h"

namespace talkjsd::emulator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(TokenBucketTest, ABurstAndThenAPace) {
  const MonoTime start{};
  TokenBucket bucket(3, 2, start);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.Take(start));
  EXPECT_FALSE(bucket.Take(start));
  const MonoTime next = bucket.NextAt(start);
  EXPECT_GE(next, start + milliseconds(500));
  EXPECT_LT(next, start + milliseconds(501));
  EXPECT_FALSE(bucket.Take(start + milliseconds(499)));
  EXPECT_TRUE(bucket.Take(next));
  EXPECT_FALSE(bucket.Take(next));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(bucket.Take(next + seconds(60)));
  EXPECT_FALSE(bucket.Take(next + seconds(60))) << "it holds no more than the burst";
}

class RestLimitsTest : public AppTest {
 protected:
  // The statuses so far; 0 for a request that still waits.
  std::vector<int> statuses;

  void Ask(RestLimits& limits, const std::string& path, const std::string& token = kTestKey) {
    net::ServerRequest request;
    request.method.append("POST");
    request.target = "/public_api/v1/demo/" + path;
    request.headers = {{"Authorization", "Bearer " + token}};
    const size_t place = statuses.size();
    statuses.push_back(0);
    limits.Respond(std::move(request), [this, place](net::ServerResponse response) {
      statuses[place] = response.status;
      last = std::move(response);
    });
  }
  long Count(int status) const { return std::count(statuses.begin(), statuses.end(), status); }

  net::HttpServer::RequestHandler pass = [](net::ServerRequest, net::HttpServer::Respond respond) {
    respond({});
  };
  net::ServerResponse last;
};

TEST_F(RestLimitsTest, OffTheyLetEverythingPass) {
  RestLimits limits(app, false, pass);
  for (int i = 0; i < 1000; ++i) Ask(limits, "users");
  EXPECT_EQ(Count(200), 1000);
}

TEST_F(RestLimitsTest, TooManyCallsAreToldSoAndWhenToComeBack) {
  RestLimits limits(app, true, pass);
  for (int i = 0; i < 605; ++i) Ask(limits, "users");
  EXPECT_EQ(Count(200), 600);
  EXPECT_EQ(Count(429), 5);
  const auto body = wire::ParseJson(last.body);
  ASSERT_TRUE(body.ok());
  EXPECT_EQ(body->at("errorCode"), "TOO_MANY_REQUESTS");
  EXPECT_TRUE(body->at("reasons").is_array());
  EXPECT_EQ(last.headers, (std::vector<std::pair<std::string, std::string>>{
                              {"Access-Control-Allow-Origin", "*"}, {"Retry-After", "1"}}));
  statuses.clear();
  app.virtual_clock().Advance(seconds(1));
  for (int i = 0; i < 20; ++i) Ask(limits, "users");
  EXPECT_EQ(Count(200), 9);
}

TEST_F(RestLimitsTest, OnlyTheCallsOfServersCount) {
  RestLimits limits(app, true, pass);
  const std::string user = Token("alice");
  for (int i = 0; i < 700; ++i) {
    Ask(limits, "files", user);
    Ask(limits, "users", "wrong");
    Ask(limits, "me/messages/search");
  }
  EXPECT_EQ(Count(200), 2100);
}

TEST_F(RestLimitsTest, BatchesWaitForTheirTurn) {
  RestLimits limits(app, true, pass);
  for (int i = 0; i < 605; ++i) Ask(limits, "batch");
  EXPECT_EQ(Count(200), 500);
  EXPECT_EQ(Count(0), 100);
  EXPECT_EQ(Count(429), 5);
  app.virtual_clock().Advance(milliseconds(1500));
  EXPECT_EQ(Count(200), 501);
  app.virtual_clock().Advance(seconds(99));
  EXPECT_EQ(Count(0), 0);
  EXPECT_EQ(Count(200), 600);
  Ask(limits, "users");
  EXPECT_EQ(statuses.back(), 200) << "ordinary calls have a limit of their own";
}

}  // namespace
}  // namespace talkjsd::emulator
