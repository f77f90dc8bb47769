// libFuzzer target: anything at all as frames of two logged-in users and as HTTP requests, into an
// app without sockets. Nothing may crash it; every frame it sends must be one that a client can
// read; and bob must not be told what is said in a conversation that he is not in.
//
// Input is lines. "@b ..." is a frame of bob; a line that starts with an HTTP method and a space is
// a request, "METHOD target body"; "@t N" moves the clock by N ms; everything else is a frame of
// alice. A unit test of the emulator runs it over the recorded traffic and mutations of it;
// tests/fuzz/run fuzzes, beginning with the same.
#include <absl/strings/numbers.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/emulator/app.h"
#include "daemon/emulator/http_front.h"
#include "daemon/emulator/realtime/connection.h"
#include "daemon/net/event_loop.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/json.h"
#include "daemon/wire/jwt.h"

namespace talkjsd::emulator {
namespace {

constexpr char kKey[] = "sk_test_demo";
constexpr char kPrivate[] = "only alice may read this";
constexpr size_t kMaxLines = 2000;

void Require(bool condition) {
  if (!condition) std::abort();
}

// One user's end of a connection. `must_not_see`: a text that no frame may carry as long as the
// user is not in "private".
class FuzzedClient : public net::ServerSocket {
 public:
  FuzzedClient(App& app, std::string user) : app_(app), connection(app, std::move(user), true, "") {
    connection.OnOpen(this);
  }
  ~FuzzedClient() override { connection.OnClosed(); }

  void SendText(std::string text, Duration) override {
    if (closed_) return;
    had_faults_ = had_faults_ || !app_.faults().entries().empty();
    if (!had_faults_) CheckFrame(text);
    if (app_.world().GetConversation(connection.user_id(), "private").ok()) must_not_see.clear();
    Require(must_not_see.empty() || text.find(must_not_see) == std::string::npos);
  }
  void SendTorn(std::string) override { closed_ = true; }
  size_t QueuedBytes() const override { return 0; }
  void Close(uint16_t, std::string_view reason) override {
    Require(reason.size() <= 123);
    closed_ = true;
  }
  void Abort() override { closed_ = true; }
  void Reset() override { closed_ = true; }

 private:
  void CheckFrame(std::string_view text) {
    const auto frame = wire::DecodeServerFrame(text);
    Require(frame.ok());
    if (const auto* publish = std::get_if<wire::PublishFrame>(&*frame)) {
      Require(publish->number > last_publish_);
      last_publish_ = publish->number;
    }
  }

  App& app_;
  bool closed_ = false;
  bool had_faults_ = false;
  int64_t last_publish_ = 0;

 public:
  std::string must_not_see;
  Connection connection;
};

std::string LoginFrame(std::string_view user) {
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = "demo";
  claims.subject = std::string(user);
  const Secret token = wire::MintJwt(claims, Secret(kKey));
  return wire::EncodeRequest(0, "POST", "/session/renew",
                             "{\"token\":\"" + std::string(token.Expose()) + "\"}");
}

class Run {
 public:
  Run() {
    alice_.connection.OnText(LoginFrame("alice"));
    bob_.connection.OnText(LoginFrame("bob"));
    alice_.connection.OnText(wire::EncodeRequest(1, "PUT", "/users/alice", R"({"name":"A"})"));
    bob_.connection.OnText(wire::EncodeRequest(1, "PUT", "/users/bob", R"({"name":"B"})"));
    for (const char* conversation : {"private", "c", "c1", "conv"}) {
      const std::string path = std::string("/conversations/").append(conversation);
      alice_.connection.OnText(wire::EncodeRequest(2, "PUT", path, "{}"));
      alice_.connection.OnText(
          wire::EncodeRequest(3, "POST", path + "/participants",
                              path == "/conversations/private"
                                  ? R"({"actions":[{"id":"alice","method":"PUT","params":{}}]})"
                                  : R"({"actions":[{"id":"alice","method":"PUT","params":{}},)"
                                    R"({"id":"bob","method":"PUT","params":{}}]})"));
    }
    alice_.connection.OnText(wire::EncodeRequest(
        4, "POST", "/conversations/private/messages",
        R"({"content":[{"type":"text","children":[")" + std::string(kPrivate) + "\"]}]}"));
    bob_.connection.OnText(wire::EncodeRequest(5, "SUBSCRIBE", "/me/conversations", "{}"));
    bob_.connection.OnText(
        wire::EncodeRequest(6, "SUBSCRIBE", "/me/conversations/private/messages", "{}"));
  }

  void Lines(std::string_view input) {
    // Said by the input itself, it proves nothing.
    if (input.find(kPrivate) == std::string_view::npos) bob_.must_not_see = kPrivate;
    for (size_t lines = 0; !input.empty() && lines < kMaxLines; ++lines) {
      const size_t end = std::min(input.find('\n'), input.size());
      Line(input.substr(0, end));
      input.remove_prefix(std::min(end + 1, input.size()));
    }
  }

 private:
  void Line(std::string_view line) {
    if (line.starts_with("@b ")) return bob_.connection.OnText(line.substr(3));
    if (line.starts_with("@t ")) return Advance(line.substr(3));
    for (const char* method : {"GET ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS "}) {
      if (line.starts_with(method)) return Request(line);
    }
    alice_.connection.OnText(line);
  }

  void Advance(std::string_view millis) {
    int64_t by = 0;
    constexpr int64_t kLongest = 3'600'000;
    if (!absl::SimpleAtoi(std::string(millis), &by) || by < 0 || by > kLongest) return;
    clock_.Advance(std::chrono::milliseconds(by));
    app_.virtual_clock().Advance(std::chrono::milliseconds(by));
  }

  void Request(std::string_view line) {
    net::ServerRequest request;
    const size_t space = line.find(' ');
    request.method = line.substr(0, space);
    line.remove_prefix(space + 1);
    const size_t target = std::min(line.find(' '), line.size());
    request.target = line.substr(0, target);
    if (target < line.size()) request.body = line.substr(target + 1);
    request.headers = {{"Authorization", "Bearer " + request.body}};
    if (front_.Upgrade(request) != nullptr) return;
    const net::ServerResponse response = front_.RespondNow(request);
    Require(response.status >= 200 && response.status < 600);
  }

  net::EventLoop loop_{"fuzz"};  // never runs
  ManualClock clock_;
  SeededRandom random_{1};
  App app_{loop_, clock_, random_, "demo", Secret(kKey), ContentRules{}};
  HttpFront front_{app_};
  FuzzedClient alice_{app_, "alice"};
  FuzzedClient bob_{app_, "bob"};
};

}  // namespace
}  // namespace talkjsd::emulator

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  talkjsd::emulator::Run run;
  run.Lines({reinterpret_cast<const char*>(data), size});
  return 0;
}
