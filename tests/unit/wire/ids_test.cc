#include "daemon/wire/ids.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace talkjsd::wire {
namespace {

constexpr std::string_view kKeyAlphabet =
    "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";

TEST(IdsTest, IdempotencyKeyIsEightCharactersOfTimeAndTwelveRandomOnes) {
  SeededRandom random(1);
  const std::string key = IdempotencyKey(1795354811436, random);
  ASSERT_EQ(key.size(), 20u);
  EXPECT_EQ(key.find_first_not_of(kKeyAlphabet), std::string::npos);
  int64_t time = 0;
  for (const char c : key.substr(0, 8)) {
    time = time * 64 + static_cast<int64_t>(kKeyAlphabet.find(c));
  }
  EXPECT_EQ(time, 1795354811436);
  EXPECT_EQ(key.front(), '-');  // padding: seven digits hold today's times
}

TEST(IdsTest, IdempotencyKeyStartsWithItsTimeInBase64) {
  SeededRandom random(1);
  EXPECT_EQ(IdempotencyKey(0, random).substr(0, 8), "--------");
  EXPECT_EQ(IdempotencyKey(64, random).substr(0, 8), "------0-");
  EXPECT_EQ(IdempotencyKey(1795354811435, random).substr(0, 8), "-P72U4kf");  // as the SDK's
}

TEST(IdsTest, IdempotencyKeysSortByTimeAndDiffer) {
  SeededRandom random(2);
  std::set<std::string> keys;
  std::string last;
  for (UnixMillis now = 1'700'000'000'000; now < 1'700'000'000'200; ++now) {
    const std::string key = IdempotencyKey(now, random);
    EXPECT_LT(last, key);
    last = key;
    keys.insert(key);
    keys.insert(IdempotencyKey(now, random));
  }
  EXPECT_EQ(keys.size(), 400u);
}

TEST(IdsTest, ClientIdIsDecimal) {
  SeededRandom random(3);
  for (int i = 0; i < 50; ++i) {
    const std::string id = ClientId(random);
    EXPECT_GE(id.size(), 16u);
    EXPECT_TRUE(std::all_of(id.begin(), id.end(), [](char c) { return c >= '0' && c <= '9'; }))
        << id;
  }
}

TEST(IdsTest, MessageIdHasItsPrefixAndAlphabet) {
  SeededRandom random(4);
  std::set<std::string> ids;
  for (int i = 0; i < 50; ++i) {
    const std::string id = MessageId(random);
    EXPECT_EQ(id.substr(0, 4), "msg_");
    EXPECT_EQ(id.size(), 26u);
    EXPECT_EQ(id.substr(4).find_first_not_of(kBase62), std::string::npos) << id;
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 50u);
}

}  // namespace
}  // namespace talkjsd::wire
