#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "daemon/net/websocket_client.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "tests/unit/net/echo_server.h"
#include "tests/unit/net/test_support.h"

namespace talkjsd::net {
namespace {

namespace v1 = talkjs::sidecar::v1;
using std::chrono::milliseconds;
using std::chrono::seconds;

class WebSocketTest : public LoopTest {
 protected:
  ~WebSocketTest() override {
    On([this] { client.reset(); });
  }

  WebSocketClient::Options OptionsFor(uint16_t port) {
    WebSocketClient::Options options;
    options.url = LoopbackUrl(port);
    options.user_agent = "talkjsd-test";
    return options;
  }
  void Connect(WebSocketClient::Options options) {
    On([&] { client = WebSocketClient::Connect(loop, options, &handler); });
  }
  void Connect(uint16_t port) { Connect(OptionsFor(port)); }
  void Send(const std::string& text) {
    On([&] { client->SendText(text); });
  }
  void ExpectBroken(uint16_t port) {
    const absl::Status why = handler.WaitClosed();
    EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable) << why;
    EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR) << why;
    ExpectNamesPeer(why, port);
  }
  void ExpectUnavailable(uint16_t port) {
    const absl::Status why = handler.WaitClosed();
    EXPECT_EQ(why.code(), absl::StatusCode::kUnavailable) << why;
    EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE) << why;
    ExpectNamesPeer(why, port);
  }
  void ExpectNamesPeer(const absl::Status& why, uint16_t port) {
    EXPECT_NE(MessageOf(why).find("ws://127.0.0.1:" + std::to_string(port)), std::string_view::npos)
        << why;
  }

  Recorder handler;
  std::unique_ptr<WebSocketClient> client;
};

TEST_F(WebSocketTest, EchoesTextOfAllSizes) {
  EchoServer server(loop);
  Connect(server.port());
  ASSERT_TRUE(handler.WaitOpen());
  std::vector<std::string> sent;
  for (const size_t size : {0, 1, 125, 126, 511, 512, 513, 5000, 65535, 65536, 300'000}) {
    sent.emplace_back(size, static_cast<char>('a' + size % 26));
    Send(sent.back());
  }
  ASSERT_TRUE(handler.WaitTexts(sent.size()));
  EXPECT_EQ(handler.texts, sent);
  size_t queued = 1;
  On([&] { queued = client->QueuedBytes(); });
  EXPECT_EQ(queued, 0u);
}

TEST_F(WebSocketTest, ManySmallMessagesKeepTheirOrderBothWays) {
  EchoServer server(loop);
  Connect(server.port());
  constexpr int kCount = 5000;
  On([&] {
    for (int i = 0; i < kCount; ++i) client->SendText(std::to_string(i));
  });
  ASSERT_TRUE(handler.WaitTexts(kCount));
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(handler.texts[i], std::to_string(i));
}

TEST_F(WebSocketTest, MessagesSentBeforeTheConnectionIsOpenLeaveThen) {
  EchoServer server(loop);
  On([&] {
    client = WebSocketClient::Connect(loop, OptionsFor(server.port()), &handler);
    client->SendText("early");
    EXPECT_EQ(client->QueuedBytes(), 5u);
  });
  ASSERT_TRUE(handler.WaitTexts(1));
  EXPECT_EQ(handler.texts[0], "early");
}

TEST_F(WebSocketTest, FramesOfOneTurnLeaveTogether) {
  // Three masked frames of 6 + 1 bytes: what one read of the peer sees is what one write sent.
  Monitor monitor;
  ssize_t first_read = 0;
  RawServer server([&](int fd) {
    AnswerHandshake(fd);
    char buffer[256];
    const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    monitor.Update([&] { first_read = got; });
  });
  Connect(server.port());
  ASSERT_TRUE(handler.WaitOpen());
  On([&] {
    for (int i = 0; i < 3; ++i) client->SendText("x");
  });
  ASSERT_TRUE(monitor.Wait([&] { return first_read != 0; }));
  EXPECT_EQ(first_read, 3 * 7);
}

TEST_F(WebSocketTest, HandlerMaySendFromItsCallbacks) {
  EchoServer server(loop);
  handler.on_open = [&] { client->SendText("0"); };
  handler.on_text = [&](std::string_view text) {
    const int next = std::stoi(std::string(text)) + 1;
    if (next < 50) client->SendText(std::to_string(next));
  };
  Connect(server.port());
  ASSERT_TRUE(handler.WaitTexts(50));
  EXPECT_EQ(handler.texts.back(), "49");
}

TEST_F(WebSocketTest, CloseSendsWhatIsQueuedAndReportsOk) {
  EchoServer server(loop);
  Connect(server.port());
  ASSERT_TRUE(handler.WaitOpen());
  On([&] {
    client->SendText("a");
    client->SendText("b");
    client->Close();
    client->SendText("too late");
    client->Close();
  });
  EXPECT_TRUE(handler.WaitClosed().ok()) << *handler.closed;
  EXPECT_TRUE(server.monitor.Wait([&] { return server.closed == 1; }));
  EXPECT_EQ(handler.closed_calls, 1);
}

TEST_F(WebSocketTest, CloseGivesUpOnAPeerThatDoesNotAnswer) {
  Monitor monitor;
  bool done = false;
  RawServer server([&](int fd) {
    AnswerHandshake(fd);
    monitor.Wait([&] { return done; });
  });
  Connect(server.port());
  ASSERT_TRUE(handler.WaitOpen());
  const MonoTime start = SystemClock().Now();
  On([&] { client->Close(); });
  EXPECT_TRUE(handler.WaitClosed().ok()) << *handler.closed;
  EXPECT_GE(SystemClock().Now() - start, milliseconds(1900));
  monitor.Update([&] { done = true; });
}

TEST_F(WebSocketTest, CloseWhileConnectingEndsAtOnce) {
  uint16_t port = 0;
  const int silent = ListenOnLoopback(&port);
  Connect(port);
  On([&] { client->Close(); });
  EXPECT_TRUE(handler.WaitClosed().ok()) << *handler.closed;
  EXPECT_FALSE(handler.opened);
  close(silent);
}

TEST_F(WebSocketTest, PeersCloseCodeIsReported) {
  EchoServer server(loop);
  Connect(server.port());
  Send("close");
  const absl::Status why = handler.WaitClosed();
  EXPECT_EQ(handler.texts, std::vector<std::string>{"last words"});
  EXPECT_NE(MessageOf(why).find("4321"), std::string_view::npos) << why;
  EXPECT_NE(MessageOf(why).find("as asked"), std::string_view::npos) << why;
  EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE);
}

TEST_F(WebSocketTest, AbruptLossIsReportedOnce) {
  EchoServer server(loop);
  Connect(server.port());
  Send("abort");
  ExpectUnavailable(server.port());
  EXPECT_EQ(handler.closed_calls, 1);
}

TEST_F(WebSocketTest, AResetIsALostConnection) {
  EchoServer server(loop);
  Connect(server.port());
  Send("reset");
  ExpectUnavailable(server.port());
  EXPECT_EQ(handler.closed_calls, 1);
}

TEST_F(WebSocketTest, ATornFrameIsALostConnectionAndNoMessage) {
  EchoServer server(loop);
  Connect(server.port());
  Send("tear 1000");
  ExpectUnavailable(server.port());
  EXPECT_EQ(handler.texts, std::vector<std::string>{"whole"});
}

TEST_F(WebSocketTest, OfATornFrameTheFirstHalfIsSent) {
  EchoServer server(loop);
  const std::pair<size_t, std::string> heads[] = {
      {10, std::string("\x81\x0a", 2)},
      {300, std::string("\x81\x7e\x01\x2c", 4)},
      {70000, std::string("\x81\x7f\0\0\0\0\0\x01\x11\x70", 10)}};
  for (const auto& [size, head] : heads) {
    RawClient raw(server.port());
    raw.Send(
        "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
    raw.ReadUntil("\r\n\r\n");
    raw.Send(ClientFrame(1, "tear " + std::to_string(size)));
    EXPECT_EQ(raw.ReadToEnd(), "\x81\x05whole" + head + std::string(size / 2, 't'));
  }
}

TEST_F(WebSocketTest, RefusedConnectionIsUnavailable) {
  uint16_t port = 0;
  close(ListenOnLoopback(&port));
  Connect(port);
  ExpectUnavailable(port);
  EXPECT_FALSE(handler.opened);
}

TEST_F(WebSocketTest, UnknownNameIsUnavailable) {
  WebSocketClient::Options options = OptionsFor(1);
  options.url.host = "no-such-host.invalid";
  Connect(options);
  const absl::Status why = handler.WaitClosed();
  EXPECT_EQ(ReasonOf(why), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE) << why;
}

TEST_F(WebSocketTest, ConnectsByNameWhereOneOfItsAddressesRefuses) {
  EchoServer server(loop);  // on 127.0.0.1 only; "localhost" may be ::1 first
  WebSocketClient::Options options = OptionsFor(server.port());
  options.url.host = "localhost";
  Connect(options);
  EXPECT_TRUE(handler.WaitOpen());
}

TEST_F(WebSocketTest, OrdinaryHttpAnswerIsAProtocolError) {
  EchoServer server(loop);
  WebSocketClient::Options options = OptionsFor(server.port());
  options.url.target = "/no-upgrade";
  Connect(options);
  ExpectBroken(server.port());
  EXPECT_NE(MessageOf(*handler.closed).find("200"), std::string_view::npos) << *handler.closed;
}

TEST_F(WebSocketTest, GarbageInsteadOfHttpIsAProtocolError) {
  RawServer server([](int fd) {
    ReadUntil(fd, "\r\n\r\n");
    SendAll(fd, "220 mail.example ESMTP\r\n\r\n");
  });
  Connect(server.port());
  ExpectBroken(server.port());
}

TEST_F(WebSocketTest, BinaryMessageIsAProtocolError) {
  RawServer server([](int fd) {
    AnswerHandshake(fd);
    SendAll(fd, std::string_view("\x82\x03"
                                 "abc",
                                 5));
    ReadUntil(fd, "never");
  });
  Connect(server.port());
  ExpectBroken(server.port());
  EXPECT_TRUE(handler.texts.empty());
}

TEST_F(WebSocketTest, InvalidUtf8AndReservedBitsAreProtocolErrors) {
  for (const std::string& frame : {std::string("\x81\x02\xff\xfe"), std::string("\xf1\x01"
                                                                                "a")}) {
    RawServer server([&](int fd) {
      AnswerHandshake(fd);
      SendAll(fd, frame);
      ReadUntil(fd, "never");
    });
    On([&] { client.reset(); });
    handler.closed.reset();
    Connect(server.port());
    ExpectBroken(server.port());
  }
}

TEST_F(WebSocketTest, OversizedMessageIsAProtocolError) {
  EchoServer server(loop);
  WebSocketClient::Options options = OptionsFor(server.port());
  options.max_message_bytes = 1000;
  Connect(options);
  Send(std::string(1000, 'x'));
  ASSERT_TRUE(handler.WaitTexts(1));
  Send(std::string(1001, 'x'));
  ExpectBroken(server.port());
  EXPECT_EQ(handler.texts.size(), 1u);
}

TEST_F(WebSocketTest, AnnouncedSizeAloneReservesNothingAndIsRefused) {
  RawServer server([](int fd) {
    AnswerHandshake(fd);
    SendAll(fd, std::string_view("\x81\x7f\x00\x00\x00\xff\x00\x00\x00\x00", 10));
    ReadUntil(fd, "never");
  });
  Connect(server.port());
  ExpectBroken(server.port());
}

TEST_F(WebSocketTest, SilentServerEndsAtTheConnectTimeout) {
  uint16_t port = 0;
  const int silent = ListenOnLoopback(&port);
  WebSocketClient::Options options = OptionsFor(port);
  options.connect_timeout = milliseconds(100);
  Connect(options);
  ExpectUnavailable(port);
  EXPECT_NE(MessageOf(*handler.closed).find("in time"), std::string_view::npos);
  close(silent);
}

TEST_F(WebSocketTest, PingsAreAnswered) {
  Monitor monitor;
  std::string answer;
  RawServer server([&](int fd) {
    AnswerHandshake(fd);
    SendAll(fd, std::string_view("\x89\x02hi", 4));
    char buffer[64];
    const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    monitor.Update([&] { answer.assign(buffer, got > 0 ? static_cast<size_t>(got) : 1); });
  });
  Connect(server.port());
  ASSERT_TRUE(monitor.Wait([&] { return !answer.empty(); }));
  ASSERT_EQ(answer.size(), 8u);
  EXPECT_EQ(static_cast<unsigned char>(answer[0]), 0x8a);
}

TEST_F(WebSocketTest, AfterAbortTheHandlerIsNeverCalled) {
  EchoServer server(loop);
  Connect(server.port());
  ASSERT_TRUE(handler.WaitOpen());
  On([&] {
    client->SendText(std::string(100'000, 'x'));
    client->Abort();
    client->SendText("nothing");
    client->Close();
  });
  EXPECT_TRUE(server.monitor.Wait([&] { return server.closed == 1; }));
  On([&] { client.reset(); });
  EXPECT_FALSE(handler.closed.has_value());
  EXPECT_TRUE(handler.texts.empty());
}

TEST_F(WebSocketTest, DestructionInEveryPhaseIsSafe) {
  EchoServer server(loop);
  // In the same turn as Connect, and after 0..n further turns.
  for (int turns = 0; turns < 60; ++turns) {
    auto recorder = std::make_unique<Recorder>();
    On([&] { client = WebSocketClient::Connect(loop, OptionsFor(server.port()), recorder.get()); });
    for (int i = 0; i < turns; ++i) On([] {});
    On([&] {
      client->SendText("x");
      client.reset();
      recorder.reset();
    });
  }
}

TEST_F(WebSocketTest, DestructionInsideEveryCallbackIsSafe) {
  EchoServer server(loop);
  for (const std::string phase : {"open", "text", "closed"}) {
    Monitor monitor;
    bool gone = false;
    const auto destroy = [&] {
      client.reset();
      monitor.Update([&] { gone = true; });
    };
    handler.on_open = phase == "open" ? std::function<void()>(destroy) : nullptr;
    handler.on_text = [&](std::string_view) {
      if (phase == "text") destroy();
    };
    handler.on_closed = phase == "closed" ? std::function<void()>(destroy) : nullptr;
    On([&] {
      client = WebSocketClient::Connect(loop, OptionsFor(server.port()), &handler);
      client->SendText("hello");
      client->SendText(phase == "closed" ? "abort" : "more");
    });
    EXPECT_TRUE(monitor.Wait([&] { return gone; })) << phase;
  }
}

TEST_F(WebSocketTest, LoopMayStopBeforeTheClientIsDestroyed) {
  EchoServer server(loop);
  Connect(server.port());
  ASSERT_TRUE(handler.WaitOpen());
  loop.Stop();
  client.reset();
  server.Destroy();  // returns without effect: the loop is stopped
}

TEST_F(WebSocketTest, StopDoesNotWaitForNamesOrConnections) {
  WebSocketClient::Options options = OptionsFor(1);
  options.url.host = "another-host.invalid";
  Connect(options);
  loop.Stop();
  client.reset();
  EXPECT_FALSE(handler.closed.has_value());
}

// The server's end.

TEST_F(WebSocketTest, ServersBurstArrivesInOrder) {
  EchoServer server(loop);
  Connect(server.port());
  Send("burst 3000");
  ASSERT_TRUE(handler.WaitTexts(3000));
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(handler.texts[i], std::to_string(i));
}

TEST_F(WebSocketTest, DelayedMessagesKeepTheirGap) {
  EchoServer server(loop);
  std::vector<MonoTime> times;
  handler.on_text = [&](std::string_view) { times.push_back(SystemClock().Now()); };
  Connect(server.port());
  Send("delay");
  ASSERT_TRUE(handler.WaitTexts(3));
  On([] {});
  ASSERT_EQ(times.size(), 3u);
  // At least 5 ms between writes; half a millisecond for the reader's own lateness with the one
  // before.
  EXPECT_GE(times[2] - times[0], milliseconds(9));
  EXPECT_LT(times[2] - times[0], seconds(1));
}

TEST_F(WebSocketTest, ServerRefusesBinaryMessages) {
  EchoServer server(loop);
  auto raw = std::make_unique<RawClient>(server.port());
  raw->Send(
      "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
  ASSERT_NE(raw->ReadUntil("\r\n\r\n").find(" 101 "), std::string::npos);
  raw->Send(ClientFrame(2, "abc"));
  const std::string rest = raw->ReadUntil("\x03\xeb");
  EXPECT_NE(rest.find("\x88\x02\x03\xeb"), std::string::npos);  // close, 1003
  raw->Send(ClientFrame(8, "\x03\xeb"));
  raw.reset();
  EXPECT_TRUE(server.monitor.Wait([&] { return server.closed == 1; }));
}

TEST_F(WebSocketTest, ServerRefusesOversizedMessages) {
  HttpServer::Options options;
  options.max_message_bytes = 1000;
  EchoServer server(loop, options);
  Connect(server.port());
  Send(std::string(100'000, 'x'));
  const absl::Status why = handler.WaitClosed();
  EXPECT_NE(MessageOf(why).find("1009"), std::string_view::npos) << why;
  EXPECT_TRUE(server.monitor.Wait([&] { return server.closed == 1; }));
}

TEST_F(WebSocketTest, ServerClosesSilentSockets) {
  HttpServer::Options options;
  options.socket_idle_timeout = milliseconds(100);
  EchoServer server(loop, options);
  Connect(server.port());
  ExpectUnavailable(server.port());
  EXPECT_TRUE(handler.opened);
}

TEST_F(WebSocketTest, DestroyedServerDropsItsSockets) {
  EchoServer server(loop);
  Connect(server.port());
  Send("here");
  ASSERT_TRUE(handler.WaitTexts(1));
  server.Destroy();
  EXPECT_EQ(server.closed, 1);
  ExpectUnavailable(server.port());
}

TEST_F(WebSocketTest, PeerThatVanishesIsNoticed) {
  EchoServer server(loop);
  Connect(server.port());
  Send("here");
  ASSERT_TRUE(handler.WaitTexts(1));
  On([&] { client.reset(); });
  EXPECT_TRUE(server.monitor.Wait([&] { return server.closed == 1; }));
}

}  // namespace
}  // namespace talkjsd::net
