// Options of a connection that make no sense are said at once, and a bearer token goes only where
// it may.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "fake_daemon.h"
#include "talkjsd/client.h"

namespace talkjsd::client {
namespace {

Status GetInfo(const ClientOptions& options) {
  Client client(options);
  v1::GetInfoResponse response;
  return client.GetInfo({}, &response);
}

TEST(SecurityTest, SaysWhatDoesNotGoTogether) {
  struct Case {
    ClientOptions options;
    const char* says;
  };
  std::vector<Case> cases(5);
  cases[0].options.address = "unix:///run/x.sock";
  cases[0].options.tls = true;
  cases[0].says = "for TCP";
  cases[1].options.address = "10.1.2.3:4";
  cases[1].options.bearer_token_file = "/run/token";
  cases[1].says = "without TLS";
  cases[2].options.address = "10.1.2.3:4";
  cases[2].options.ca_file = "/no/such/file";
  cases[2].says = "/no/such/file";
  cases[3].options.address = "10.1.2.3:4";
  cases[3].options.cert_file = "/etc/hostname";
  cases[3].says = "both";
  cases[4].options.address = "10.1.2.3:4";
  cases[4].options.key_file = "/etc/hostname";
  cases[4].says = "both";
  for (const Case& test : cases) {
    const Status status = GetInfo(test.options);
    EXPECT_EQ(status.code, Code::kInvalidArgument) << test.says;
    EXPECT_NE(status.message.find(test.says), std::string::npos) << status.message;
    EXPECT_FALSE(status.unreachable());
  }
}

// A daemon on loopback that keeps the authorization of the latest call.
class BearerTest : public ::testing::Test {
 protected:
  class Service final : public pb::DaemonService::Service {
   public:
    grpc::Status GetInfo(grpc::ServerContext* context, const pb::GetInfoRequest*,
                         pb::GetInfoResponse*) override {
      const auto found = context->client_metadata().find("authorization");
      seen = found == context->client_metadata().end()
                 ? ""
                 : std::string(found->second.data(), found->second.size());
      return grpc::Status::OK;
    }
    std::string seen;
  };

  BearerTest() {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    options_.address = "127.0.0.1:" + std::to_string(port);
    options_.bearer_token_file = dir_.File("token");
  }
  void Write(const std::string& token) { std::ofstream(options_.bearer_token_file) << token; }

  TempDir dir_;
  ClientOptions options_;
  Service service_;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(BearerTest, IsReadForEachCallAndSentWithoutSpaceAroundIt) {
  Client client(options_);
  v1::GetInfoResponse response;
  Write("first-token\n");
  ASSERT_TRUE(client.GetInfo({}, &response).ok());
  EXPECT_EQ(service_.seen, "Bearer first-token");
  Write(" second-token \n");
  ASSERT_TRUE(client.GetInfo({}, &response).ok());
  EXPECT_EQ(service_.seen, "Bearer second-token");
}

TEST_F(BearerTest, WithoutAFileNothingIsSent) {
  ASSERT_TRUE(GetInfo(options_).ok());
  EXPECT_EQ(service_.seen, "");
}

}  // namespace
}  // namespace talkjsd::client
