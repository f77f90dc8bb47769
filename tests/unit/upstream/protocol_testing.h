// Drives the protocol's machine by hand: a clock, and the server's side of one socket.
#ifndef TALKJSD_TESTS_UNIT_UPSTREAM_PROTOCOL_TESTING_H_
#define TALKJSD_TESTS_UNIT_UPSTREAM_PROTOCOL_TESTING_H_

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/upstream/protocol.h"

namespace talkjsd::upstream {

inline constexpr char kRenew[] = "POST /session/renew";  // a Sent::what

// A frame that the machine sent.
struct Sent {
  int64_t number = 0;
  std::string what;  // "GET /ping", or "ACK"
  std::string data;  // of a request
};

class ProtocolDriver {
 public:
  explicit ProtocolDriver(uint64_t seed = 1) : random_(seed), protocol_(random_) {}

  Protocol& protocol() { return protocol_; }
  MonoTime now() const { return clock_.Now(); }

  void Start();
  void Open();
  void Lose();
  void Text(const std::string& text);
  void Answer(int64_t number, int status, const std::string& data = "{}");
  void Publish(int64_t number, const std::string& events);
  void Token(const std::string& token = "token");
  void TokenTrouble(TokenResult::Kind kind);
  // Start, socket, token, login answered with `lifetime`; forgets what was recorded on the way.
  void LogIn(const std::string& lifetime = "86399");
  // Answers the login that was sent last.
  void AnswerLogin(int status, const std::string& data);

  // Runs timers until `span` has passed.
  void Pass(Duration span);
  // As Pass; TalkJS answers pings.
  void PassAlive(Duration span);

  // A call with a deadline, "/path" or "METHOD /path"; its outcome: nullopt until it is known.
  std::shared_ptr<std::optional<absl::StatusOr<Reply>>> Call(
      const std::string& path, Duration timeout = std::chrono::hours(1));
  std::shared_ptr<std::optional<absl::StatusOr<Reply>>> OwnCall(const std::string& path);

  // Takes what the machine wants and records it.
  void Collect();
  void Forget();

  const Sent* Find(const std::string& what) const;  // the newest; null: none
  int Count(const std::string& what) const;
  std::vector<std::string> Words() const;  // `what` of all, in order

  std::vector<Sent> sent;
  std::vector<MonoTime> sent_at;
  std::vector<Duration> opens;  // delays of OpenSocket
  int closes = 0;
  int aborts = 0;
  std::vector<NeedToken> tokens_wanted;
  std::vector<PhaseChanged> phases;
  std::vector<bool> logins;  // state_kept
  int accepted = 0;          // logins and renewals
  std::vector<int64_t> short_lived;
  std::vector<FrameReceived> frames;
  int errors = 0;
  int states_lost = 0;
  std::vector<std::string> subscribed_late;
  bool acknowledges = true;

 private:
  ManualClock clock_;
  SeededRandom random_;
  Protocol protocol_;
};

}  // namespace talkjsd::upstream

#endif  // TALKJSD_TESTS_UNIT_UPSTREAM_PROTOCOL_TESTING_H_
