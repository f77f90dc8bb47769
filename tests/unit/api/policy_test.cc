// Who is admitted to what, as tables.
#include "daemon/api/access/policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "daemon/base/error.h"

namespace talkjsd::api {
namespace {

using testing::HasSubstr;

Identity Process(uid_t uid, gid_t gid) {
  return {.process = net::PeerCredentials{.uid = uid, .gid = gid, .pid = 1}};
}
Identity Certificate(std::vector<std::string> sans) { return {.sans = std::move(sans)}; }
Identity Bearer(const std::string& name) { return {.bearer = name}; }

ActivePolicy Active(const Policy& policy) {
  absl::StatusOr<ActivePolicy> active = ActivePolicy::Make(policy);
  EXPECT_TRUE(active.ok()) << active.status();
  return *std::move(active);
}

TEST(MatchesSanTest, AStarStandsForAnythingButDotsAndSlashes) {
  const struct {
    const char* pattern;
    const char* san;
    bool matches;
  } cases[] = {
      {"web.shop", "web.shop", true},
      {"web.shop", "web.shop.evil", false},
      {"web.shop", "xweb.shop", false},
      {"*.shop", "web.shop", true},
      {"*.shop", ".shop", true},
      {"*.shop", "a.web.shop", false},
      {"*.shop", "web.shopx", false},
      {"web-*.shop", "web-17.shop", true},
      {"web-*.shop", "api-17.shop", false},
      {"spiffe://shop/*", "spiffe://shop/web", true},
      {"spiffe://shop/*", "spiffe://shop/web/admin", false},
      {"spiffe://*/web", "spiffe://shop/web", true},
      {"a*b*c", "aXbYbZc", true},
      {"a*b*c", "aXbY.Zc", false},
      {"*", "anything", true},
      {"*", "any.thing", false},
      {"", "", true},
      {"", "x", false},
      {"x", "", false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(MatchesSan(test.pattern, test.san), test.matches) << test.pattern << " " << test.san;
  }
}

TEST(PolicyTest, AdmitsWhoMatchesOneOfItsLists) {
  const struct {
    const char* name;
    Policy policy;
    Identity identity;
    bool admitted;
  } cases[] = {
      {"no list", {.name = "p"}, Process(7, 7), true},
      {"uid", {.name = "p", .uids = {"7"}}, Process(7, 1), true},
      {"other uid", {.name = "p", .uids = {"7"}}, Process(8, 7), false},
      {"gid", {.name = "p", .gids = {"7"}}, Process(1, 7), true},
      {"other gid", {.name = "p", .gids = {"7"}}, Process(7, 8), false},
      {"one of two", {.name = "p", .uids = {"1"}, .gids = {"7"}}, Process(2, 7), true},
      {"name", {.name = "p", .uids = {"root"}}, Process(0, 5), true},
      {"san", {.name = "p", .sans = {"*.shop"}}, Certificate({"x", "web.shop"}), true},
      {"other san", {.name = "p", .sans = {"*.shop"}}, Certificate({"web.bank"}), false},
      {"bearer", {.name = "p", .bearers = {"shop"}}, Bearer("shop"), true},
      {"other bearer", {.name = "p", .bearers = {"shop"}}, Bearer("bank"), false},
      {"a bearer is no uid", {.name = "p", .uids = {"0"}}, Bearer("0"), false},
      {"nobody is no uid", {.name = "p", .uids = {"0"}}, Identity{}, false},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(Active(test.policy).Admits(test.identity), test.admitted) << test.name;
  }
}

TEST(PolicyTest, GivesTheRightsThatItNames) {
  const struct {
    const char* name;
    Policy policy;
    bool read, write, create, supply;
  } cases[] = {
      {"plain", {.name = "p"}, true, true, false, false},
      {"read only", {.name = "p", .read_only = true}, true, false, false, false},
      {"create", {.name = "p", .create_sessions = true}, true, true, true, false},
      {"supply", {.name = "p", .supply_tokens = true}, true, true, false, true},
      {"admin", {.name = "p", .admin = true}, true, true, true, true},
  };
  for (const auto& test : cases) {
    const ActivePolicy policy = Active(test.policy);
    EXPECT_EQ(policy.Has(Right::kRead), test.read) << test.name;
    EXPECT_EQ(policy.Has(Right::kWrite), test.write) << test.name;
    EXPECT_EQ(policy.Has(Right::kCreate), test.create) << test.name;
    EXPECT_EQ(policy.Has(Right::kSupplyTokens), test.supply) << test.name;
  }
}

TEST(PolicyTest, CoversTheAppsAndUsersThatItNames) {
  const Policy narrow{.name = "p", .apps = {"shop"}, .users = {"alice"}};
  Policy admin = narrow;
  admin.admin = true;
  const struct {
    const char* name;
    Policy policy;
    const char* app;
    std::optional<std::string> user;
    bool covered;
  } cases[] = {
      {"all", {.name = "p"}, "shop", "bob", true},
      {"both", narrow, "shop", "alice", true},
      {"other user", narrow, "shop", "bob", false},
      {"other app", narrow, "bank", "alice", false},
      {"no user yet", narrow, "shop", std::nullopt, true},
      {"no user yet, other app", narrow, "bank", std::nullopt, false},
      {"app only", {.name = "p", .apps = {"shop"}}, "shop", "bob", true},
      {"admin", admin, "bank", "bob", true},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(Active(test.policy).Covers(test.app, test.user), test.covered) << test.name;
  }
  EXPECT_FALSE(Active(narrow).CoversAll());
  EXPECT_TRUE(Active(admin).CoversAll());
  EXPECT_TRUE(Active({.name = "p", .read_only = true}).CoversAll());
}

TEST(PolicySetTest, TheFirstThatAdmitsHoldsForGoodOrIll) {
  const auto set = PolicySet::Make({{.name = "readers", .uids = {"7"}, .read_only = true},
                                    {.name = "all", .uids = {"7", "8"}, .admin = true}});
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->Find(Process(7, 7))->name(), "readers");
  EXPECT_EQ(set->Find(Process(8, 8))->name(), "all");
  EXPECT_EQ(set->Find(Process(9, 9)), nullptr);
}

TEST(PolicySetTest, SaysWhatIsWrongWithAPolicy) {
  const struct {
    std::vector<Policy> policies;
    const char* says;
  } cases[] = {
      {{{.name = ""}}, "needs a name"},
      {{{.name = "p"}, {.name = "p"}}, "same name"},
      {{{.name = "p", .uids = {"no-such-user-here"}}}, "no user no-such-user-here"},
      {{{.name = "p", .gids = {"no-such-group-here"}}}, "no group no-such-group-here"},
      {{{.name = "p", .uids = {"-1"}}}, "no user -1"},
      {{{.name = "p", .users = {""}}}, "empty"},
      {{{.name = "p", .read_only = true, .admin = true}}, "exclude"},
      {{{.name = "p", .read_only = true, .create_sessions = true}}, "exclude"},
  };
  for (const auto& test : cases) {
    const auto set = PolicySet::Make(test.policies);
    ASSERT_FALSE(set.ok()) << test.says;
    EXPECT_TRUE(absl::IsInvalidArgument(set.status())) << set.status();
    EXPECT_THAT(std::string(MessageOf(set.status())), HasSubstr(test.says));
  }
}

TEST(PeerKeyTest, ProcessesOfOneUserAreOnePeer) {
  EXPECT_EQ(PeerKey(Process(7, 1)), PeerKey(Process(7, 2)));
  EXPECT_NE(PeerKey(Process(7, 1)), PeerKey(Process(8, 1)));
  EXPECT_EQ(PeerKey(Bearer("shop")), "bearer:shop");
  EXPECT_EQ(PeerKey(Certificate({"web.shop"})), "san:web.shop");
  EXPECT_EQ(PeerKey({}), "local");
}

}  // namespace
}  // namespace talkjsd::api
