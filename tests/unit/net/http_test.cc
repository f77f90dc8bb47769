#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "daemon/net/http_client.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "tests/unit/net/echo_server.h"
#include "tests/unit/net/test_support.h"

namespace talkjsd::net {
namespace {

namespace v1 = talkjs::sidecar::v1;
using std::chrono::milliseconds;

class HttpTest : public LoopTest {
 protected:
  static std::string UrlOf(uint16_t port, const std::string& target) {
    return "http://127.0.0.1:" + std::to_string(port) + target;
  }

  absl::StatusOr<HttpResponse> Fetch(HttpRequest request) {
    Monitor monitor;
    std::optional<absl::StatusOr<HttpResponse>> result;
    client.Fetch(std::move(request), [&](absl::StatusOr<HttpResponse> response) {
      monitor.Update([&] { result = std::move(response); });
    });
    if (!monitor.Wait([&] { return result.has_value(); })) return absl::UnknownError("no answer");
    return *result;
  }
  absl::StatusOr<HttpResponse> Get(uint16_t port, const std::string& target) {
    HttpRequest request;
    request.url = UrlOf(port, target);
    return Fetch(std::move(request));
  }

  HttpClient client{""};
};

TEST_F(HttpTest, SendsMethodHeadersAndBody) {
  EchoServer server(loop);
  for (const char* method : {"POST", "PUT", "PATCH", "DELETE"}) {
    HttpRequest request;
    request.method = method;
    request.url = UrlOf(server.port(), "/a?b=c");
    request.headers = {"X-Test: yes"};
    request.body = "body";
    const auto response = Fetch(request);
    ASSERT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->content_type, "application/json");
    EXPECT_EQ(response->body, std::string(method) + " /a?b=c yes body");
  }
}

TEST_F(HttpTest, LargeBodiesBothWays) {
  EchoServer server(loop);
  HttpRequest request;
  request.method = "POST";
  request.url = UrlOf(server.port(), "/large");
  request.body = std::string(1 << 20, 'b');
  request.max_response_bytes = 4 << 20;
  const auto response = Fetch(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body.size(), size_t{3} << 20);
}

TEST_F(HttpTest, AnyStatusIsAResponseAndRedirectsAreNotFollowed) {
  EchoServer server(loop);
  const auto teapot = Get(server.port(), "/teapot");
  ASSERT_TRUE(teapot.ok());
  EXPECT_EQ(teapot->status, 418);
  EXPECT_EQ(teapot->content_type, "text/plain");
  const auto redirect = Get(server.port(), "/redirect");
  ASSERT_TRUE(redirect.ok());
  EXPECT_EQ(redirect->status, 302);
  const auto empty = Get(server.port(), "/empty");
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->status, 204);
  EXPECT_EQ(empty->body, "");
}

TEST_F(HttpTest, HeadHasNoBody) {
  EchoServer server(loop);
  HttpRequest request;
  request.method = "HEAD";
  request.url = UrlOf(server.port(), "/x");
  const auto response = Fetch(request);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->status, 200);
  EXPECT_EQ(response->body, "");
}

TEST_F(HttpTest, ResponseOverTheLimitIsResourceExhausted) {
  EchoServer server(loop);
  const auto response = Get(server.port(), "/large");
  EXPECT_EQ(response.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(response.status()), v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR);
}

TEST_F(HttpTest, NoAnswerInTimeIsDeadlineExceeded) {
  EchoServer server(loop);
  HttpRequest request;
  request.url = UrlOf(server.port(), "/later");
  request.timeout = milliseconds(100);
  const auto response = Fetch(request);
  EXPECT_EQ(response.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(response.status()), v1::ERROR_REASON_UPSTREAM_TIMEOUT);
}

TEST_F(HttpTest, RefusedIsUnavailableAndTheMessageHidesThePath) {
  uint16_t port = 0;
  close(ListenOnLoopback(&port));
  const auto response = Get(port, "/path?token=hunter2");
  EXPECT_EQ(response.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(response.status()), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE);
  const std::string message(MessageOf(response.status()));
  EXPECT_NE(message.find("http://127.0.0.1:" + std::to_string(port)), std::string::npos);
  EXPECT_EQ(message.find("hunter2"), std::string::npos);
  EXPECT_EQ(message.find("/path"), std::string::npos);
}

TEST_F(HttpTest, GarbageIsUnavailable) {
  RawServer server([](int fd) {
    ReadUntil(fd, "\r\n\r\n");
    SendAll(fd, "this is not HTTP\r\n\r\n");
  });
  EXPECT_EQ(Get(server.port(), "/").status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(HttpTest, BadRequestsAreRefusedBeforeTheyLeave) {
  HttpRequest request;
  request.url = "ws://127.0.0.1/";
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.url = "file:///etc/passwd";
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kInvalidArgument);
  request.url = "http://127.0.0.1/";
  request.headers = {"A: b\r\nC: d"};
  EXPECT_EQ(Fetch(request).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(HttpTest, DestructionCancelsWhatRuns) {
  EchoServer server(loop);
  auto doomed = std::make_unique<HttpClient>("");
  Monitor monitor;
  std::optional<absl::Status> status;
  HttpRequest request;
  request.url = UrlOf(server.port(), "/later");
  doomed->Fetch(request, [&](absl::StatusOr<HttpResponse> response) {
    monitor.Update([&] { status = response.status(); });
  });
  ASSERT_TRUE(server.monitor.Wait([&] { return server.later.size() == 1; }));
  doomed.reset();
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->code(), absl::StatusCode::kCancelled);
}

TEST_F(HttpTest, ManyAtOnceAreAllAnswered) {
  EchoServer server(loop);
  Monitor monitor;
  int answered = 0;
  for (int i = 0; i < 300; ++i) {
    HttpRequest request;
    request.url = UrlOf(server.port(), "/" + std::to_string(i));
    client.Fetch(request, [&, i](absl::StatusOr<HttpResponse> response) {
      ASSERT_TRUE(response.ok()) << response.status();
      EXPECT_EQ(response->body, "GET /" + std::to_string(i) + "  ");
      monitor.Update([&] { ++answered; });
    });
  }
  EXPECT_TRUE(monitor.Wait([&] { return answered == 300; }));
}

// The server against raw bytes.

TEST_F(HttpTest, KeepsAConnectionAliveAndAnswersPipelinedRequestsInOrder) {
  EchoServer server(loop);
  RawClient raw(server.port());
  raw.Send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  const std::string both = raw.ReadUntil("GET /2");
  EXPECT_LT(both.find("GET /1"), both.find("GET /2"));
  raw.Send("OPTIONS /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(raw.ReadToEnd().find("OPTIONS /3"), std::string::npos);
}

TEST_F(HttpTest, AnswersMayComeLater) {
  EchoServer server(loop);
  RawClient raw(server.port());
  raw.Send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(server.monitor.Wait([&] { return server.later.size() == 1; }));
  On([&] {
    ServerResponse response;
    response.status = 202;
    response.body = "at last";
    server.later[0](response);
    server.later[0](response);  // a second answer is ignored
  });
  EXPECT_NE(raw.ReadUntil("at last").find("202"), std::string::npos);
}

TEST_F(HttpTest, ABrokenServerAnswersNothing) {
  EchoServer server(loop);
  char byte = 0;
  RawClient dropped(server.port());
  dropped.Send("GET /drop HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(recv(dropped.fd(), &byte, 1, 0), 0);
  RawClient reset(server.port());
  reset.Send("GET /reset HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(recv(reset.fd(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(HttpTest, AnswerAfterTheServerHasGoneIsIgnored) {
  auto server = std::make_unique<EchoServer>(loop);
  RawClient raw(server->port());
  raw.Send("GET /later HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_TRUE(server->monitor.Wait([&] { return server->later.size() == 1; }));
  server->Destroy();
  On([&] { server->later[0](ServerResponse()); });
  EXPECT_EQ(raw.ReadToEnd(), "");
}

TEST_F(HttpTest, ContinuesWhenAsked) {
  EchoServer server(loop);
  RawClient raw(server.port());
  raw.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_NE(raw.ReadUntil("\r\n\r\n").find(" 100 "), std::string::npos);
  raw.Send("ok");
  EXPECT_NE(raw.ReadUntil("ok").find(" 200 "), std::string::npos);
}

TEST_F(HttpTest, GarbageGets400AndTheConnectionEnds) {
  EchoServer server(loop);
  for (const std::string& garbage :
       {std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11),
        std::string("nonsense\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
        std::string("GET / HTTP/1.1\r\nbad header\r\n\r\n"),
        std::string("POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n")}) {
    RawClient raw(server.port());
    raw.Send(garbage);
    EXPECT_NE(raw.ReadToEnd().find(" 400 "), std::string::npos) << garbage;
  }
}

TEST_F(HttpTest, BodyAndHeaderLimitsAreEnforced) {
  HttpServer::Options options;
  options.max_body_bytes = 10;
  EchoServer server(loop, options);
  RawClient length(server.port());
  length.Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello world");
  EXPECT_NE(length.ReadToEnd().find(" 413 "), std::string::npos);
  RawClient chunked(server.port());
  chunked.Send(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello "
      "world\r\n0\r\n\r\n");
  EXPECT_NE(chunked.ReadToEnd().find(" 413 "), std::string::npos);
  RawClient header(server.port());
  header.Send("GET / HTTP/1.1\r\nX: " + std::string(40'000, 'x') + "\r\n\r\n");
  EXPECT_NE(header.ReadToEnd().find(" 431 "), std::string::npos);
}

TEST_F(HttpTest, ABodyLimitMayDependOnTheRequest) {
  HttpServer::Options options;
  options.body_limit = [](const ServerRequest& head) {
    return head.method == "POST" && head.target == "/upload" && head.body.empty() ? 11u : 10u;
  };
  options.refuse = [](int status, std::string_view reason) {
    ServerResponse response;
    response.status = status;
    response.headers = {{"X-Refused", std::string(reason)}};
    return response;
  };
  EchoServer server(loop, options);
  const auto answer = [&](const std::string& target, const std::string& body) {
    RawClient raw(server.port());
    raw.Send("POST " + target + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + body);
    return raw.ReadToEnd();
  };
  const std::string counted = "Content-Length: 11\r\n\r\nhello world";
  const std::string chunked = "Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n";
  for (const std::string& body : {counted, chunked}) {
    EXPECT_NE(answer("/upload", body).find(" 200 "), std::string::npos);
    const std::string refusal = answer("/other", body);
    EXPECT_NE(refusal.find(" 413 "), std::string::npos);
    EXPECT_NE(refusal.find("X-Refused: the body is too large"), std::string::npos);
  }
}

TEST_F(HttpTest, SlowAndIdleClientsAreClosed) {
  HttpServer::Options options;
  options.request_timeout = milliseconds(100);
  EchoServer server(loop, options);
  RawClient idle(server.port());
  RawClient slow(server.port());
  slow.Send("GET / HTTP/1.1\r\nHos");
  EXPECT_EQ(idle.ReadToEnd(), "");
  EXPECT_EQ(slow.ReadToEnd(), "");
  EXPECT_TRUE(Eventually([&] { return server.connections() == 0; }));
}

TEST_F(HttpTest, MoreThanTheLimitGet503) {
  HttpServer::Options options;
  options.max_connections = 1;
  EchoServer server(loop, options);
  RawClient first(server.port());
  first.Send("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_NE(first.ReadUntil("GET /").find(" 200 "), std::string::npos);
  RawClient second(server.port());
  EXPECT_NE(second.ReadToEnd().find(" 503 "), std::string::npos);
}

TEST_F(HttpTest, FramesBeforeTheHandshakeAreRefused) {
  EchoServer server(loop);
  RawClient raw(server.port());
  raw.Send(
      "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" +
      ClientFrame(1, "early"));
  EXPECT_NE(raw.ReadToEnd().find(" 400 "), std::string::npos);
}

TEST_F(HttpTest, OccupiedPortIsUnavailableAndNamed) {
  EchoServer server(loop);
  absl::Status status;
  HttpServer::Options options;
  options.port = server.port();
  On([&] {
    HttpServer second(loop, options, [](ServerRequest, HttpServer::Respond) {});
    status = second.Start();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(MessageOf(status).find("127.0.0.1:" + std::to_string(server.port())),
            std::string_view::npos);
}

TEST_F(HttpTest, OutOfDescriptorsTheServerWaitsAndRecovers) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "UBSan probes memory through a pipe: without descriptors it reports good objects";
#endif
  EchoServer server(loop);
  RawClient waiting(server.port());  // may be accepted already
  // Every descriptor this process may still open.
  rlimit old_limit;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old_limit), 0);
  const rlimit small{256, old_limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &small), 0);
  RawClient starved(server.port());
  std::vector<int> hoard;
  for (int fd = dup(0); fd >= 0; fd = dup(0)) hoard.push_back(fd);
  if (!hoard.empty()) {
    close(hoard.back());
    hoard.pop_back();
  }
  RawClient late(server.port());
  late.Send("GET /late HTTP/1.1\r\nHost: h\r\n\r\n");
  On([] {});
  for (const int fd : hoard) close(fd);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old_limit), 0);
  EXPECT_NE(late.ReadUntil("GET /late").find(" 200 "), std::string::npos);
}

}  // namespace
}  // namespace talkjsd::net
