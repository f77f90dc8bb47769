#include "talkjsd/client.h"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "fake_daemon.h"

namespace talkjsd::client {
namespace {

using std::chrono::milliseconds;

ClientOptions At(const std::string& address) {
  ClientOptions options;
  options.address = address;
  return options;
}

Status GetSession(Client& client) {
  v1::GetSessionResponse response;
  return client.GetSession({}, &response);
}

TEST(ClientTest, ReturnsTheAnswer) {
  FakeDaemon daemon;
  daemon.get_info = [](const auto&, auto* response) {
    response->set_version("9.9");
    return grpc::Status::OK;
  };
  Client client(At(daemon.path()));
  v1::GetInfoResponse info;
  const Status status = client.GetInfo({}, &info);
  EXPECT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(info.version(), "9.9");
  EXPECT_EQ(client.address(), daemon.address());
}

TEST(ClientTest, TheDetailsOfAnErrorBecomeReasonMetadataFieldsAndDelay) {
  FakeDaemon daemon;
  daemon.get_session = [](const auto&, auto*) {
    google::rpc::BadRequest bad_request;
    auto* violation = bad_request.add_field_violations();
    violation->set_field("session_id");
    violation->set_description("is required");
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(2);
    retry.mutable_retry_delay()->set_nanos(500'000'000);
    return DaemonError(grpc::StatusCode::INVALID_ARGUMENT, "INVALID_FIELD", "correct the fields",
                       {&bad_request, &retry});
  };
  Client client(At(daemon.address()));
  const Status status = GetSession(client);
  EXPECT_EQ(status.code, Code::kInvalidArgument);
  EXPECT_EQ(status.reason, "INVALID_FIELD");
  EXPECT_EQ(status.message, "correct the fields");
  EXPECT_EQ(status.metadata.at("session_id"), "s-1");
  ASSERT_EQ(status.field_violations.size(), 1u);
  EXPECT_EQ(status.field_violations[0].field, "session_id");
  EXPECT_EQ(status.field_violations[0].description, "is required");
  EXPECT_EQ(status.retry_delay, milliseconds(2500));
  EXPECT_FALSE(status.unreachable());
  EXPECT_EQ(status.ToString(), "INVALID_ARGUMENT (INVALID_FIELD): correct the fields");
}

TEST(ClientTest, AReasonOfAnotherDomainIsNoReason) {
  FakeDaemon daemon;
  daemon.get_session = [](const auto&, auto*) {
    return DaemonError(grpc::StatusCode::NOT_FOUND, "OTHER", "not here", {}, "example.org");
  };
  Client client(At(daemon.address()));
  const Status status = GetSession(client);
  EXPECT_EQ(status.code, Code::kNotFound);
  EXPECT_EQ(status.reason, "");
}

TEST(ClientTest, DetailsThatAreGarbageLeaveTheCodeAndMessage) {
  FakeDaemon daemon;
  daemon.get_session = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::INTERNAL, "words", "\xff\xff\xff");
  };
  Client client(At(daemon.address()));
  EXPECT_EQ(GetSession(client).ToString(), "INTERNAL: words");
}

TEST(ClientTest, AMissingSocketIsUnreachableAndTheMessageNamesIt) {
  const TempDir dir;
  ClientOptions options = At(dir.File("none.sock"));
  options.connect_timeout = milliseconds(20);
  Client client(options);
  const Status status = GetSession(client);
  EXPECT_TRUE(status.unreachable());
  EXPECT_NE(status.message.find(dir.File("none.sock")), std::string::npos) << status.message;
  EXPECT_NE(status.message.find("no such socket"), std::string::npos) << status.message;
}

TEST(ClientTest, UnavailableWithAReasonIsNotUnreachable) {
  FakeDaemon daemon;
  daemon.get_session = [](const auto&, auto*) {
    return DaemonError(grpc::StatusCode::UNAVAILABLE, "UPSTREAM_UNAVAILABLE", "later");
  };
  Client client(At(daemon.address()));
  EXPECT_FALSE(GetSession(client).unreachable());
}

TEST(ClientTest, ACallThatTakesTooLongIsDeadlineExceeded) {
  FakeDaemon daemon;
  std::promise<void> over;
  daemon.get_session = [&](const auto&, auto*) {
    over.get_future().wait();
    return grpc::Status::OK;
  };
  ClientOptions options = At(daemon.address());
  options.call_timeout = milliseconds(20);
  Client client(options);
  EXPECT_EQ(GetSession(client).code, Code::kDeadlineExceeded);
  over.set_value();
}

TEST(ClientTest, ACallWaitsForADaemonThatIsJustStarting) {
  FakeDaemon daemon;
  daemon.Stop();
  daemon.get_session = [](const auto&, auto*) { return grpc::Status::OK; };
  Client client(At(daemon.address()));
  Status status;
  std::thread caller([&] { status = GetSession(client); });
  daemon.Start();
  caller.join();
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST(CodeNameTest, NamesWhatItKnowsAndNothingElse) {
  EXPECT_EQ(CodeName(Code::kOk), "OK");
  EXPECT_EQ(CodeName(Code::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(CodeName(static_cast<Code>(99)), "UNKNOWN");
  EXPECT_EQ(CodeName(static_cast<Code>(-1)), "UNKNOWN");
}

}  // namespace
}  // namespace talkjsd::client
