#include "daemon/net/proxy.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

#include "daemon/net/http_client.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "tests/unit/net/echo_server.h"
#include "tests/unit/net/test_support.h"

namespace talkjsd::net {
namespace {

namespace v1 = talkjs::sidecar::v1;

ProxyRules Rules(const std::string& proxy, const std::string& credentials = "",
                 std::vector<std::string> no_proxy = {}) {
  auto rules = ProxyRules::Make(proxy, Secret(credentials), std::move(no_proxy));
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

TEST(ProxyRulesTest, WhatIsLoopbackOrListedIsReachedDirectly) {
  const ProxyRules rules =
      Rules("http://[::2]:3128", "",
            {"a.example", ".B.example", "10.0.0.0/8", "192.168.1.1", "fd00::/16", "x/9"});
  for (const char* host :
       {"localhost", "x.localhost", "127.9.9.9", "::1", "a.example", "A.EXAMPLE.", "w.a.example",
        "b.example", "w.b.example", "10.255.0.1", "192.168.1.1", "fd00::1"}) {
    EXPECT_EQ(rules.For(host), nullptr) << host;
  }
  for (const char* host : {"aa.example", "example", "a.example.org", "11.0.0.1", "192.168.1.2",
                           "fd01::1", "x", "10.example"}) {
    ASSERT_NE(rules.For(host), nullptr) << host;
    EXPECT_EQ(rules.For(host)->Name(), "[::2]:3128");
  }
  EXPECT_EQ(Rules("http://p:1", "", {"*"}).For("x"), nullptr);
  EXPECT_EQ(Rules("direct").For("x"), nullptr);
  EXPECT_EQ(Rules("").For("x"), nullptr);
  for (const char* bad : {"p:1", "https://p:1", "http://u:p@p:1", "http://p:1/x"}) {
    EXPECT_FALSE(ProxyRules::Make(bad, {}, {}).ok()) << bad;
  }
}

// A proxy that notes the request, and answers CONNECT with `answer`; "200 ...": passes bytes to and
// from the target, whatever host was asked for.
class FakeProxy {
 public:
  FakeProxy(std::string answer, uint16_t target)
      : server_([this, answer, target](int fd) { Serve(fd, answer, target); }) {}
  std::string Url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }
  std::string request() const { return request_; }

 private:
  void Serve(int fd, const std::string& answer, uint16_t target) {
    request_ = ReadUntil(fd, "\r\n\r\n");
    SendAll(fd, "HTTP/1.1 " + answer + "\r\nProxy-Agent: fake\r\n\r\n");
    if (!answer.starts_with("200")) return;
    RawClient behind(target);
    std::thread back([&] {
      char bytes[4096];
      for (ssize_t n = 0; (n = ::read(behind.fd(), bytes, sizeof(bytes))) > 0;) {
        SendAll(fd, std::string_view(bytes, static_cast<size_t>(n)));
      }
      ::shutdown(fd, SHUT_RDWR);
    });
    char bytes[4096];
    for (ssize_t n = 0; (n = ::read(fd, bytes, sizeof(bytes))) > 0;) {
      SendAll(behind.fd(), std::string_view(bytes, static_cast<size_t>(n)));
    }
    ::shutdown(behind.fd(), SHUT_RDWR);
    back.join();
  }

  std::string request_;
  RawServer server_;
};

class ProxyTest : public LoopTest {
 protected:
  ProxyTest() : server(loop) {}
  ~ProxyTest() override {
    On([this] { client.reset(); });
  }
  // To a host that only the proxy knows.
  void Connect(const ProxyRules& rules) {
    WebSocketClient::Options options;
    options.url = LoopbackUrl(server.port());
    options.url.host = "chat.invalid";
    options.proxy = rules.For(options.url.host);
    options.user_agent = "test";
    On([&] { client = WebSocketClient::Connect(loop, options, &handler); });
  }
  absl::StatusOr<HttpResponse> Get(const ProxyRules& rules) {
    HttpClient http("", rules);
    Monitor monitor;
    std::optional<absl::StatusOr<HttpResponse>> result;
    HttpRequest request;
    request.url = "http://chat.invalid:" + std::to_string(server.port()) + "/x";
    request.headers = {"Connection: close"};
    http.Fetch(request, [&](absl::StatusOr<HttpResponse> response) {
      monitor.Update([&] { result = std::move(response); });
    });
    if (!monitor.Wait([&] { return result.has_value(); })) return absl::UnknownError("no answer");
    return *result;
  }

  EchoServer server;
  Recorder handler;
  std::unique_ptr<WebSocketClient> client;
};

TEST_F(ProxyTest, AWebSocketGoesThroughATunnel) {
  FakeProxy proxy("200 OK", server.port());
  const ProxyRules rules = Rules(proxy.Url(), "user:pass:word");
  Connect(rules);
  ASSERT_TRUE(handler.WaitOpen()) << handler.WaitClosed();
  On([&] { client->SendText(std::string(100'000, 'x')); });
  ASSERT_TRUE(handler.WaitTexts(1));
  On([&] { client->Close(); });
  EXPECT_TRUE(handler.WaitClosed().ok()) << *handler.closed;
  const std::string host = "chat.invalid:" + std::to_string(server.port());
  EXPECT_EQ(proxy.request(), "CONNECT " + host + " HTTP/1.1\r\nHost: " + host +
                                 "\r\nUser-Agent: test\r\nProxy-Authorization: Basic "
                                 "dXNlcjpwYXNzOndvcmQ=\r\n\r\n");
}

TEST_F(ProxyTest, AnHttpRequestGoesThroughATunnelToo) {
  FakeProxy proxy("200 OK", server.port());
  const auto response = Get(Rules(proxy.Url(), "user:pass:word"));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_TRUE(proxy.request().starts_with("CONNECT chat.invalid:")) << proxy.request();
  EXPECT_NE(proxy.request().find("Proxy-Authorization: Basic dXNlcjpwYXNzOndvcmQ=\r\n"),
            std::string::npos);
}

TEST_F(ProxyTest, ARefusalOfTheProxyIsNamed) {
  struct {
    const char* answer;
    const char* credentials;
    const char* error;
  } const kCases[] = {
      {"407 Authenticate", "", "wants credentials (407)"},
      {"407 Authenticate", "user:canary", "refused its credentials (407)"},
      {"502 Bad Gateway", "user:canary", "answered HTTP status 502"},
      {"403 Forbidden", "", "answered HTTP status 403"},
  };
  for (const auto& test : kCases) {
    FakeProxy first(test.answer, 0);
    const ProxyRules rules = Rules(first.Url(), test.credentials);
    handler.closed.reset();
    Connect(rules);
    const absl::Status closed = handler.WaitClosed();
    FakeProxy second(test.answer, 0);
    const absl::Status failed = Get(Rules(second.Url(), test.credentials)).status();
    for (const absl::Status& why : {closed, failed}) {
      EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE) << why;
      EXPECT_NE(MessageOf(why).find(test.error), std::string_view::npos) << why;
      EXPECT_NE(MessageOf(why).find("the proxy 127.0.0.1:"), std::string_view::npos) << why;
      EXPECT_EQ(MessageOf(why).find("canary"), std::string_view::npos) << why;
    }
  }
}

TEST_F(ProxyTest, AProxyThatIsNotThereOrNoProxyIsNamed) {
  uint16_t port = 0;
  ::close(ListenOnLoopback(&port));
  const ProxyRules gone = Rules("http://127.0.0.1:" + std::to_string(port));
  Connect(gone);
  const absl::Status closed = handler.WaitClosed();
  for (const absl::Status& why : {closed, Get(gone).status()}) {
    EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE) << why;
    EXPECT_NE(MessageOf(why).find("the proxy 127.0.0.1:"), std::string_view::npos) << why;
    EXPECT_NE(MessageOf(why).find("is not reached"), std::string_view::npos) << why;
  }
  for (const std::string_view garbage : {"SSH-2.0-x\r\n\r\n", "", "HTTP/1.1 200 OK\r\n\r\nhello"}) {
    RawServer server([&](int fd) {
      ReadUntil(fd, "\r\n\r\n");
      SendAll(fd, garbage);
    });
    const ProxyRules rules = Rules("http://127.0.0.1:" + std::to_string(server.port()));
    handler.closed.reset();
    Connect(rules);
    const absl::Status why = handler.WaitClosed();
    EXPECT_NE(MessageOf(why).find("the proxy 127.0.0.1:"), std::string_view::npos) << why;
  }
}

}  // namespace
}  // namespace talkjsd::net
