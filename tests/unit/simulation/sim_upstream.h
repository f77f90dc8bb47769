// TalkJS as the simulated daemon reaches it: the emulator's app, and a network in between that is
// slow, breaks and falls silent.
#ifndef TALKJSD_TESTS_UNIT_SIMULATION_SIM_UPSTREAM_H_
#define TALKJSD_TESTS_UNIT_SIMULATION_SIM_UPSTREAM_H_

#include <absl/status/status.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "daemon/base/random.h"
#include "daemon/emulator/app.h"
#include "daemon/emulator/realtime/connection.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_server.h"
#include "tests/unit/simulation/schedule.h"

namespace talkjsd::simulation {

inline constexpr char kAppId[] = "demo";
inline constexpr char kAppKey[] = "sk_test_demo";

// The daemon's end of a socket.
class SocketOwner {
 public:
  virtual ~SocketOwner() = default;
  virtual void OnSocketOpen() = 0;
  virtual void OnSocketText(std::string_view text) = 0;
  virtual void OnSocketClosed(const absl::Status& why) = 0;  // or could not be opened
};

class SimUpstream;

// One WebSocket, seen from both ends. Frames keep their order; those under way when it breaks are
// lost.
class SimSocket : public net::ServerSocket, public std::enable_shared_from_this<SimSocket> {
 public:
  SimSocket(SimUpstream& upstream, SocketOwner* owner) : upstream_(upstream), owner_(owner) {}

  // The owner's end; it hears no more after Abandon.
  void Send(std::string text);
  void Abandon();

  // The network's: at once with an error for the owner, or so that nobody is told.
  void Break(bool silently);

  // The server's end.
  void SendText(std::string text, Duration delay) override;
  size_t QueuedBytes() const override { return 0; }
  void Close(uint16_t code, std::string_view reason) override;
  void Abort() override { Close(1006, "dropped"); }
  void Reset() override { Abort(); }
  void SendTorn(std::string) override { Abort(); }

 private:
  friend class SimUpstream;
  void Accept(const std::string& user);
  void CloseServer();
  void TellOwner(const absl::Status& why);

  SimUpstream& upstream_;
  SocketOwner* owner_;
  std::unique_ptr<emulator::Connection> server_;
  int64_t id_ = 0;
  bool broken_ = false;
  MonoTime last_up_{};
  MonoTime last_down_{};
};

// Lives on the schedule's thread; the schedule outlives it.
class SimUpstream {
 public:
  SimUpstream(Schedule& schedule, const Clock& clock, uint64_t seed);
  ~SimUpstream();

  emulator::App& app() { return app_; }
  emulator::World& world() { return app_.world(); }

  enum class Weather {
    kFair,
    kRefuses,   // connections are refused
    kSwallows,  // they get no answer
  };
  void set_weather(Weather weather) { weather_ = weather; }
  std::shared_ptr<SimSocket> Connect(const std::string& user, SocketOwner* owner);
  // All sockets; those that `silently` says break so that neither side is told.
  void BreakAll(const std::function<bool()>& silently);

 private:
  friend class SimSocket;
  Duration Latency();
  void FireEmulatorTimers();

  Schedule& schedule_;
  SeededRandom random_;
  SeededRandom app_random_;
  net::EventLoop loop_{"never started"};
  emulator::App app_;
  Weather weather_ = Weather::kFair;
  std::map<int64_t, std::shared_ptr<SimSocket>> sockets_;  // with a server's end, oldest first
  int64_t last_id_ = 0;
};

}  // namespace talkjsd::simulation

#endif  // TALKJSD_TESTS_UNIT_SIMULATION_SIM_UPSTREAM_H_
