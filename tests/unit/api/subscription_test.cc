// Named subscriptions over the wire: promise 6 of the message stream.
#include <gmock/gmock.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <thread>

#include "server_testing.h"

namespace talkjsd::api {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;

class SubscriptionTest : public ServerTest {
 protected:
  static v1::StreamMessagesRequest Named(const std::string& name, bool takeover = false) {
    v1::StreamMessagesRequest request;
    request.mutable_subscription()->set_name(name);
    request.mutable_subscription()->set_takeover(takeover);
    return request;
  }
  grpc::Status EndOf(const v1::StreamMessagesRequest& request) {
    return MessageReader(*events_, request).Finish();
  }
  grpc::Status Acknowledge(const std::string& name, const std::string& stream_id,
                           const std::string& cursor, std::string* acknowledged = nullptr) {
    grpc::ClientContext context;
    v1::AcknowledgeRequest request;
    request.set_name(name);
    request.set_stream_id(stream_id);
    request.set_cursor(cursor);
    v1::AcknowledgeResponse response;
    const grpc::Status status = events_->Acknowledge(&context, request, &response);
    if (acknowledged != nullptr) *acknowledged = response.acknowledged_cursor();
    return status;
  }
  v1::ListSubscriptionsResponse List(int page_size = 0, const std::string& page_token = "") {
    grpc::ClientContext context;
    v1::ListSubscriptionsRequest request;
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    v1::ListSubscriptionsResponse response;
    const grpc::Status status = events_->ListSubscriptions(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  grpc::Status Delete(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteSubscriptionRequest request;
    request.set_name(name);
    v1::DeleteSubscriptionResponse response;
    return events_->DeleteSubscription(&context, request, &response);
  }
  // Streams that were closed are gone.
  void AwaitNoStreams() {
    while (metrics_.message_streams->Value() > 0) std::this_thread::yield();
  }
  // The server starts again, with what is on disk.
  void Restart() {
    server_.reset();
    positions_.reset();
    OpenPositions();
    StartServer();
  }
  // Opens it, takes `take` messages, acknowledges the last one, closes it; returns their ids.
  std::vector<std::string> TakeAndAcknowledge(const std::string& name, size_t take) {
    MessageReader reader(*events_, Named(name));
    const auto first = reader.Next();
    EXPECT_TRUE(first.has_value());
    if (!first.has_value()) return {};
    std::vector<std::string> ids = reader.Ids(take);
    ids.resize(std::min(ids.size(), take));
    EXPECT_TRUE(Acknowledge(name, first->opened().stream_id(), reader.cursors.at(take - 1)).ok());
    return ids;
  }
};

std::vector<std::string> Numbered(int first, int count) {
  std::vector<std::string> ids;
  for (int i = first; i < first + count; ++i) ids.push_back("msg_" + std::to_string(i));
  return ids;
}

TEST_F(SubscriptionTest, TheFirstOpenMakesItAndLaterOnesGoOnAfterWhatWasAcknowledged) {
  {
    MessageReader first(*events_, Named("crm"));
    EXPECT_EQ(first.Next()->opened().start(), v1::STREAM_START_NOW);
  }
  AwaitNoStreams();
  Append("s", 0, 10);  // while nobody looks
  EXPECT_EQ(TakeAndAcknowledge("crm", 4), Numbered(0, 4));
  AwaitNoStreams();
  MessageReader reader(*events_, Named("crm"));
  EXPECT_EQ(reader.Next()->opened().start(), v1::STREAM_START_AFTER_CURSOR);
  EXPECT_EQ(reader.Ids(6), Numbered(4, 6));
}

TEST_F(SubscriptionTest, WhatWasNotAcknowledgedComesAgain) {
  Append("s", 0, 3);
  v1::StreamMessagesRequest request = Named("crm");
  request.mutable_earliest();
  {
    MessageReader reader(*events_, request);
    reader.Next();
    EXPECT_EQ(reader.Ids(3), Numbered(0, 3));
  }
  AwaitNoStreams();
  MessageReader again(*events_, Named("crm"));
  again.Next();
  EXPECT_EQ(again.Ids(3), Numbered(0, 3));
}

TEST_F(SubscriptionTest, PositionsOutliveTheServer) {
  { MessageReader(*events_, Named("crm")).Next(); }
  AwaitNoStreams();
  Append("s", 0, 10);
  EXPECT_EQ(TakeAndAcknowledge("crm", 7), Numbered(0, 7));
  Restart();
  MessageReader reader(*events_, Named("crm"));
  EXPECT_EQ(reader.Next()->opened().start(), v1::STREAM_START_AFTER_CURSOR);
  EXPECT_EQ(reader.Ids(3), Numbered(7, 3));
}

TEST_F(SubscriptionTest, AcknowledgementsOnlyMoveForward) {
  MessageReader reader(*events_, Named("crm"));
  const std::string id = reader.Next()->opened().stream_id();
  Append("s", 0, 5);
  EXPECT_EQ(reader.Ids(5).size(), 5u);
  std::string acknowledged;
  EXPECT_TRUE(Acknowledge("crm", id, reader.cursors.at(3), &acknowledged).ok());
  EXPECT_EQ(acknowledged, reader.cursors.at(3));
  EXPECT_TRUE(Acknowledge("crm", id, reader.cursors.at(1), &acknowledged).ok());
  EXPECT_EQ(acknowledged, reader.cursors.at(3));
  EXPECT_EQ(List().subscriptions(0).acknowledged_cursor(), reader.cursors.at(3));
  EXPECT_EQ(metrics_.acknowledgements->Value(), 2);
}

TEST_F(SubscriptionTest, AcknowledgementsNeverPassWhatWasSent) {
  Append("s", 0, 2);
  while (journal_->Latest().sequence < 2) std::this_thread::yield();
  const journal::Cursor sent = journal_->Latest();
  MessageReader reader(*events_, Named("crm"));
  const std::string id = reader.Next()->opened().stream_id();
  // Stuck from here on: the stream has at most a few responses under way, and these events take
  // many more.
  for (int i = 2; i < 2002; i += 100) Append("s", i, 100, 10'000);
  while (journal_->Latest().sequence < 2002) std::this_thread::yield();
  const std::string invalid = Expected(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD");
  const auto at = [&](uint64_t sequence) {
    return journal::EncodeCursor({.epoch = journal_->epoch(), .sequence = sequence});
  };
  EXPECT_EQ(Why(Acknowledge("crm", id, journal::EncodeCursor(journal_->Latest()))), invalid);
  EXPECT_EQ(Why(Acknowledge("crm", id, at(1'000'000))), invalid) << "an invented one";
  EXPECT_TRUE(Acknowledge("crm", id, journal::EncodeCursor(sent)).ok());
  const std::string lost = journal::EncodeCursor({.epoch = 1, .sequence = 1});
  EXPECT_EQ(Why(Acknowledge("crm", id, lost)), Expected(StatusCode::OUT_OF_RANGE, "JOURNAL_LOST"));
  EXPECT_EQ(Why(Acknowledge("crm", id, "short")),
            Expected(StatusCode::INVALID_ARGUMENT, "CURSOR_MALFORMED"));
  EXPECT_EQ(List().subscriptions(0).acknowledged_cursor(), journal::EncodeCursor(sent));
  EXPECT_EQ(reader.Ids(2000), Numbered(2, 2000));
}

TEST_F(SubscriptionTest, ASecondOpenerIsRefused) {
  MessageReader first(*events_, Named("crm"));
  ASSERT_TRUE(first.Next()->has_opened());
  const grpc::Status refused = EndOf(Named("crm"));
  EXPECT_EQ(Why(refused), Expected(StatusCode::FAILED_PRECONDITION, "SUBSCRIPTION_IN_USE"));
  MessageReader other(*events_, Named("another"));
  EXPECT_TRUE(other.Next()->has_opened());
  Append("s", 0, 1);
  EXPECT_EQ(first.Ids(1), Numbered(0, 1));
}

TEST_F(SubscriptionTest, OrTakesOverAndTheOldStreamIsTold) {
  MessageReader old(*events_, Named("crm"));
  const std::string old_id = old.Next()->opened().stream_id();
  Append("s", 0, 3);
  EXPECT_EQ(old.Ids(3).size(), 3u);
  EXPECT_TRUE(Acknowledge("crm", old_id, old.cursors.at(0)).ok());
  MessageReader taker(*events_, Named("crm", true));
  const std::string new_id = taker.Next()->opened().stream_id();
  EXPECT_NE(new_id, old_id);
  EXPECT_EQ(Why(old.Finish()), Expected(StatusCode::ABORTED, "SUBSCRIPTION_TAKEN"));
  EXPECT_EQ(Why(Acknowledge("crm", old_id, old.cursors.at(2))),
            Expected(StatusCode::FAILED_PRECONDITION, "STREAM_ID_STALE"));
  EXPECT_EQ(taker.Ids(2), Numbered(1, 2)) << "after what the old one acknowledged in time";
  EXPECT_TRUE(Acknowledge("crm", new_id, taker.cursors.at(1)).ok());
  EXPECT_EQ(metrics_.subscription_takeovers->Value(), 1);
  EXPECT_EQ(List().subscriptions(0).stream_id(), new_id);
}

TEST_F(SubscriptionTest, AClientReplacesItsOwnStreamWithoutTakeover) {
  MessageReader old(*events_, Named("crm"));
  const std::string old_id = old.Next()->opened().stream_id();
  v1::StreamMessagesRequest again = Named("crm");
  again.mutable_subscription()->set_replaces_stream_id("str_of_somebody_else");
  EXPECT_EQ(Why(EndOf(again)), Expected(StatusCode::FAILED_PRECONDITION, "SUBSCRIPTION_IN_USE"));
  again.mutable_subscription()->set_replaces_stream_id(old_id);
  MessageReader reader(*events_, again);
  EXPECT_TRUE(reader.Next()->has_opened());
  EXPECT_EQ(Why(old.Finish()), Expected(StatusCode::ABORTED, "SUBSCRIPTION_TAKEN"));
}

TEST_F(SubscriptionTest, ATakeoverThatFailsLeavesTheOldStreamAlone) {
  MessageReader old(*events_, Named("crm"));
  const std::string id = old.Next()->opened().stream_id();
  v1::StreamMessagesRequest lost = Named("crm", true);
  lost.set_cursor(journal::EncodeCursor({.epoch = 1, .sequence = 1}));
  EXPECT_EQ(Why(EndOf(lost)), Expected(StatusCode::OUT_OF_RANGE, "JOURNAL_LOST"));
  v1::StreamMessagesRequest other = Named("crm", true);
  other.set_exclude_by_me(true);
  EXPECT_EQ(Why(EndOf(other)),
            Expected(StatusCode::FAILED_PRECONDITION, "SUBSCRIPTION_SELECTION_MISMATCH"));
  Append("s", 0, 1);
  EXPECT_EQ(old.Ids(1), Numbered(0, 1));
  EXPECT_TRUE(Acknowledge("crm", id, old.cursors.at(0)).ok());
}

TEST_F(SubscriptionTest, AFirstOpenThatFailsMakesNothing) {
  v1::StreamMessagesRequest request = Named("crm");
  request.add_session_ids("unknown");
  EXPECT_EQ(Why(EndOf(request)), Expected(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND"));
  EXPECT_EQ(List().subscriptions_size(), 0);
}

TEST_F(SubscriptionTest, TheFirstOpenFixesTheSelection) {
  const std::string alice = CreateSession("alice");
  const std::string bob = CreateSession("bob");
  v1::StreamMessagesRequest request = Named("crm");
  request.add_session_ids(alice);
  request.add_session_ids(bob);
  request.add_conversation_ids("c");
  { MessageReader(*events_, request).Next(); }
  AwaitNoStreams();
  v1::StreamMessagesRequest same = Named("crm");
  for (const std::string& id : {bob, alice, bob}) same.add_session_ids(id);
  same.add_conversation_ids("c");
  same.add_kinds(v1::MESSAGE_EVENT_KIND_SENT);  // the default, spelled out
  {
    MessageReader reader(*events_, same);
    EXPECT_TRUE(reader.Next()->has_opened());
  }
  const std::string mismatch =
      Expected(StatusCode::FAILED_PRECONDITION, "SUBSCRIPTION_SELECTION_MISMATCH");
  v1::StreamMessagesRequest other = same;
  other.add_kinds(v1::MESSAGE_EVENT_KIND_EDITED);
  EXPECT_EQ(Why(EndOf(other)), mismatch);
  other = same;
  other.clear_conversation_ids();
  EXPECT_EQ(Why(EndOf(other)), mismatch);
  other = same;
  other.clear_session_ids();
  EXPECT_EQ(Why(EndOf(other)), mismatch);
  const v1::Subscription shown = List().subscriptions(0);
  EXPECT_EQ(shown.session_ids_size(), 2);
  EXPECT_THAT(shown.conversation_ids(), ElementsAre("c"));
  EXPECT_THAT(shown.kinds(), ElementsAre(v1::MESSAGE_EVENT_KIND_SENT));
}

TEST_F(SubscriptionTest, AnExplicitStartMovesTheStreamAndNotTheSubscription) {
  { MessageReader(*events_, Named("crm")).Next(); }
  AwaitNoStreams();
  Append("s", 0, 5);
  EXPECT_EQ(TakeAndAcknowledge("crm", 4), Numbered(0, 4));
  AwaitNoStreams();
  v1::StreamMessagesRequest earliest = Named("crm");
  earliest.mutable_earliest();
  {
    MessageReader reader(*events_, earliest);
    const std::string id = reader.Next()->opened().stream_id();
    EXPECT_EQ(reader.Ids(5), Numbered(0, 5));
    EXPECT_TRUE(Acknowledge("crm", id, reader.cursors.at(1)).ok());
  }
  AwaitNoStreams();
  MessageReader reader(*events_, Named("crm"));
  reader.Next();
  EXPECT_EQ(reader.Ids(1), Numbered(4, 1));
}

TEST_F(SubscriptionTest, APositionThatIsLostIsToldOrContinued) {
  Append("s", 0, 2);
  v1::Subscription selection;
  selection.add_kinds(v1::MESSAGE_EVENT_KIND_SENT);
  ASSERT_TRUE(positions_
                  ->PutSubscription({.name = "crm",
                                     .selection = selection.SerializeAsString(),
                                     .position = {.epoch = 1, .sequence = 9}})
                  .ok());
  EXPECT_EQ(Why(EndOf(Named("crm"))), Expected(StatusCode::OUT_OF_RANGE, "JOURNAL_LOST"));
  v1::StreamMessagesRequest request = Named("crm");
  request.set_on_gap(v1::ON_GAP_CONTINUE);
  {
    MessageReader reader(*events_, request);
    const auto first = reader.Next();
    ASSERT_TRUE(first.has_value());
    EXPECT_EQ(first->gap().reason(), v1::GAP_REASON_JOURNAL_LOST);
    EXPECT_EQ(reader.Ids(2), Numbered(0, 2));
    EXPECT_TRUE(Acknowledge("crm", first->opened().stream_id(), reader.cursors.at(0)).ok());
  }
  AwaitNoStreams();
  MessageReader again(*events_, Named("crm"));
  EXPECT_EQ(again.Next()->opened().start(), v1::STREAM_START_AFTER_CURSOR);
  EXPECT_EQ(again.Ids(1), Numbered(1, 1));
  EXPECT_EQ(metrics_.gaps_journal_lost->Value(), 2);
}

TEST_F(SubscriptionTest, DeletingEndsTheStreamThatHasIt) {
  MessageReader reader(*events_, Named("crm"));
  const std::string id = reader.Next()->opened().stream_id();
  EXPECT_TRUE(Delete("crm").ok());
  const std::string not_found = Expected(StatusCode::NOT_FOUND, "SUBSCRIPTION_NOT_FOUND");
  EXPECT_EQ(Why(reader.Finish()), not_found);
  EXPECT_EQ(Why(Acknowledge("crm", id, journal::EncodeCursor(journal_->Latest()))), not_found);
  EXPECT_EQ(Why(Delete("crm")), not_found);
  EXPECT_EQ(List().subscriptions_size(), 0);
  Restart();
  EXPECT_EQ(List().subscriptions_size(), 0);
  MessageReader again(*events_, Named("crm"));
  EXPECT_EQ(again.Next()->opened().start(), v1::STREAM_START_NOW);
}

TEST_F(SubscriptionTest, AreListedByNameInPages) {
  std::vector<std::unique_ptr<MessageReader>> readers;
  for (const char* name : {"b", "d", "a", "c", "e"}) {
    readers.push_back(std::make_unique<MessageReader>(*events_, Named(name)));
    ASSERT_TRUE(readers.back()->Next()->has_opened());
  }
  readers.erase(readers.begin());  // "b"
  std::vector<std::string> names;
  std::string token;
  do {
    const v1::ListSubscriptionsResponse page = List(2, token);
    EXPECT_LE(page.subscriptions_size(), 2);
    for (const auto& subscription : page.subscriptions()) names.push_back(subscription.name());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre("a", "b", "c", "d", "e"));
  while (List().subscriptions(1).has_stream_id()) std::this_thread::yield();
  const v1::ListSubscriptionsResponse all = List();
  const v1::Subscription& open = all.subscriptions(0);
  const v1::Subscription& idle = all.subscriptions(1);
  EXPECT_FALSE(open.has_expire_time());
  EXPECT_GT(open.create_time().seconds(), 0);
  EXPECT_EQ(idle.expire_time().seconds() - idle.last_use_time().seconds(), 30 * 24 * 3600);
  grpc::ClientContext context;
  v1::ListSubscriptionsRequest request;
  request.set_page_token("!");
  v1::ListSubscriptionsResponse response;
  EXPECT_EQ(Why(events_->ListSubscriptions(&context, request, &response)),
            Expected(StatusCode::INVALID_ARGUMENT, "PAGE_TOKEN_INVALID"));
}

TEST_F(SubscriptionTest, AStreamBeyondTheLimitLetsGoOfIt) {
  std::vector<std::unique_ptr<MessageReader>> readers;
  for (int i = 0; i < 64; ++i) {
    readers.push_back(std::make_unique<MessageReader>(*events_, v1::StreamMessagesRequest()));
    ASSERT_TRUE(readers.back()->Next()->has_opened());
  }
  EXPECT_EQ(Why(EndOf(Named("crm"))), Expected(StatusCode::RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
  readers.clear();
  AwaitNoStreams();
  MessageReader reader(*events_, Named("crm"));
  EXPECT_TRUE(reader.Next()->has_opened());
}

}  // namespace
}  // namespace talkjsd::api
