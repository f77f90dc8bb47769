#include "talkjsd/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "fake_daemon.h"
#include "talkjsd/client.h"

namespace talkjsd::client {
namespace {

using std::chrono::milliseconds;
using ::testing::ElementsAre;

using Responses = std::vector<pb::StreamMessagesResponse>;

std::string Cursor(int sequence) { return std::string(16, 'c') + static_cast<char>(sequence); }

pb::StreamMessagesResponse OpenedAt(int sequence) {
  pb::StreamMessagesResponse response;
  response.mutable_opened()->set_cursor(Cursor(sequence));
  response.mutable_opened()->set_stream_id("stream-" + std::to_string(sequence));
  return response;
}

pb::StreamMessagesResponse Events(std::initializer_list<int> sequences) {
  pb::StreamMessagesResponse response;
  for (int sequence : sequences) {
    pb::MessageEvent* event = response.add_events();
    event->set_cursor(Cursor(sequence));
    event->mutable_sent()->set_id("m" + std::to_string(sequence));
  }
  return response;
}

grpc::Status Draining() {
  return DaemonError(grpc::StatusCode::UNAVAILABLE, "DRAINING", "reconnect later");
}

grpc::Status NotFound() {
  return DaemonError(grpc::StatusCode::NOT_FOUND, "SESSION_NOT_FOUND", "create it");
}

// A daemon that plays one answer per opening of the stream and remembers the requests.
class StreamTest : public ::testing::Test {
 protected:
  struct Answer {
    Responses responses;
    grpc::Status end;
  };

  StreamTest() {
    daemon_.stream_messages = [this](grpc::ServerContext*, const pb::StreamMessagesRequest& request,
                                     grpc::ServerWriter<pb::StreamMessagesResponse>* writer) {
      requests_.push_back(request);
      if (requests_.size() > answers_.size()) return NotFound();
      const Answer& answer = answers_[requests_.size() - 1];
      for (const auto& response : answer.responses) writer->Write(response);
      return answer.end;
    };
    options_.min_backoff = milliseconds(1);
    options_.max_backoff = milliseconds(4);
  }

  Client MakeClient() {
    ClientOptions options;
    options.address = daemon_.address();
    return Client(options);
  }

  // The ids of all messages until the stream ends.
  std::vector<std::string> Drain(MessageStream& stream) {
    std::vector<std::string> ids;
    pb::MessageEvent event;
    while (stream.Next(&event)) ids.push_back(event.has_gap() ? "gap" : event.sent().id());
    return ids;
  }

  // One opening at a time writes these, and the test reads them when the stream is over.
  std::vector<Answer> answers_;
  std::vector<pb::StreamMessagesRequest> requests_;
  MessageStreamOptions options_;
  FakeDaemon daemon_;
};

TEST_F(StreamTest, AfterUnavailableTheLastCursorIsSentAndNothingComesTwice) {
  answers_ = {{{OpenedAt(0), Events({1, 2}), Events({3})}, Draining()},
              {{OpenedAt(3), Events({4, 5})}, NotFound()}};
  int reconnects = 0;
  options_.on_reconnect = [&](const Status& status, milliseconds) {
    EXPECT_EQ(status.reason, "DRAINING");
    ++reconnects;
  };
  Client client = MakeClient();
  pb::StreamMessagesRequest request;
  request.add_session_ids("s-1");
  request.mutable_earliest();
  const auto stream = client.StreamMessages(request, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre("m1", "m2", "m3", "m4", "m5"));
  EXPECT_EQ(stream->status().reason, "SESSION_NOT_FOUND");
  EXPECT_EQ(reconnects, 1);
  ASSERT_EQ(requests_.size(), 2u);
  EXPECT_TRUE(requests_[0].has_earliest());
  EXPECT_EQ(requests_[1].cursor(), Cursor(3));
  EXPECT_THAT(requests_[1].session_ids(), ElementsAre("s-1"));
}

TEST_F(StreamTest, TheCursorIsThatOfTheLastEventReturnedNotOfTheLastReceived) {
  answers_ = {{{OpenedAt(0), Events({1, 2})}, NotFound()}};
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  EXPECT_EQ(stream->cursor(), "");
  pb::MessageEvent event;
  ASSERT_TRUE(stream->Next(&event));
  EXPECT_EQ(stream->cursor(), Cursor(1));
  EXPECT_EQ(stream->stream_id(), "stream-0");
  ASSERT_TRUE(stream->Next(&event));
  EXPECT_EQ(stream->cursor(), Cursor(2));
}

TEST_F(StreamTest, AStreamFromNowResumesWhereItOpenedWhenNoEventHasCome) {
  answers_ = {{{OpenedAt(7)}, Draining()}, {{OpenedAt(7), Events({8})}, NotFound()}};
  Client client = MakeClient();
  pb::StreamMessagesRequest request;
  request.mutable_now();
  const auto stream = client.StreamMessages(request, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre("m8"));
  EXPECT_EQ(requests_.at(1).cursor(), Cursor(7));
}

TEST_F(StreamTest, ProgressMovesTheCursorAfterTheEventsItCameWith) {
  pb::StreamMessagesResponse both = Events({1});
  both.mutable_progress()->set_cursor(Cursor(9));
  pb::StreamMessagesResponse caught_up;
  caught_up.mutable_caught_up()->set_cursor(Cursor(8));
  answers_ = {{{OpenedAt(0), caught_up, both}, Draining()}};
  std::vector<std::string> told;
  options_.on_caught_up = [&] { told.push_back("caught up"); };
  options_.on_progress = [&](const std::string& cursor) { told.push_back(cursor); };
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  pb::MessageEvent event;
  ASSERT_TRUE(stream->Next(&event));
  EXPECT_EQ(stream->cursor(), Cursor(1));
  EXPECT_FALSE(stream->Next(&event));
  EXPECT_THAT(told, ElementsAre("caught up", Cursor(9)));
  EXPECT_EQ(requests_.at(1).cursor(), Cursor(9));
}

TEST_F(StreamTest, ALostPositionEndsTheStreamWithItsReason) {
  answers_ = {{{OpenedAt(0), Events({1})}, Draining()},
              {{}, DaemonError(grpc::StatusCode::OUT_OF_RANGE, "JOURNAL_LOST", "start anew")}};
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre("m1"));
  EXPECT_EQ(stream->status().code, Code::kOutOfRange);
  EXPECT_EQ(stream->status().reason, "JOURNAL_LOST");
  pb::MessageEvent event;
  EXPECT_FALSE(stream->Next(&event));
  EXPECT_EQ(requests_.size(), 2u);
}

TEST_F(StreamTest, WithContinueTheGapAtTheStartIsAnEvent) {
  pb::StreamMessagesResponse opened = OpenedAt(4);
  opened.mutable_gap()->set_reason(pb::GAP_REASON_JOURNAL_LOST);
  *opened.add_events() = Events({5}).events(0);
  answers_ = {{{opened}, NotFound()}};
  Client client = MakeClient();
  pb::StreamMessagesRequest request;
  request.set_cursor(Cursor(1));
  request.set_on_gap(pb::ON_GAP_CONTINUE);
  const auto stream = client.StreamMessages(request, options_);
  pb::MessageEvent event;
  ASSERT_TRUE(stream->Next(&event));
  EXPECT_EQ(event.gap().reason(), pb::GAP_REASON_JOURNAL_LOST);
  EXPECT_EQ(stream->cursor(), Cursor(4));
  EXPECT_THAT(Drain(*stream), ElementsAre("m5"));
}

TEST_F(StreamTest, AMessageThatTheDaemonFetchedAgainIsNotReturnedAgain) {
  pb::StreamMessagesResponse again;  // after a rollback: 2 and 3 under new cursors
  for (const auto& [cursor, id] : {std::pair(12, 2), {13, 3}, {14, 4}}) {
    *again.add_events() = Events({id}).events(0);
    again.mutable_events(again.events_size() - 1)->set_cursor(Cursor(cursor));
  }
  // The same message in another session is another event.
  *again.add_events() = Events({15}).events(0);
  again.mutable_events(3)->set_session_id("s-2");
  again.mutable_events(3)->mutable_sent()->set_id("m4");
  answers_ = {{{OpenedAt(0), Events({1, 2, 3})}, Draining()}, {{OpenedAt(11), again}, NotFound()}};
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre("m1", "m2", "m3", "m4", "m4"));
  EXPECT_EQ(stream->cursor(), Cursor(15));
}

TEST_F(StreamTest, OnlySoManyMessagesAreRemembered) {
  options_.remembered_messages = 2;
  answers_ = {{{OpenedAt(0), Events({1, 2, 3, 2, 1})}, NotFound()}};
  Client client = MakeClient();
  EXPECT_THAT(Drain(*client.StreamMessages({}, options_)), ElementsAre("m1", "m2", "m3", "m1"));
  options_.remembered_messages = 0;
  requests_.clear();
  EXPECT_THAT(Drain(*client.StreamMessages({}, options_)),
              ElementsAre("m1", "m2", "m3", "m2", "m1"));
}

TEST_F(StreamTest, ANamedSubscriptionIsResumedWhereTheProcessIsAndReplacesItsOwnStream) {
  answers_ = {{{OpenedAt(0), Events({1})}, Draining()}, {{OpenedAt(1), Events({2})}, NotFound()}};
  Client client = MakeClient();
  pb::StreamMessagesRequest request;
  request.mutable_subscription()->set_name("crm");
  const auto stream = client.StreamMessages(request, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre("m1", "m2"));
  EXPECT_EQ(requests_.at(0).start_case(), pb::StreamMessagesRequest::START_NOT_SET);
  EXPECT_EQ(requests_.at(0).subscription().replaces_stream_id(), "");
  EXPECT_EQ(requests_.at(1).cursor(), Cursor(1));
  EXPECT_EQ(requests_.at(1).subscription().replaces_stream_id(), "stream-0");
  EXPECT_FALSE(requests_.at(1).subscription().takeover());
}

TEST_F(StreamTest, AcknowledgeNamesWhatNextHasReturned) {
  answers_ = {{{OpenedAt(0), Events({1, 2})}, NotFound()}};
  std::vector<pb::AcknowledgeRequest> acknowledged;
  daemon_.acknowledge = [&](const pb::AcknowledgeRequest& request, pb::AcknowledgeResponse*) {
    acknowledged.push_back(request);
    return acknowledged.size() == 1 ? grpc::Status::OK
                                    : DaemonError(grpc::StatusCode::FAILED_PRECONDITION,
                                                  "STREAM_ID_STALE", "use the new one");
  };
  Client client = MakeClient();
  pb::StreamMessagesRequest request;
  request.mutable_subscription()->set_name("crm");
  const auto stream = client.StreamMessages(request, options_);
  EXPECT_TRUE(stream->Acknowledge().ok()) << "there is nothing yet";
  pb::MessageEvent event;
  ASSERT_TRUE(stream->Next(&event));
  EXPECT_TRUE(stream->Acknowledge().ok());
  EXPECT_EQ(stream->Acknowledge().reason, "STREAM_ID_STALE");
  ASSERT_EQ(acknowledged.size(), 2u);
  EXPECT_EQ(acknowledged[0].name(), "crm");
  EXPECT_EQ(acknowledged[0].stream_id(), "stream-0");
  EXPECT_EQ(acknowledged[0].cursor(), Cursor(1));
  EXPECT_EQ(client.StreamMessages({}, options_)->Acknowledge().code, Code::kInvalidArgument);
}

TEST_F(StreamTest, WithoutReconnectUnavailableIsTheEnd) {
  answers_ = {{{OpenedAt(0)}, Draining()}};
  options_.reconnect = false;
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre());
  EXPECT_EQ(stream->status().reason, "DRAINING");
}

TEST_F(StreamTest, TheDaemonsRetryDelayGoesBeforeTheOwnBackoff) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(3'000'000);
  answers_ = {
      {{OpenedAt(0)}, DaemonError(grpc::StatusCode::UNAVAILABLE, "DRAINING", "later", {&retry})}};
  options_.min_backoff = options_.max_backoff = std::chrono::hours(1);
  milliseconds pause{0};
  options_.on_reconnect = [&](const Status&, milliseconds p) { pause = p; };
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre());
  EXPECT_EQ(pause, milliseconds(3));
}

TEST_F(StreamTest, SurvivesARestartOfTheDaemon) {
  std::promise<void> first_sent;
  daemon_.stream_messages = [&](grpc::ServerContext* context,
                                const pb::StreamMessagesRequest& request,
                                grpc::ServerWriter<pb::StreamMessagesResponse>* writer) {
    requests_.push_back(request);
    writer->Write(requests_.size() == 1 ? OpenedAt(0) : OpenedAt(1));
    if (requests_.size() > 1) {
      writer->Write(Events({2}));
      return NotFound();
    }
    writer->Write(Events({1}));
    first_sent.set_value();
    return FakeDaemon::HoldOpen(context);
  };
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  pb::MessageEvent event;
  ASSERT_TRUE(stream->Next(&event));
  std::thread restart([&] {
    first_sent.get_future().wait();
    daemon_.Stop();
    daemon_.Start();
  });
  EXPECT_THAT(Drain(*stream), ElementsAre("m2"));
  restart.join();
  EXPECT_EQ(requests_.at(1).cursor(), Cursor(1));
}

TEST_F(StreamTest, CancelEndsANextThatWaits) {
  std::promise<void> open;
  daemon_.stream_messages = [&](grpc::ServerContext* context, const auto&, auto* writer) {
    writer->Write(OpenedAt(0));
    open.set_value();
    return FakeDaemon::HoldOpen(context);
  };
  Client client = MakeClient();
  const auto stream = client.StreamMessages({}, options_);
  std::thread canceller([&] {
    open.get_future().wait();
    stream->Cancel();
  });
  EXPECT_THAT(Drain(*stream), ElementsAre());
  canceller.join();
  EXPECT_EQ(stream->status().code, Code::kCancelled);
}

TEST_F(StreamTest, CancelEndsThePauseBeforeAReconnect) {
  answers_ = {{{OpenedAt(0)}, Draining()}};
  options_.min_backoff = options_.max_backoff = std::chrono::hours(1);
  Client client = MakeClient();
  std::promise<void> pausing;
  options_.on_reconnect = [&](const Status&, milliseconds) { pausing.set_value(); };
  const auto stream = client.StreamMessages({}, options_);
  std::thread canceller([&] {
    pausing.get_future().wait();
    stream->Cancel();
  });
  EXPECT_THAT(Drain(*stream), ElementsAre());
  canceller.join();
  EXPECT_EQ(stream->status().code, Code::kCancelled);
}

TEST_F(StreamTest, AStreamThatIsOpenCanBeDestroyedAndOutlivesItsClient) {
  daemon_.stream_messages = [&](grpc::ServerContext* context, const auto&, auto* writer) {
    writer->Write(Events({1}));
    return FakeDaemon::HoldOpen(context);
  };
  auto client = std::make_unique<Client>(MakeClient());
  auto stream = client->StreamMessages({}, options_);
  client = nullptr;
  pb::MessageEvent event;
  EXPECT_TRUE(stream->Next(&event));
}

TEST_F(StreamTest, NoDaemonAtTheFirstOpeningIsUnreachable) {
  daemon_.Stop();
  ClientOptions options;
  options.address = daemon_.address();
  options.connect_timeout = milliseconds(20);
  const auto stream = Client(options).StreamMessages({}, options_);
  EXPECT_THAT(Drain(*stream), ElementsAre());
  EXPECT_TRUE(stream->status().unreachable());
}

TEST_F(StreamTest, UnreadsComeAgainAfterAReconnect) {
  int openings = 0;
  daemon_.stream_unreads = [&](grpc::ServerContext*, const auto&, auto* writer) {
    if (++openings == 3) return NotFound();
    pb::StreamUnreadsResponse response;
    response.mutable_opened()->set_stream_id("u");
    writer->Write(response);
    response.Clear();
    response.mutable_session_state()->set_session_id("s-1");
    writer->Write(response);
    response.Clear();
    response.mutable_unreads()->set_session_id("s-" + std::to_string(openings));
    writer->Write(response);
    return Draining();
  };
  UnreadsStreamOptions options;
  options.min_backoff = milliseconds(1);
  int opened = 0;
  int states = 0;
  options.on_opened = [&](const pb::UnreadsOpened&) { ++opened; };
  options.on_session_state = [&](const pb::SessionStateChange&) { ++states; };
  Client client = MakeClient();
  const auto stream = client.StreamUnreads({}, options);
  std::vector<std::string> sessions;
  pb::UnreadsList list;
  while (stream->Next(&list)) sessions.push_back(list.session_id());
  EXPECT_THAT(sessions, ElementsAre("s-1", "s-2"));
  EXPECT_EQ(opened, 2);
  EXPECT_EQ(states, 2);
  EXPECT_EQ(stream->status().reason, "SESSION_NOT_FOUND");
}

TEST_F(StreamTest, AWatchReturnsSessionsOneByOneAndSaysWhenTheSnapshotIsWhole) {
  daemon_.watch_sessions = [&](grpc::ServerContext*, const auto&, auto* writer) {
    pb::WatchSessionsResponse response;
    response.add_sessions()->set_session_id("a");
    response.add_sessions()->set_session_id("b");
    response.set_snapshot_complete(true);
    writer->Write(response);
    response.Clear();
    response.add_sessions()->set_session_id("a");
    writer->Write(response);
    return NotFound();
  };
  std::vector<std::string> seen;
  SessionWatchOptions options;
  options.on_snapshot_complete = [&] { seen.push_back("complete"); };
  Client client = MakeClient();
  const auto watch = client.WatchSessions({}, options);
  pb::Session session;
  while (watch->Next(&session)) seen.push_back(session.session_id());
  EXPECT_THAT(seen, ElementsAre("a", "b", "complete", "a"));
}

}  // namespace
}  // namespace talkjsd::client
