#include "tests/unit/upstream/protocol_testing.h"

#include <algorithm>

#include "daemon/wire/frame.h"
#include "daemon/wire/json.h"

namespace talkjsd::upstream {
namespace {

struct Recorder {
  ProtocolDriver& driver;

  void operator()(OpenSocket& action) { driver.opens.push_back(action.delay); }
  void operator()(CloseSocket&) { ++driver.closes; }
  void operator()(AbortSocket&) { ++driver.aborts; }
  void operator()(NeedToken& action) { driver.tokens_wanted.push_back(action); }
  void operator()(PhaseChanged& action) { driver.phases.push_back(std::move(action)); }
  void operator()(TokenAccepted& action) {
    ++driver.accepted;
    if (action.short_seconds.has_value()) driver.short_lived.push_back(*action.short_seconds);
  }
  void operator()(ProtocolError&) { ++driver.errors; }
  void operator()(StateLost&) { ++driver.states_lost; }
  void operator()(SubscribedLate& action) {
    driver.subscribed_late.push_back(std::move(action.path));
  }
  void operator()(Completed& action) { action.done(std::move(action.result)); }
  void operator()(LoggedIn& action) {
    driver.logins.push_back(action.state_kept);
    driver.protocol().SendQueued(driver.now());
  }
  void operator()(FrameReceived& action) {
    if (driver.acknowledges) {
      driver.protocol().Acknowledge(action.publish_number, action.socket_generation);
    }
    driver.frames.push_back(std::move(action));
  }
  void operator()(SendText& action) {
    auto frame = wire::DecodeClientFrame(action.text);
    ASSERT_TRUE(frame.ok()) << action.text;
    Sent sent;
    if (const auto* request = std::get_if<wire::RequestFrame>(&*frame)) {
      sent = {request->number, request->method + " " + request->path,
              wire::json::serialize(request->data)};
    } else {
      sent = {std::get<wire::AckFrame>(*frame).number, "ACK", ""};
    }
    driver.sent.push_back(std::move(sent));
    driver.sent_at.push_back(driver.now());
  }
};

}  // namespace

void ProtocolDriver::Collect() {
  for (auto actions = protocol_.TakeActions(); !actions.empty();
       actions = protocol_.TakeActions()) {
    for (Action& action : actions) std::visit(Recorder{*this}, action);
  }
}

void ProtocolDriver::Forget() {
  sent.clear();
  sent_at.clear();
  opens.clear();
  tokens_wanted.clear();
  phases.clear();
  logins.clear();
  short_lived.clear();
  frames.clear();
  subscribed_late.clear();
  closes = aborts = errors = states_lost = accepted = 0;
}

void ProtocolDriver::Start() {
  protocol_.Start(now());
  Collect();
}

void ProtocolDriver::Open() {
  protocol_.OnSocketOpen(now());
  Collect();
}

void ProtocolDriver::Lose() {
  protocol_.OnSocketClosed(absl::OkStatus(), now());
  Collect();
}

void ProtocolDriver::Text(const std::string& text) {
  protocol_.OnText(text, now());
  Collect();
}

void ProtocolDriver::Answer(int64_t number, int status, const std::string& data) {
  Text("[" + std::to_string(number) + "," + std::to_string(status) + "," + data + "]");
}

void ProtocolDriver::Publish(int64_t number, const std::string& events) {
  Text("[" + std::to_string(number) + ",\"PUBLISH\"," + events + "]");
}

void ProtocolDriver::Token(const std::string& token) {
  TokenResult result;
  result.kind = TokenResult::Kind::kToken;
  result.token = Secret(token);
  protocol_.OnToken(std::move(result), now());
  Collect();
}

void ProtocolDriver::TokenTrouble(TokenResult::Kind kind) {
  TokenResult result;
  result.kind = kind;
  result.why = absl::FailedPreconditionError("no token");
  protocol_.OnToken(std::move(result), now());
  Collect();
}

void ProtocolDriver::AnswerLogin(int status, const std::string& data) {
  const Sent* login = Find("POST /session/renew");
  ASSERT_NE(login, nullptr);
  Answer(login->number, status, data);
}

void ProtocolDriver::LogIn(const std::string& lifetime) {
  Start();
  Token();
  Open();
  AnswerLogin(200, "{\"expiresInSeconds\":" + lifetime + "}");
  ASSERT_EQ(protocol_.phase(), Phase::kReady);
  Forget();
}

void ProtocolDriver::Pass(Duration span) {
  const MonoTime end = now() + span;
  while (true) {
    const MonoTime next = protocol_.NextDeadline();
    if (next > end) break;
    if (next > now()) clock_.Advance(next - now());
    protocol_.Tick(now());
    Collect();
    ASSERT_GT(protocol_.NextDeadline(), now()) << "the timer would fire for ever";
  }
  clock_.Advance(end - now());
}

void ProtocolDriver::PassAlive(Duration span) {
  const MonoTime end = now() + span;
  while (true) {
    const MonoTime next = protocol_.NextDeadline();
    if (next > end) break;
    if (next > now()) clock_.Advance(next - now());
    const size_t before = sent.size();
    protocol_.Tick(now());
    Collect();
    for (size_t i = before; i < sent.size(); ++i) {
      if (sent[i].what == "GET /ping") Answer(sent[i].number, 200);
    }
  }
  clock_.Advance(end - now());
}

std::shared_ptr<std::optional<absl::StatusOr<Reply>>> ProtocolDriver::Call(const std::string& path,
                                                                           Duration timeout) {
  auto outcome = std::make_shared<std::optional<absl::StatusOr<Reply>>>();
  const size_t space = path.find(' ');
  const bool has_method = space != std::string::npos && path.front() != '/';
  Request request{has_method ? path.substr(0, space) : "POST",
                  has_method ? path.substr(space + 1) : path};
  protocol_.Call(
      std::move(request), now() + timeout,
      [outcome](absl::StatusOr<Reply> reply) { *outcome = std::move(reply); }, now());
  Collect();
  return outcome;
}

std::shared_ptr<std::optional<absl::StatusOr<Reply>>> ProtocolDriver::OwnCall(
    const std::string& path) {
  auto outcome = std::make_shared<std::optional<absl::StatusOr<Reply>>>();
  protocol_.Call(
      {"GET", path}, kNever,
      [outcome](absl::StatusOr<Reply> reply) { *outcome = std::move(reply); }, now());
  Collect();
  return outcome;
}

const Sent* ProtocolDriver::Find(const std::string& what) const {
  const auto it = std::find_if(sent.rbegin(), sent.rend(),
                               [&](const Sent& frame) { return frame.what == what; });
  return it == sent.rend() ? nullptr : &*it;
}

int ProtocolDriver::Count(const std::string& what) const {
  return static_cast<int>(std::count_if(sent.begin(), sent.end(),
                                        [&](const Sent& frame) { return frame.what == what; }));
}

std::vector<std::string> ProtocolDriver::Words() const {
  std::vector<std::string> words;
  for (const Sent& frame : sent) words.push_back(frame.what);
  return words;
}

}  // namespace talkjsd::upstream
