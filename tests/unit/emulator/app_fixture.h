// An app without sockets: connections whose other end writes down what it is sent.
#ifndef TALKJSD_TESTS_UNIT_EMULATOR_APP_FIXTURE_H_
#define TALKJSD_TESTS_UNIT_EMULATOR_APP_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/emulator/app.h"
#include "daemon/emulator/control/control.h"
#include "daemon/emulator/realtime/connection.h"
#include "daemon/net/event_loop.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/json.h"
#include "daemon/wire/jwt.h"

namespace talkjsd::emulator {

inline constexpr char kTestKey[] = "sk_test_demo";

// A client at its end of a connection.
class TestClient : public net::ServerSocket {
 public:
  TestClient(App& app, std::string user) : connection(app, std::move(user), true, "123") {
    connection.OnOpen(this);
  }
  ~TestClient() override { connection.OnClosed(); }

  void SendText(std::string text, Duration) override { sent.push_back(std::move(text)); }
  void SendTorn(std::string) override { end = "torn"; }
  size_t QueuedBytes() const override { return 0; }
  void Close(uint16_t code, std::string_view reason) override {
    end = "closed " + std::to_string(code) + " " + std::string(reason);
  }
  void Abort() override { end = "dropped"; }
  void Reset() override { end = "reset"; }

  // Sends a request; what came back since, as JSON text.
  std::vector<std::string> Call(std::string_view method, std::string_view path,
                                std::string_view data = "{}") {
    connection.OnText(wire::EncodeRequest(next_number++, method, path, data));
    return Take();
  }
  std::vector<std::string> Take() { return std::exchange(sent, {}); }

  Connection connection;
  std::vector<std::string> sent;
  std::string end;  // how the server ended the connection
  int64_t next_number = 0;
};

class AppTest : public testing::Test {
 protected:
  std::string Token(std::string_view user, std::optional<int64_t> lifetime_seconds = {}) {
    wire::JwtClaims claims;
    claims.token_type = "user";
    claims.issuer = "demo";
    claims.subject = std::string(user);
    if (lifetime_seconds) claims.expires = app.clock().WallMillis() / 1000 + *lifetime_seconds;
    return std::string(wire::MintJwt(claims, Secret(kTestKey)).Expose());
  }

  std::string LoginData(std::string_view user, std::optional<int64_t> lifetime_seconds = {}) {
    return "{\"token\":\"" + Token(user, lifetime_seconds) + "\"}";
  }

  // Logged in, and known to the app.
  std::unique_ptr<TestClient> Login(const std::string& user,
                                    std::optional<int64_t> lifetime_seconds = {}) {
    auto client = std::make_unique<TestClient>(app, user);
    client->Call("POST", "/session/renew", LoginData(user, lifetime_seconds));
    client->Call("PUT", "/users/" + user, R"({"name":"N"})");
    return client;
  }

  // A request to the control endpoint: "200 {...}".
  std::string Control(std::string_view method, std::string_view path, std::string body = "") {
    net::ServerRequest request;
    request.method = method;
    request.target = std::string("/_emulator/v1/").append(path);
    request.body = std::move(body);
    const net::ServerResponse response = AnswerControl(app, request);
    return std::to_string(response.status) + " " + response.body;
  }

  // A rule that must be accepted; its id.
  int64_t AddFault(std::string rule) {
    const std::string answer = Control("POST", "faults", std::move(rule));
    EXPECT_TRUE(answer.starts_with("200 ")) << answer;
    return app.faults().entries().back().rule.id;
  }
  // "matched/fired" of a rule.
  std::string Counts(int64_t id) {
    for (const Faults::Entry& entry : app.faults().entries()) {
      if (entry.rule.id == id) {
        return std::to_string(entry.rule.matched) + "/" + std::to_string(entry.rule.fired);
      }
    }
    return "none";
  }

  // Runs what was posted to the loop. Once a test, as its last step on the loop.
  void RunPosted() {
    loop.Start();
    loop.PostAndWait([] {});
    loop.Stop();
  }

  net::EventLoop loop{"test"};
  ManualClock clock;  // the real one, seen from the app
  SeededRandom random{1};
  App app{loop, clock, random, "demo", Secret(kTestKey), ContentRules{}};
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_TESTS_UNIT_EMULATOR_APP_FIXTURE_H_
