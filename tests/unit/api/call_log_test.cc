// What calls leave behind: ids, counts, lines.
#include "daemon/api/call_log.h"

#include <gmock/gmock.h>

#include "server_testing.h"

namespace talkjsd::api {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;

class CallLogTest : public ServerTest {
 protected:
  // The id in the answer to GetSession.
  std::string Get(const std::string& session_id, const std::string& request_id = "") {
    grpc::ClientContext context;
    if (!request_id.empty()) context.AddMetadata(kRequestIdKey, request_id);
    v1::GetSessionRequest request;
    request.set_session_id(session_id);
    v1::GetSessionResponse response;
    status_ = sessions_->GetSession(&context, request, &response);
    const auto& metadata = context.GetServerInitialMetadata();
    const auto found = metadata.find(kRequestIdKey);
    return found == metadata.end() ? "" : std::string(found->second.data(), found->second.size());
  }
  grpc::Status status_;
};

TEST_F(CallLogTest, EveryCallHasAnId) {
  const std::string id = CreateSession("alice");
  const std::string first = Get(id);
  EXPECT_THAT(first, MatchesRegex("req_[0-9A-Za-z]{16}"));
  EXPECT_NE(Get(id), first);
  EXPECT_EQ(Get(id, "my-own:id.7"), "my-own:id.7");
  EXPECT_THAT(Get(id, "has spaces"), MatchesRegex("req_[0-9A-Za-z]{16}"));
  EXPECT_THAT(Get(id, std::string(65, 'x')), MatchesRegex("req_[0-9A-Za-z]{16}"));
}

TEST_F(CallLogTest, CallsAreCountedByMethodAndCode) {
  const std::string id = CreateSession("alice");
  Get(id);
  Get("ses_nobody");
  EXPECT_EQ(status_.error_code(), grpc::StatusCode::NOT_FOUND);
  const std::string text = metrics_.Render();
  const std::string name = "talkjsd_grpc_calls_total{code=";
  EXPECT_THAT(text, HasSubstr(name + "\"OK\",method=\"SessionService/CreateSession\"} 1"));
  EXPECT_THAT(text, HasSubstr(name + "\"OK\",method=\"SessionService/GetSession\"} 1"));
  EXPECT_THAT(text, HasSubstr(name + "\"NOT_FOUND\",method=\"SessionService/GetSession\"} 1"));
}

TEST_F(CallLogTest, AFailedCallIsLoggedWithItsId) {
  testing::internal::CaptureStderr();
  const std::string id = Get("ses_nobody");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("call failed method=SessionService/GetSession code=NOT_FOUND"));
  EXPECT_THAT(said, HasSubstr("request=" + id));
}

TEST_F(CallLogTest, LinesOfACallNameItAndItsSession) {
  const std::string id = CreateSession("alice");
  testing::internal::CaptureStderr();
  grpc::ClientContext context;
  context.AddMetadata(kRequestIdKey, "mine");
  v1::DestroySessionRequest request;
  request.set_session_id(id);
  v1::DestroySessionResponse response;
  EXPECT_TRUE(sessions_->DestroySession(&context, request, &response).ok());
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("session destroyed session=" + id + " request=mine"));
}

TEST_F(CallLogTest, AStreamIsBehindUntilItsClientHasTakenEverything) {
  const std::string id = CreateSession("alice");
  grpc::ClientContext context;
  v1::StreamMessagesRequest request;
  request.add_session_ids(id);
  const auto reader = events_->StreamMessages(&context, request);
  v1::StreamMessagesResponse response;
  ASSERT_TRUE(reader->Read(&response));
  ASSERT_TRUE(response.has_opened());
  const std::string stream_id = response.opened().stream_id();
  // More than gRPC takes for a client that does not read.
  for (int i = 0; i < 100; ++i) Append(id, i * 100, 100, 1000);
  const auto look = [&] {
    for (const StreamInfo& stream : server_->Streams()) {
      if (stream.stream_id == stream_id) return stream;
    }
    return StreamInfo();
  };
  const MonoTime deadline = SystemClock().Now() + std::chrono::seconds(10);
  while (look().lag_events == 0 && SystemClock().Now() < deadline) {
  }
  const StreamInfo behind = look();
  EXPECT_EQ(behind.kind, "messages");
  EXPECT_EQ(behind.session_id, id);
  EXPECT_GT(behind.lag_events, 0u);
  EXPECT_GT(behind.behind_seconds, 0);
  size_t got = 0;
  while (got < 10'000 && reader->Read(&response)) got += response.events_size();
  EXPECT_EQ(got, 10'000u);
  while (look().behind_seconds > 0 && SystemClock().Now() < deadline) {
  }
  EXPECT_EQ(look().lag_events, 0u);
  EXPECT_EQ(look().events_written, 10'000u);
  context.TryCancel();
}

}  // namespace
}  // namespace talkjsd::api
