#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

#include "daemon/net/http_client.h"
#include "daemon/net/tls_context.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "tests/unit/net/echo_server.h"
#include "tests/unit/net/test_support.h"
#include "tests/unit/net/tls_support.h"

namespace talkjsd::net {
namespace {

namespace v1 = talkjs::sidecar::v1;

// A client, a relay that speaks TLS with a certificate for `names`, and an echo server behind it.
class TlsTest : public LoopTest {
 protected:
  TlsTest() : authority(MakeAuthority()), server(loop) {
    std::string pattern = testing::TempDir() + "/caXXXXXX";
    const int fd = mkstemp(pattern.data());
    close(fd);
    ca_file = pattern;
    WritePem(authority, ca_file);
    auto made = TlsContext::Make(ca_file);
    EXPECT_TRUE(made.ok()) << made.status();
    trust = std::move(*made);
  }
  ~TlsTest() override {
    On([this] { client.reset(); });
    relay.reset();
    unlink(ca_file.c_str());
  }

  void StartRelay(const std::string& names) {
    relay = std::make_unique<TlsRelay>(MakeServer(authority, names), server.port());
  }
  void Connect(const std::string& host, const TlsContext& context) {
    WebSocketClient::Options options;
    options.url = LoopbackUrl(relay->port(), true);
    options.url.host = host;
    options.tls = &context;
    On([&] { client = WebSocketClient::Connect(loop, options, &handler); });
  }
  void Send(const std::string& text) {
    On([&] { client->SendText(text); });
  }
  void ExpectUntrusted(const std::string& what) {
    const absl::Status why = handler.WaitClosed();
    EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE) << why;
    EXPECT_NE(MessageOf(why).find("certificate"), std::string_view::npos) << why;
    EXPECT_NE(MessageOf(why).find(what), std::string_view::npos) << why;
    EXPECT_FALSE(handler.opened);
  }

  const Identity authority;
  std::string ca_file;
  std::unique_ptr<TlsContext> trust;
  EchoServer server;
  std::unique_ptr<TlsRelay> relay;
  Recorder handler;
  std::unique_ptr<WebSocketClient> client;
};

TEST_F(TlsTest, EchoesTextOfAllSizesAndClosesCleanly) {
  StartRelay("IP:127.0.0.1");
  Connect("127.0.0.1", *trust);
  ASSERT_TRUE(handler.WaitOpen()) << handler.WaitClosed();
  std::vector<std::string> sent;
  for (const size_t size : {1, 126, 513, 20'000, 300'000}) {
    sent.emplace_back(size, static_cast<char>('a' + size % 26));
    Send(sent.back());
  }
  ASSERT_TRUE(handler.WaitTexts(sent.size())) << handler.WaitClosed();
  EXPECT_EQ(handler.texts, sent);
  On([&] { client->Close(); });
  EXPECT_TRUE(handler.WaitClosed().ok()) << *handler.closed;
}

TEST_F(TlsTest, ManySmallMessagesKeepTheirOrder) {
  StartRelay("DNS:localhost");
  Connect("localhost", *trust);
  constexpr int kCount = 2000;
  On([&] {
    for (int i = 0; i < kCount; ++i) client->SendText(std::to_string(i));
  });
  ASSERT_TRUE(handler.WaitTexts(kCount));
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(handler.texts[i], std::to_string(i));
}

TEST_F(TlsTest, LostPeerIsUnavailable) {
  StartRelay("IP:127.0.0.1");
  Connect("127.0.0.1", *trust);
  Send("abort");
  const absl::Status why = handler.WaitClosed();
  EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE) << why;
  EXPECT_TRUE(handler.opened);
}

TEST_F(TlsTest, WrongHostNameIsRefused) {
  StartRelay("DNS:other.example");
  Connect("localhost", *trust);
  ExpectUntrusted("hostname mismatch");
}

TEST_F(TlsTest, WrongAddressIsRefused) {
  StartRelay("IP:127.0.0.2,DNS:localhost");
  Connect("127.0.0.1", *trust);
  ExpectUntrusted("IP address mismatch");
}

TEST_F(TlsTest, UntrustedAuthorityIsRefused) {
  StartRelay("IP:127.0.0.1");
  auto system = TlsContext::Make("");
  ASSERT_TRUE(system.ok()) << system.status();
  Connect("127.0.0.1", **system);
  ExpectUntrusted("unable to get local issuer certificate");
}

TEST_F(TlsTest, PeerWithoutTlsIsUnavailable) {
  WebSocketClient::Options options;
  options.url = LoopbackUrl(server.port(), true);
  options.tls = trust.get();
  On([&] { client = WebSocketClient::Connect(loop, options, &handler); });
  const absl::Status why = handler.WaitClosed();
  EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE) << why;
  EXPECT_NE(MessageOf(why).find("TLS"), std::string_view::npos) << why;
}

TEST_F(TlsTest, SilentPeerEndsAtTheConnectTimeout) {
  WebSocketClient::Options options;
  uint16_t port = 0;
  const int silent = ListenOnLoopback(&port);
  options.url = LoopbackUrl(port, true);
  options.tls = trust.get();
  options.connect_timeout = std::chrono::milliseconds(100);
  On([&] { client = WebSocketClient::Connect(loop, options, &handler); });
  const absl::Status why = handler.WaitClosed();
  EXPECT_NE(MessageOf(why).find("in time"), std::string_view::npos) << why;
  close(silent);
}

TEST_F(TlsTest, DestructionInEveryPhaseIsSafe) {
  StartRelay("IP:127.0.0.1");
  for (int turns = 0; turns < 12; ++turns) {
    Connect("127.0.0.1", *trust);
    for (int i = 0; i < turns * 20; ++i) On([] {});
    On([&] { client.reset(); });
  }
}

TEST_F(TlsTest, HttpClientVerifiesCertificates) {
  StartRelay("IP:127.0.0.1");
  HttpClient trusting(ca_file);
  HttpClient other("");
  for (HttpClient* http : {&trusting, &other}) {
    Monitor monitor;
    std::optional<absl::StatusOr<HttpResponse>> result;
    HttpRequest request;
    request.url = "https://127.0.0.1:" + std::to_string(relay->port()) + "/x";
    request.headers = {"Connection: close"};
    http->Fetch(request, [&](absl::StatusOr<HttpResponse> response) {
      monitor.Update([&] { result = std::move(response); });
    });
    ASSERT_TRUE(monitor.Wait([&] { return result.has_value(); }));
    if (http == &trusting) {
      ASSERT_TRUE(result->ok()) << result->status();
      EXPECT_EQ((*result)->status, 200);
    } else {
      EXPECT_EQ(result->status().code(), absl::StatusCode::kUnavailable);
      EXPECT_NE(MessageOf(result->status()).find("certificate"), std::string_view::npos)
          << result->status();
    }
  }
}

TEST(TlsContextTest, NamesAFileThatCannotBeUsed) {
  const auto missing = TlsContext::Make("/no/such/ca.pem");
  EXPECT_EQ(missing.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(MessageOf(missing.status()).find("/no/such/ca.pem"), std::string_view::npos);
  const std::string path = testing::TempDir() + "/empty-ca.pem";
  std::ofstream(path) << "nothing";
  const auto empty = TlsContext::Make(path);
  EXPECT_NE(MessageOf(empty.status()).find("no PEM certificates"), std::string_view::npos);
  unlink(path.c_str());
}

}  // namespace
}  // namespace talkjsd::net
