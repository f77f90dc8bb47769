#include <gmock/gmock.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <thread>

#include "server_testing.h"

namespace talkjsd::api {
namespace {

using grpc::StatusCode;

std::vector<std::string> Numbered(int first, int count) {
  std::vector<std::string> ids;
  for (int i = first; i < first + count; ++i) ids.push_back("msg_" + std::to_string(i));
  return ids;
}

class MessageStreamTest : public ServerTest {
 protected:
  grpc::Status EndOf(const v1::StreamMessagesRequest& request) {
    return MessageReader(*events_, request).Finish();
  }
};

TEST_F(MessageStreamTest, OpensThenCatchesUpThenGoesLive) {
  Append("s", 0, 3);
  v1::StreamMessagesRequest request;
  request.mutable_earliest();
  MessageReader reader(*events_, request);
  const auto first = reader.Next();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->opened().cursor().size(), 17u);
  EXPECT_EQ(first->opened().start(), v1::STREAM_START_EARLIEST);
  EXPECT_EQ(first->opened().max_events_per_response(), 256);
  EXPECT_EQ(first->opened().progress_interval().seconds(), 10);
  EXPECT_FALSE(first->opened().stream_id().empty());
  EXPECT_EQ(reader.Ids(3), Numbered(0, 3));
  const auto caught_up = reader.Next();
  ASSERT_TRUE(caught_up.has_value());
  EXPECT_EQ(caught_up->caught_up().cursor(), reader.last_cursor);
  Append("s", 3, 1);
  EXPECT_EQ(reader.Ids(1), Numbered(3, 1));
}

TEST_F(MessageStreamTest, ResumesAfterACursorWithoutGapOrRepeat) {
  v1::StreamMessagesRequest request;
  request.mutable_earliest();
  Append("s", 0, 1000);
  MessageReader first(*events_, request);
  first.Next();
  const size_t taken = first.Ids(300).size();
  request.set_cursor(first.last_cursor);
  MessageReader second(*events_, request);
  EXPECT_EQ(second.Next()->opened().start(), v1::STREAM_START_AFTER_CURSOR);
  EXPECT_EQ(second.Ids(1000 - taken),
            Numbered(static_cast<int>(taken), static_cast<int>(1000 - taken)));
}

TEST_F(MessageStreamTest, ManyStreamsGetEveryEventOnceInOrder) {
  constexpr int kStreams = 20;
  constexpr int kEvents = 5000;
  std::vector<std::unique_ptr<MessageReader>> readers;
  for (int i = 0; i < kStreams; ++i) {
    readers.push_back(std::make_unique<MessageReader>(*events_, v1::StreamMessagesRequest()));
    ASSERT_TRUE(readers.back()->Next()->has_opened());
  }
  EXPECT_EQ(metrics_.message_streams->Value(), kStreams);
  std::thread writer([this] {
    for (int i = 0; i < kEvents; i += 10) Append("s", i, 10);
  });
  for (const auto& reader : readers) EXPECT_EQ(reader->Ids(kEvents), Numbered(0, kEvents));
  writer.join();
  EXPECT_EQ(metrics_.events_delivered->Value(), kStreams * kEvents);
}

TEST_F(MessageStreamTest, AStreamThatDoesNotReadSlowsNobody) {
  MessageReader stuck(*events_, {});
  MessageReader reader(*events_, {});
  ASSERT_TRUE(stuck.Next()->has_opened());
  ASSERT_TRUE(reader.Next()->has_opened());
  constexpr int kEvents = 20'000;
  for (int i = 0; i < kEvents; i += 100) Append("s", i, 100);
  EXPECT_EQ(reader.Ids(kEvents).size(), static_cast<size_t>(kEvents));
  EXPECT_EQ(stuck.Ids(kEvents), Numbered(0, kEvents)) << "and gets all when it wakes up";
}

TEST_F(MessageStreamTest, StartsThatCannotBeAreRefusedWithTheirReason) {
  v1::StreamMessagesRequest request;
  request.set_cursor("short");
  EXPECT_EQ(Why(EndOf(request)), Expected(StatusCode::INVALID_ARGUMENT, "CURSOR_MALFORMED"));
  request.set_cursor(journal::EncodeCursor({.epoch = 1, .sequence = 1}));
  EXPECT_EQ(Why(EndOf(request)), Expected(StatusCode::OUT_OF_RANGE, "JOURNAL_LOST"));
  request.clear_start();
  request.add_session_ids("unknown");
  EXPECT_EQ(Why(EndOf(request)), Expected(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND"));
  request.set_session_ids(0, "");
  const grpc::Status invalid = EndOf(request);
  EXPECT_EQ(Why(invalid), Expected(StatusCode::INVALID_ARGUMENT, "INVALID_FIELD"));
  EXPECT_EQ(DetailOf<google::rpc::BadRequest>(invalid).field_violations(0).field(),
            "session_ids[0]");
}

TEST_F(MessageStreamTest, ALostJournalIsAGapForThoseWhoContinue) {
  Append("s", 0, 1);
  v1::StreamMessagesRequest request;
  request.set_cursor(journal::EncodeCursor({.epoch = 1, .sequence = 1}));
  request.set_on_gap(v1::ON_GAP_CONTINUE);
  MessageReader reader(*events_, request);
  const auto first = reader.Next();
  ASSERT_TRUE(first.has_value());
  EXPECT_TRUE(first->has_opened());
  EXPECT_EQ(first->gap().reason(), v1::GAP_REASON_JOURNAL_LOST);
  EXPECT_FALSE(first->gap().has_from_cursor());
}

TEST_F(MessageStreamTest, EndsWithItsOnlySessionAfterWhatTheJournalHolds) {
  const std::string id = CreateSession("alice");
  v1::StreamMessagesRequest request;
  request.add_session_ids(id);
  MessageReader reader(*events_, request);
  ASSERT_TRUE(reader.Next()->has_opened());
  Append(id, 0, 600);
  EXPECT_TRUE(DestroySession(id).ok());
  EXPECT_EQ(reader.Ids(600), Numbered(0, 600));
  EXPECT_EQ(Why(reader.Finish()), Expected(StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED"));
  EXPECT_EQ(Why(EndOf(request)), Expected(StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED"));
}

TEST_F(MessageStreamTest, ASessionThatEndsIsAnEventOnAStreamOverAll) {
  const std::string id = CreateSession("alice");
  MessageReader reader(*events_, {});
  ASSERT_TRUE(reader.Next()->has_opened());
  EXPECT_TRUE(DestroySession(id).ok());
  while (true) {
    const auto response = reader.Next();
    ASSERT_TRUE(response.has_value());
    if (response->events_size() == 0) continue;
    EXPECT_EQ(response->events(0).session_state().state(), v1::SESSION_STATE_DESTROYED);
    EXPECT_EQ(response->events(0).session_state().session_id(), id);
    break;
  }
}

TEST_F(MessageStreamTest, StreamsBeyondAPeersShareAreRefusedAndCancelledOnesMakeRoom) {
  std::vector<std::unique_ptr<MessageReader>> readers;
  for (int i = 0; i < 64 - 64 / 5; ++i) {
    readers.push_back(std::make_unique<MessageReader>(*events_, v1::StreamMessagesRequest()));
    ASSERT_TRUE(readers.back()->Next()->has_opened());
  }
  const grpc::Status refused = EndOf({});
  EXPECT_EQ(Why(refused), Expected(StatusCode::RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
  EXPECT_EQ(DetailOf<google::rpc::ErrorInfo>(refused).metadata().at("limit"), "max_streams");
  readers.clear();
  while (metrics_.message_streams->Value() > 0) std::this_thread::yield();
  MessageReader again(*events_, {});
  EXPECT_TRUE(again.Next()->has_opened());
}

}  // namespace
}  // namespace talkjsd::api
