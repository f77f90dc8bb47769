#include "daemon/emulator/faults/faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "daemon/emulator/faults/fault_wire.h"

namespace talkjsd::emulator {
namespace {

FaultRule RuleOf(FaultPoint point) {
  FaultRule rule;
  rule.on = point;
  return rule;
}

// Whether the rules fire for a request.
bool Fire(Faults& faults, std::string_view user, std::string_view method, std::string_view path) {
  return faults.Find({FaultPoint::kRequest, user, method, path, nullptr}).has_value();
}

std::string Pattern(Faults& faults, int count) {
  std::string pattern;
  for (int i = 0; i < count; ++i) pattern.push_back(Fire(faults, "a", "GET", "/x") ? 'X' : '.');
  return pattern;
}

TEST(GlobTest, OneStarStaysInItsSegmentAndTwoDoNot) {
  EXPECT_TRUE(GlobMatches("/conversations/*/messages", "/conversations/c1/messages"));
  EXPECT_FALSE(GlobMatches("/conversations/*/messages", "/conversations/c1/x/messages"));
  EXPECT_FALSE(GlobMatches("/me/conversations/*", "/me/conversations/c1/typing"));
  EXPECT_TRUE(GlobMatches("/me/**", "/me/conversations/c1/typing"));
  EXPECT_TRUE(GlobMatches("**/messages/*", "/conversations/c/messages/m"));
  EXPECT_FALSE(GlobMatches("**/messages/*", "/conversations/c/messages/m/reactions"));
  EXPECT_TRUE(GlobMatches("**/a*b/*c", "/x/ab/y/aXb/zc"));
  EXPECT_TRUE(GlobMatches("bot-*", "bot-"));
  EXPECT_FALSE(GlobMatches("bot-*", "robot-1"));
  EXPECT_TRUE(GlobMatches("a*a*a", "aaaa"));
  EXPECT_FALSE(GlobMatches("a*a*a", "aa"));
  EXPECT_TRUE(GlobMatches("*", ""));
  EXPECT_FALSE(GlobMatches("a", ""));
}

TEST(GlobTest, AHostileTextCostsNoTime) {
  std::string pattern;
  for (int i = 0; i < 100; ++i) pattern.append("**a*a");
  EXPECT_FALSE(GlobMatches(pattern + "b", std::string(4096, 'a')));
  EXPECT_FALSE(GlobMatches("**", std::string(1 << 20, 'a')));
}

TEST(FaultsTest, NothingIsWatchedWithoutRules) {
  Faults faults;
  EXPECT_FALSE(faults.Watches(FaultPoint::kRequest));
  const int64_t id = faults.Add(RuleOf(FaultPoint::kRequest));
  EXPECT_TRUE(faults.Watches(FaultPoint::kRequest));
  EXPECT_FALSE(faults.Watches(FaultPoint::kPublish));
  EXPECT_TRUE(faults.Remove(id));
  EXPECT_FALSE(faults.Remove(id));
  EXPECT_FALSE(faults.Watches(FaultPoint::kRequest));
}

TEST(FaultsTest, AllConditionsMustHold) {
  Faults faults;
  FaultRule rule = RuleOf(FaultPoint::kRequest);
  rule.user = "alice";
  rule.method = "POST";
  rule.path = "/conversations/*/messages";
  faults.Add(rule);
  EXPECT_FALSE(Fire(faults, "bob", "POST", "/conversations/c/messages"));
  EXPECT_FALSE(Fire(faults, "alice", "GET", "/conversations/c/messages"));
  EXPECT_FALSE(Fire(faults, "alice", "POST", "/conversations/c"));
  EXPECT_EQ(faults.entries()[0].rule.matched, 0u);
  EXPECT_TRUE(Fire(faults, "alice", "POST", "/conversations/c/messages"));
  EXPECT_EQ(faults.entries()[0].rule.matched, 1u);
  EXPECT_EQ(faults.entries()[0].rule.fired, 1u);
}

TEST(FaultsTest, AnEventRuleLooksAtEveryEventOfTheFrame) {
  Faults faults;
  FaultRule rule = RuleOf(FaultPoint::kPublish);
  rule.event = "message.*";
  faults.Add(rule);
  const std::vector<std::string_view> sides = {"side.edited"};
  const std::vector<std::string_view> both = {"side.edited", "message.created"};
  EXPECT_FALSE(faults.Find({FaultPoint::kPublish, "a", "", "", &sides}).has_value());
  EXPECT_TRUE(faults.Find({FaultPoint::kPublish, "a", "", "", &both}).has_value());
}

TEST(FaultsTest, NthEveryAndTimesCountMatches) {
  Faults faults;
  FaultRule rule = RuleOf(FaultPoint::kRequest);
  rule.nth = 3;
  faults.Add(rule);
  EXPECT_EQ(Pattern(faults, 6), "..X...");
  faults.Clear();
  rule.nth = 0;
  rule.every = 2;
  faults.Add(rule);
  EXPECT_EQ(Pattern(faults, 6), ".X.X.X");
  faults.Clear();
  rule.times = 2;
  faults.Add(rule);
  EXPECT_EQ(Pattern(faults, 8), ".X.X....");
  EXPECT_EQ(faults.entries()[0].rule.matched, 8u);
  EXPECT_EQ(faults.entries()[0].rule.fired, 2u);
}

TEST(FaultsTest, TheFirstRuleThatFiresHidesTheSubjectFromTheRest) {
  Faults faults;
  FaultRule rule = RuleOf(FaultPoint::kRequest);
  rule.every = 2;
  faults.Add(rule);
  rule.every = 0;
  faults.Add(rule);
  EXPECT_EQ(Pattern(faults, 4), "XXXX");
  EXPECT_EQ(faults.entries()[0].rule.fired, 2u);
  EXPECT_EQ(faults.entries()[1].rule.matched, 2u);
}

TEST(FaultsTest, ASeedRepeatsTheDraws) {
  const auto run = [](uint64_t seed) {
    Faults faults;
    FaultRule rule = RuleOf(FaultPoint::kRequest);
    rule.probability = 0.3;
    rule.seed = seed;
    faults.Add(rule);
    return Pattern(faults, 400);
  };
  const std::string seven = run(7);
  EXPECT_EQ(seven, run(7));
  EXPECT_NE(seven, run(8));
  const auto fired = std::count(seven.begin(), seven.end(), 'X');
  EXPECT_GT(fired, 80);
  EXPECT_LT(fired, 160);
}

TEST(FaultsTest, ProbabilityZeroNeverFiresAndOneAlwaysDoes) {
  Faults faults;
  FaultRule rule = RuleOf(FaultPoint::kRequest);
  rule.probability = 0;
  faults.Add(rule);
  EXPECT_EQ(Pattern(faults, 50), std::string(50, '.'));
  faults.Clear();
  rule.probability = 1;
  faults.Add(rule);
  EXPECT_EQ(Pattern(faults, 50), std::string(50, 'X'));
}

class FaultWireTest : public testing::Test {
 protected:
  void Tick(int64_t millis) { clock.Advance(std::chrono::milliseconds(millis)); }
  // Everything that is due to go out.
  std::string Out() {
    std::string out;
    while (auto frame = wire.TakeOut()) out.append(frame->text);
    return out;
  }

  net::EventLoop loop{"test"};
  ManualClock clock;
  FaultWire wire{loop, clock, [] {}};
};

TEST_F(FaultWireTest, DelaysKeepTheOrder) {
  EXPECT_TRUE(wire.PassesOut());
  wire.KeepOut("a", {}, std::chrono::milliseconds(100));
  EXPECT_FALSE(wire.PassesOut());
  EXPECT_TRUE(wire.PassesIn());
  wire.KeepOut("b", {}, Duration::zero());
  Tick(50);
  wire.KeepOut("c", {}, std::chrono::milliseconds(100));
  EXPECT_EQ(Out(), "");
  Tick(50);
  EXPECT_EQ(Out(), "ab");
  Tick(50);
  EXPECT_EQ(Out(), "c");
  EXPECT_TRUE(wire.PassesOut());
  EXPECT_EQ(wire.kept_bytes(), 0u);
}

TEST_F(FaultWireTest, AStallHoldsBothDirectionsUntilItsEnd) {
  wire.Stall(std::chrono::milliseconds(100));
  EXPECT_FALSE(wire.PassesIn());
  EXPECT_FALSE(wire.PassesOut());
  wire.KeepIn("in", false, Duration::zero());
  wire.KeepOut("out", {}, Duration::zero());
  Tick(99);
  EXPECT_FALSE(wire.TakeIn().has_value());
  EXPECT_EQ(Out(), "");
  Tick(1);
  EXPECT_EQ(wire.TakeIn()->text, "in");
  EXPECT_EQ(Out(), "out");
}

TEST_F(FaultWireTest, HalfOpenForgetsAndResumeEndsIt) {
  wire.KeepOut("before", {}, std::chrono::milliseconds(10));
  wire.HalfOpen();
  wire.KeepOut("during", {}, Duration::zero());
  Tick(100);
  EXPECT_FALSE(wire.PassesOut());
  EXPECT_EQ(Out(), "");
  wire.Resume();
  EXPECT_TRUE(wire.PassesOut());
  EXPECT_TRUE(wire.PassesIn());
}

}  // namespace
}  // namespace talkjsd::emulator
