// A month of bad weather in a second, with a seed; and the recorded sessions of the SDK served to
// the machine.
#include <gtest/gtest.h>

#include <cstdlib>
#include <deque>
#include <fstream>

#include "daemon/wire/json.h"
#include "tests/unit/upstream/protocol_testing.h"

namespace talkjsd::upstream {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A server, a network and a token source that fail at random.
class Weather {
 public:
  explicit Weather(uint64_t seed) : random_(seed), driver_(seed) {}

  void Run(Duration span) {
    driver_.protocol().Subscribe("/me/conversations", driver_.now());
    driver_.Start();
    MonoTime next_call = driver_.now();
    for (const MonoTime end = driver_.now() + span; driver_.now() < end;) {
      React();
      if (driver_.now() >= next_call) {
        Call();
        next_call = driver_.now() + minutes(random_.Next() % 60);
      }
      Misbehave();
      Step(next_call);
      ASSERT_LT(driver_.protocol().pending_calls(), 100u);
    }
    fair_ = true;
    for (const MonoTime end = driver_.now() + minutes(10); driver_.now() < end;) {
      React();
      Step(end);
    }
    EXPECT_EQ(driver_.protocol().phase(), Phase::kReady);
    EXPECT_LT(driver_.protocol().pending_calls(), 10u);
    EXPECT_EQ(completed_, called_);
    EXPECT_GT(logins_, 100);
  }

 private:
  bool Chance(int in) { return !fair_ && random_.Next() % static_cast<uint64_t>(in) == 0; }

  void Call() {
    ++called_;
    const MonoTime deadline = driver_.now() + seconds(10);
    driver_.protocol().Call(
        {"POST", "/call"}, deadline,
        [this, deadline](const absl::StatusOr<Reply>&) {
          ++completed_;
          EXPECT_LE(driver_.now(), deadline + milliseconds(1));
        },
        driver_.now());
    driver_.protocol().Call(
        {"GET", "/own"}, kNever, [](const absl::StatusOr<Reply>&) {}, driver_.now());
    driver_.Collect();
  }

  // Answers what the machine has asked for since the last time.
  void React() {
    for (bool busy = true; busy;) {
      busy = false;
      logins_ += driver_.logins.size();
      std::vector<Sent> sent = std::move(driver_.sent);
      const size_t tokens = driver_.tokens_wanted.size();
      if (!driver_.opens.empty()) {
        opens_at_ = driver_.now() + driver_.opens.back();
        open_ = false;
      }
      if (driver_.closes + driver_.aborts > 0 && driver_.opens.empty()) opens_at_ = kNever;
      if (driver_.closes + driver_.aborts > 0) open_ = false;
      driver_.Forget();
      if (tokens > 0) {
        busy = true;
        if (Chance(4)) {
          driver_.TokenTrouble(TokenResult::Kind::kRetry);
        } else {
          driver_.Token("t" + std::to_string(random_.Next() % 3));
        }
      }
      const int64_t generation = driver_.protocol().socket_generation();
      for (const Sent& frame : sent) {
        if (!open_ || driver_.protocol().socket_generation() != generation) break;
        if (frame.what == "ACK") continue;
        busy = true;
        Answer(frame);
      }
    }
  }

  void Answer(const Sent& frame) {
    if (Chance(500)) return;  // never
    if (frame.what == kRenew) {
      static constexpr int kStatuses[] = {401, 401, 429, 500, 503, 403};
      static constexpr const char* kLifetimes[] = {"86399", "null", "0", "121", "3600"};
      if (Chance(3)) {
        driver_.Answer(frame.number, kStatuses[random_.Next() % 6],
                       R"({"errorCode":"X","reasons":[]})");
      } else {
        driver_.Answer(frame.number, 200,
                       std::string(R"({"expiresInSeconds":)") +
                           kLifetimes[fair_ ? 0 : random_.Next() % 5] + "}");
      }
      return;
    }
    static constexpr int kStatuses[] = {429, 500, 401, 404, 503};
    const bool fails = frame.what != "GET /ping" && Chance(3);
    driver_.Answer(frame.number, fails ? kStatuses[random_.Next() % 5] : 200);
  }

  void Misbehave() {
    if (!open_) return;
    if (Chance(400)) driver_.Publish(++publish_, R"({"type":"session.expired"})");
    if (Chance(2000)) driver_.Publish(++publish_, R"({"type":"upstream.restarting"})");
    if (Chance(100)) driver_.Text("garbage");
    if (Chance(300)) {
      open_ = false;
      driver_.Lose();
    }
  }

  void Step(MonoTime next_call) {
    const MonoTime next = std::min({driver_.protocol().NextDeadline(), opens_at_, next_call});
    if (next > driver_.now()) driver_.Pass(next - driver_.now());
    if (opens_at_ <= driver_.now()) {
      opens_at_ = kNever;
      if (Chance(4)) {
        driver_.Lose();
      } else {
        open_ = true;
        publish_ = 0;
        driver_.Open();
      }
    }
    if (driver_.protocol().NextDeadline() <= driver_.now()) driver_.Pass(Duration::zero());
  }

  SeededRandom random_;
  ProtocolDriver driver_;
  bool fair_ = false;
  bool open_ = false;
  MonoTime opens_at_ = kNever;
  int64_t publish_ = 0;
  size_t logins_ = 0;
  int called_ = 0;
  int completed_ = 0;
};

TEST(ProtocolSimulation, NoWeatherLeavesItStuck) {
  Duration span = hours(24 * 3);
  if (const char* days = std::getenv("TALKJSD_DAYS")) span = hours(24 * std::atoi(days));
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Weather weather(seed);
    weather.Run(span);
    if (testing::Test::HasFailure()) return;
  }
}

// --- recorded sessions ---

struct Record {
  Duration at{};
  int64_t socket = 0;
  bool opened = false;
  bool closed = false;
  bool from_server = false;
  wire::json::array frame;
};

std::vector<Record> Load(const std::string& name) {
  std::vector<Record> records;
  std::ifstream file(TALKJSD_TEST_DATA "/captures/" + name + ".jsonl");
  std::string line;
  std::getline(file, line);  // the header
  while (std::getline(file, line)) {
    const wire::json::object object = wire::json::parse(line).as_object();
    if (!object.contains("conn")) continue;
    Record record;
    record.at = milliseconds(object.at("t").as_int64());
    record.socket = object.at("conn").as_int64();
    if (const auto* event = object.if_contains("ws")) {
      record.opened = *event == "open";
      record.closed = *event == "close";
    } else if (const auto* frame = object.if_contains("frame")) {
      record.from_server = object.at("dir") == "s2c";
      record.frame = frame->as_array();
    }
    records.push_back(std::move(record));
  }
  EXPECT_FALSE(records.empty()) << name;
  return records;
}

// The sockets of `user` in a recording, with the recorded times. The machine asks for what the SDK
// asked for; an answer is given to its request of the same name, in turn.
class Replay {
 public:
  Replay(const std::string& name, std::set<int64_t> sockets)
      : records_(Load(name)), sockets_(std::move(sockets)) {
    driver_.Start();
    driver_.Token("t");
  }
  ProtocolDriver& driver() { return driver_; }

  void Run() {
    Duration at{};
    for (const Record& record : records_) {
      if (!sockets_.contains(record.socket)) continue;
      if (record.at > at) driver_.Pass(record.at - at);
      at = std::max(at, record.at);
      Play(record);
      // Tokens of the recording are no business of the machine: any will do.
      if (!driver_.tokens_wanted.empty()) {
        driver_.tokens_wanted.clear();
        driver_.Token("t");
      }
    }
  }

 private:
  void Play(const Record& record) {
    if (record.opened) {
      requests_.clear();
      driver_.Open();
    } else if (record.closed && driver_.protocol().phase() != Phase::kWaiting) {
      driver_.Lose();
    } else if (record.from_server && record.frame.at(1) == "PUBLISH") {
      driver_.Text(wire::json::serialize(record.frame));
    } else if (record.from_server) {
      const std::string what = requests_[record.frame.at(0).as_int64()];
      for (auto it = driver_.sent.begin(); it != driver_.sent.end(); ++it) {
        if (it->what != what) continue;
        const int64_t number = it->number;
        driver_.sent.erase(it);
        driver_.Answer(number, static_cast<int>(record.frame.at(1).as_int64()),
                       wire::json::serialize(record.frame.at(2)));
        break;
      }
    } else if (!record.frame.empty() && record.frame.at(1) != "ACK") {
      const std::string what = std::string(record.frame.at(1).as_string()) + " " +
                               std::string(record.frame.at(2).as_string());
      requests_[record.frame.at(0).as_int64()] = what;
      const bool own = what == kRenew || what == "GET /ping";
      if (own) return;
      if (record.frame.at(1) == "SUBSCRIBE") {
        driver_.protocol().Subscribe(std::string(record.frame.at(2).as_string()), driver_.now());
        driver_.Collect();
      } else {
        calls_.push_back(driver_.Call(what));
      }
    }
  }

  ProtocolDriver driver_;
  const std::vector<Record> records_;
  const std::set<int64_t> sockets_;
  std::map<int64_t, std::string> requests_;
  std::vector<std::shared_ptr<std::optional<absl::StatusOr<Reply>>>> calls_;
};

TEST(ProtocolCaptures, Heartbeat) {
  Replay replay("heartbeat", {1, 2});
  replay.Run();
  EXPECT_EQ(replay.driver().aborts, 1);
  EXPECT_EQ(replay.driver().protocol().phase(), Phase::kConnecting);  // as the recording ends
}

TEST(ProtocolCaptures, TokenRefresh) {
  Replay replay("token-refresh", {1});
  replay.Run();
  EXPECT_EQ(replay.driver().protocol().phase(), Phase::kReady);
  EXPECT_EQ(replay.driver().short_lived, std::vector<int64_t>{60});
  EXPECT_EQ(replay.driver().logins.size(), 1u);
  EXPECT_EQ(replay.driver().frames.size(), 1u);
}

TEST(ProtocolCaptures, SessionExpired) {
  Replay replay("session-expired", {1});
  replay.Run();
  EXPECT_EQ(replay.driver().protocol().phase(), Phase::kReady);
  // At first, after session.expired, and after a call that was answered with 401.
  EXPECT_EQ(replay.driver().logins, (std::vector<bool>{false, false, false}));
  EXPECT_EQ(replay.driver().closes + replay.driver().aborts, 0);
}

TEST(ProtocolCaptures, Reconnect) {
  Replay replay("reconnect", {1, 3, 4});
  replay.Run();
  EXPECT_EQ(replay.driver().protocol().phase(), Phase::kReady);
  // A lost socket, then an announced restart.
  EXPECT_EQ(replay.driver().logins, (std::vector<bool>{false, false, true}));
  EXPECT_EQ(replay.driver().errors, 0);
}

}  // namespace
}  // namespace talkjsd::upstream
