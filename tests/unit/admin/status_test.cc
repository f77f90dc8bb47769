#include "daemon/admin/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>

#include <boost/json.hpp>

#include "daemon/admin/endpoint.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::admin {
namespace {

using session::Info;
using session::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Info MakeInfo(const std::string& user, State state, UnixMillis since) {
  Info info;
  info.session_id = "ses_" + user;
  info.app_id = "demo";
  info.user_id = user;
  info.state = state;
  info.state_since = since;
  return info;
}

std::vector<std::string> Users(const SessionTable::Page& page) {
  std::vector<std::string> users;
  for (const Info* info : page.items) users.push_back(*info->user_id);
  return users;
}

TEST(SessionTableTest, WhatNeedsAPersonComesFirst) {
  SessionTable table;
  table.Apply({MakeInfo("connected", State::kConnected, 5), MakeInfo("failed", State::kFailed, 1),
               MakeInfo("waiting", State::kWaitingForToken, 2),
               MakeInfo("reconnecting", State::kReconnecting, 3)});
  EXPECT_THAT(Users(table.Find({})), ElementsAre("failed", "waiting", "reconnecting", "connected"));
  SessionTable::Query query;
  query.descending = true;
  EXPECT_EQ(Users(table.Find(query)).front(), "connected");
}

TEST(SessionTableTest, FollowsChangesAndForgetsDestroyedOnes) {
  SessionTable table;
  table.Apply({MakeInfo("alice", State::kConnecting, 1), MakeInfo("bob", State::kConnected, 1)});
  table.Apply({MakeInfo("alice", State::kConnected, 2), MakeInfo("bob", State::kDestroyed, 2)});
  EXPECT_THAT(Users(table.Find({})), ElementsAre("alice"));
  EXPECT_EQ(table.CountStates()[static_cast<size_t>(State::kConnected)], 1u);
  EXPECT_EQ(table.CountStates()[static_cast<size_t>(State::kDestroyed)], 0u);
}

TEST(SessionTableTest, FiltersByStateAndByTextInAnyCase) {
  SessionTable table;
  Info failed = MakeInfo("carol", State::kFailed, 1);
  failed.reason = talkjs::sidecar::v1::ERROR_REASON_TOKEN_REFUSED;
  failed.reason_message = "TalkJS refused the token";
  table.Apply(
      {MakeInfo("alice", State::kConnected, 1), MakeInfo("bob", State::kConnected, 1), failed});
  SessionTable::Query query;
  query.text = "ALI";
  EXPECT_THAT(Users(table.Find(query)), ElementsAre("alice"));
  query.text = "token_refused";
  EXPECT_THAT(Users(table.Find(query)), ElementsAre("carol"));
  query.text = "";
  query.state = State::kConnected;
  query.sort = SessionTable::Sort::kUser;
  EXPECT_THAT(Users(table.Find(query)), ElementsAre("alice", "bob"));
  query.text = "nobody";
  EXPECT_EQ(table.Find(query).matching, 0u);
}

TEST(SessionTableTest, TenThousandSessionsComeInPages) {
  SessionTable table;
  std::vector<Info> infos;
  for (int i = 0; i < 10'000; ++i) {
    infos.push_back(MakeInfo("user" + std::to_string(10'000 + i), State::kConnected, i));
  }
  table.Apply(std::move(infos));
  SessionTable::Query query;
  query.sort = SessionTable::Sort::kUser;
  query.page = 3;
  const SessionTable::Page page = table.Find(query);
  EXPECT_EQ(page.matching, 10'000u);
  ASSERT_EQ(page.items.size(), SessionTable::kPageSize);
  EXPECT_EQ(*page.items.front()->user_id, "user10150");
  query.page = 1'000'000;
  EXPECT_EQ(table.Find(query).page, 199u) << "beyond the end is the last page";
}

TEST(RateHistoryTest, RatesAreDifferencesOverTime) {
  Metrics metrics;
  RateHistory history(metrics);
  const MonoTime start = MonoTime(std::chrono::hours(1));
  metrics.frames_sent->Increment(100);  // before it looked
  history.Take(start);
  EXPECT_TRUE(history.samples().empty());
  metrics.frames_sent->Increment(6);
  metrics.events_appended[0]->Increment(4);
  history.Take(start + std::chrono::seconds(2));
  ASSERT_EQ(history.samples().size(), 1u);
  EXPECT_DOUBLE_EQ(history.samples()[0][3], 3);
  EXPECT_DOUBLE_EQ(history.samples()[0][0], 2);
  for (int i = 2; i < 500; ++i) history.Take(start + std::chrono::seconds(2 * i));
  EXPECT_EQ(history.samples().size(), RateHistory::kSamples);
}

TEST(QueryValueTest, DecodesWhatBrowsersSend) {
  EXPECT_EQ(QueryValue("q=a+b%2Fc%26&page=2", "q"), "a b/c&");
  EXPECT_EQ(QueryValue("q=a&page=2", "page"), "2");
  EXPECT_EQ(QueryValue("q=%zz%4", "q"), "%zz%4");
  EXPECT_EQ(QueryValue("xq=1&q", "q"), "");
  EXPECT_EQ(QueryValue("", "q"), "");
}

class StatusTest : public testing::Test {
 protected:
  boost::json::object Ask(const std::string& query = "") {
    return boost::json::parse(status_.Json(query, true)).as_object();
  }

  std::vector<Info> changes_;
  std::vector<StreamStatus> streams_;
  absl::Status health_;
  Metrics metrics_;
  Status status_{{.session_changes =
                      [this](uint64_t* version) {
                        *version += 1;
                        return std::exchange(changes_, {});
                      },
                  .streams = [this] { return streams_; },
                  .journal_health = [this] { return health_; },
                  .upstream = "an emulator"},
                 metrics_,
                 SystemClock()};
};

TEST_F(StatusTest, TellsOfSessionsStreamsAndTrouble) {
  Info info = MakeInfo("alice\"<b>", State::kFailed, 77);
  info.reason = talkjs::sidecar::v1::ERROR_REASON_TOKEN_REFUSED;
  info.reason_message = "no \"good\"";
  info.warnings = {"w"};
  changes_ = {info};
  StreamStatus behind;
  behind.stream_id = "str_2";
  behind.kind = "messages";
  behind.behind_seconds = 3;
  behind.lag_events = 12;
  StreamStatus stalled = behind;
  stalled.stream_id = "str_3";
  stalled.stalled = true;
  StreamStatus good;
  good.stream_id = "str_1";
  streams_ = {good, behind, stalled};
  health_ = absl::UnavailableError("the disk is full");
  const boost::json::object status = Ask();
  EXPECT_EQ(status.at("trouble").as_string(), "the disk is full");
  EXPECT_EQ(status.at("states").at("failed").as_int64(), 1);
  const auto& item = status.at("sessions").at("items").at(0);
  EXPECT_EQ(item.at("user").as_string(), "alice\"<b>");
  EXPECT_EQ(item.at("since").as_int64(), 77);
  EXPECT_EQ(item.at("reason").as_string(), "TOKEN_REFUSED");
  EXPECT_EQ(item.at("why").as_string(), "no \"good\"");
  EXPECT_EQ(item.at("warnings").at(0).as_string(), "w");
  const auto& streams = status.at("streams");
  EXPECT_EQ(streams.at("total").as_int64(), 3);
  EXPECT_EQ(streams.at("items").at(0).at("id").as_string(), "str_3") << "the worst first";
  EXPECT_EQ(streams.at("items").at(1).at("id").as_string(), "str_2");
  EXPECT_EQ(streams.at("items").at(1).at("lag").as_int64(), 12);
}

TEST_F(StatusTest, RemembersSessionsBetweenRequests) {
  changes_ = {MakeInfo("alice", State::kConnected, 1)};
  Ask();
  changes_ = {MakeInfo("bob", State::kConnected, 1)};
  EXPECT_EQ(Ask().at("sessions").at("matching").as_int64(), 2);
  EXPECT_EQ(Ask("q=bob").at("sessions").at("matching").as_int64(), 1);
  EXPECT_EQ(Ask("state=failed").at("sessions").at("matching").as_int64(), 0);
  EXPECT_EQ(Ask("state=nonsense&page=-1&sort=x").at("sessions").at("matching").as_int64(), 2);
}

TEST(StatusPageTest, HasItsNonceAndNothingFromOutside) {
  const std::string page = StatusPage("NONCE");
  EXPECT_THAT(page, HasSubstr("<script nonce=\"NONCE\">"));
  EXPECT_THAT(page, HasSubstr("<style nonce=\"NONCE\">"));
  EXPECT_THAT(page, Not(HasSubstr("{{")));
  EXPECT_THAT(page, Not(HasSubstr("https:")));
  EXPECT_THAT(page, Not(HasSubstr("innerHTML")));
  EXPECT_THAT(page, Not(HasSubstr(" style=")));
}

TEST(IsLocalHostTest, OnlyNamesOfThisMachine) {
  for (const char* good :
       {"localhost", "LOCALHOST:9464", "127.0.0.1", "127.8.9.1:80", "[::1]", "[::1]:9464"}) {
    EXPECT_TRUE(IsLocalHost(good)) << good;
  }
  for (const char* bad :
       {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "128.0.0.1",
        "[::2]", "[::1", "[::1]evil", "localhost:", "localhost:8x", "localhost evil", "0.0.0.0"}) {
    EXPECT_FALSE(IsLocalHost(bad)) << bad;
  }
}

}  // namespace
}  // namespace talkjsd::admin
