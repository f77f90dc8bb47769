#include "talkjsd/token_provider.h"

#include <gtest/gtest.h>

#include <future>

#include "fake_daemon.h"
#include "talkjsd/client.h"

namespace talkjsd::client {
namespace {

using Stream = grpc::ServerReaderWriter<pb::ProvideTokensResponse, pb::ProvideTokensRequest>;

ClientOptions OptionsFor(const FakeDaemon& daemon) {
  ClientOptions options;
  options.address = daemon.address();
  return options;
}

// The daemon's side: greets the provider, which has named itself.
bool Greet(Stream* stream) {
  pb::ProvideTokensRequest first;
  if (!stream->Read(&first) || first.registration().provider_name() != "backend") return false;
  pb::ProvideTokensResponse response;
  response.mutable_registered();
  return stream->Write(response);
}

pb::ProvideTokensResponse QueryFor(const std::string& id, const std::string& user) {
  pb::ProvideTokensResponse response;
  response.add_queries()->set_query_id(id);
  response.mutable_queries(0)->set_user_id(user);
  return response;
}

pb::TokenRegistration Registration() {
  pb::TokenRegistration registration;
  registration.set_provider_name("backend");
  return registration;
}

TEST(TokenProviderTest, AnswersQueriesAndHearsOfRejections) {
  FakeDaemon daemon;
  std::vector<pb::TokenAnswer> answers;
  daemon.provide_tokens = [&](auto*, Stream* stream) {
    if (!Greet(stream)) return grpc::Status(grpc::StatusCode::INTERNAL, "not greeted");
    for (const char* user : {"alice", "nobody"}) {
      stream->Write(QueryFor(std::string("q-") + user, user));
      pb::ProvideTokensRequest request;
      stream->Read(&request);
      answers.push_back(request.answer());
    }
    pb::ProvideTokensResponse late = QueryFor("q-late", "late");
    late.mutable_queries(0)->mutable_deadline_time()->set_seconds(1);
    late.add_rejections()->set_query_id("q-alice");
    stream->Write(late);
    return DaemonError(grpc::StatusCode::FAILED_PRECONDITION, "SESSION_DESTROYED", "it is over");
  };
  Client client(OptionsFor(daemon));
  int registered = 0;
  std::vector<std::string> rejected;
  std::vector<std::string> asked;
  TokenProviderOptions options;
  options.on_registered = [&] { ++registered; };
  options.on_rejected = [&](const auto& rejection) { rejected.push_back(rejection.query_id()); };
  const auto provider = client.ProvideTokens(Registration(), options);
  const Status status = provider->Run([&](const pb::TokenQuery& query) {
    asked.push_back(query.user_id());
    return query.user_id() == "alice" ? TokenReply::Token("the token")
                                      : TokenReply::Failure("unknown user");
  });
  EXPECT_EQ(status.reason, "SESSION_DESTROYED");
  EXPECT_EQ(registered, 1);
  EXPECT_EQ(rejected, std::vector<std::string>{"q-alice"});
  EXPECT_EQ(asked, (std::vector<std::string>{"alice", "nobody"})) << "not for who came too late";
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].query_id(), "q-alice");
  EXPECT_EQ(answers[0].token(), "the token");
  EXPECT_EQ(answers[1].failure(), "unknown user");
}

TEST(TokenProviderTest, RegistersAgainAfterARestartUntilItIsCancelled) {
  FakeDaemon daemon;
  std::promise<void> again;
  int times = 0;
  daemon.provide_tokens = [&](grpc::ServerContext* context, Stream* stream) {
    if (!Greet(stream)) return grpc::Status(grpc::StatusCode::INTERNAL, "not greeted");
    if (++times == 1) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
    again.set_value();
    return FakeDaemon::HoldOpen(context);
  };
  Client client(OptionsFor(daemon));
  const auto provider = client.ProvideTokens(Registration());
  auto done = std::async(std::launch::async, [&] {
    return provider->Run([](const auto&) { return TokenReply::Failure("no"); });
  });
  again.get_future().get();
  provider->Cancel();
  EXPECT_EQ(done.get().code, Code::kCancelled);
}

}  // namespace
}  // namespace talkjsd::client
