// The sweep finds what no event told.
#include <gtest/gtest.h>

#include "tests/unit/session/inbox_fixture.h"

namespace talkjsd::session {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class InboxSweep : public InboxFixture {};

TEST_F(InboxSweep, ComesEveryFiveToTenMinutesAndFindsNothing) {
  Join("c1");
  LogIn();
  const int lists = Lists();
  talk_.Settle(minutes(4));
  EXPECT_EQ(Lists(), lists);
  talk_.Settle(minutes(60));
  EXPECT_GE(Lists() - lists, 6);
  EXPECT_LE(Lists() - lists, 12);
  EXPECT_EQ(talk_.swept, 0);
}

TEST_F(InboxSweep, FindsMessagesThatNoEventTold) {
  Join("c1");
  Join("c2");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.loses_events = true;
  for (int i = 0; i < 40; ++i) all.push_back(Say("c1"));
  all.push_back(Say("c2"));
  talk_.Settle(minutes(4));
  EXPECT_EQ(talk_.Sent().size(), 1u);
  talk_.Settle(minutes(11));
  Ids sent = talk_.Sent("c1");
  for (const std::string& id : talk_.Sent("c2")) sent.push_back(id);
  EXPECT_EQ(sent, all);
  EXPECT_TRUE(talk_.appended.back().recovered);
  EXPECT_EQ(talk_.swept, 2);
  EXPECT_EQ(talk_.unreads.back().entries, talk_.ExpectedUnreads());
}

TEST_F(InboxSweep, FindsAConversationThatNoEventTold) {
  LogIn();
  talk_.loses_events = true;
  Join("c1");
  const std::string id = Say("c1");
  talk_.Settle(minutes(15));
  EXPECT_EQ(talk_.Sent(), Ids{id});
  EXPECT_EQ(talk_.swept, 1);
}

TEST_F(InboxSweep, FindsThatAConversationWasRead) {
  Join("c1");
  LogIn();
  Say("c1");
  talk_.Settle();
  ASSERT_EQ(talk_.unreads.back().entries.size(), 1u);
  talk_.loses_events = true;
  talk_.Read("c1");
  talk_.Settle(minutes(15));
  EXPECT_TRUE(talk_.unreads.back().entries.empty());
  EXPECT_EQ(talk_.Sent().size(), 1u);
}

TEST_F(InboxSweep, FindsAMessageOfWhichOnlyTheListTold) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.loses_events = true;
  all.push_back(Say("c1"));
  talk_.loses_events = false;
  wire::SideEdited edited;
  edited.conversation_id = "c1";
  edited.diff.last_message_at = talk_.conversations()["c1"].posts.back().message.created_at;
  edited.diff.unread_message_count = 2;
  talk_.Inject({edited});
  talk_.Settle(minutes(15));
  EXPECT_EQ(talk_.Sent(), all);
  EXPECT_EQ(talk_.swept, 1);
  EXPECT_EQ(talk_.unreads.back().entries, talk_.ExpectedUnreads());
}

TEST_F(InboxSweep, DoesNotTakeTalkJsAtItsWordThatARestartLosesNothing) {
  constexpr int kConversations = 40;
  for (int i = 0; i < kConversations; ++i) Join("c" + std::to_string(i));
  LogIn();
  Ids all;
  for (int i = 0; i < kConversations; ++i) all.push_back(Say("c" + std::to_string(i)));
  talk_.Settle();
  talk_.Disconnect(/*announced=*/true);
  talk_.loses_events = true;
  // More than one page of the list shows.
  for (int i = 0; i < kConversations; ++i) all.push_back(Say("c" + std::to_string(i)));
  talk_.Connect();
  talk_.Settle(seconds(1));
  EXPECT_LT(talk_.Sent().size(), all.size());
  talk_.Settle(minutes(1));
  Ids sent = talk_.Sent();
  std::sort(sent.begin(), sent.end());
  std::sort(all.begin(), all.end());
  EXPECT_EQ(sent, all);
  EXPECT_EQ(talk_.unreads.back().entries, talk_.ExpectedUnreads());
}

TEST_F(InboxSweep, DoesNotReadAgainAndAgainWhatIsGone) {
  Join("c1");
  LogIn();
  Ids all{Say("c1")};
  talk_.Settle();
  talk_.loses_events = true;
  const std::string gone = Say("c1");
  TalkModel::Conversation& c1 = talk_.conversations()["c1"];
  c1.deleted_last_at = c1.posts.back().message.created_at;
  talk_.Delete("c1", gone);
  talk_.Settle(minutes(60));
  EXPECT_EQ(talk_.Sent(), all);
  EXPECT_EQ(talk_.swept, 1);
}

TEST_F(InboxSweep, WhatAnEventTellsJustAfterwardsIsNoFind) {
  Join("c1");
  LogIn();
  const int lists = Lists();
  while (Lists() == lists) {
    clock_.Advance(seconds(1));
    talk_.WakeStep();
  }
  // Said before the list is answered; its event comes after the answer.
  talk_.loses_events = true;
  const std::string id = Say("c1");
  talk_.loses_events = false;
  talk_.RunIdle();
  wire::MessageCreated created;
  created.conversation_id = "c1";
  created.state = talk_.conversations()["c1"].posts.back().message;
  wire::SideEdited edited;
  edited.conversation_id = "c1";
  edited.diff.last_message_at = created.state.created_at;
  edited.diff.unread_message_count = 1;
  edited.diff.is_unread = true;
  talk_.Inject({created, edited});
  talk_.Settle();
  EXPECT_EQ(talk_.Sent(), Ids{id});
  EXPECT_EQ(talk_.swept, 0);
}

}  // namespace
}  // namespace talkjsd::session
