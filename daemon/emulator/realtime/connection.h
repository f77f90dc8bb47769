// One realtime socket of a client: login and its expiry, calls and their answers, PUBLISH frames
// and their numbers, and the faults that are to happen to them.
#ifndef TALKJSD_EMULATOR_REALTIME_CONNECTION_H_
#define TALKJSD_EMULATOR_REALTIME_CONNECTION_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/app.h"
#include "daemon/emulator/faults/fault_wire.h"
#include "daemon/net/http_server.h"

namespace talkjsd::wire {
struct RequestFrame;
}

namespace talkjsd::emulator {

// Frames are handled strictly in order, each completely before the next: its events leave first, on
// every socket that gets some, then its answer. Lives on the app's loop; the app outlives it.
class Connection : public net::ServerSocketHandler, private Subscriber {
 public:
  // `known_app` is false for a socket of another app: every login is refused. `client_id` is what
  // the client calls its session.
  Connection(App& app, std::string user_id, bool known_app, std::string client_id = "");
  ~Connection() override;

  void OnOpen(net::ServerSocket* socket) override;
  void OnText(std::string_view text) override;
  void OnClosed() override;

  // --- what the control endpoint shows and does; between OnOpen and OnClosed ---
  using Subscriber::client_id;
  using Subscriber::user_id;
  UnixMillis opened_at() const { return opened_at_; }
  bool logged_in() const { return logged_in_; }
  size_t subscription_count() const { return Subscriber::subscription_count(); }
  // "open", "stalled", "half_open", "closing"
  std::string_view state() const;

  // Voids the login and tells the client so; the socket stays. What happens at the token's `exp`.
  void ExpireSession();
  void Close(uint16_t code, std::string_view reason);
  void Drop(bool reset);
  void Stall(Duration time);
  void HalfOpen();
  // Ends Stall and HalfOpen: what was held up goes on.
  void Resume();
  // Announces a restart, and drops the connection `time` later.
  void AnnounceRestart(Duration time);

  // What a rule at kConnect asked for; before OnOpen.
  void SetFaultAtOpen(const FaultAction& action) {
    fault_at_open_ = std::make_unique<FaultAction>(action);
  }

 private:
  // --- connection.cc ---
  void Handle(std::string_view text, bool examined);
  void Perform(const wire::RequestFrame& request);
  CallResult Answer(const wire::RequestFrame& request);
  CallResult RenewSession(const wire::RequestFrame& request);
  CallResult ChangeSubscription(const wire::RequestFrame& request,
                                const std::vector<std::string>& path);
  void SetExpiry(std::optional<int64_t> expires);
  void CheckExpiry();
  void SendAnswer(const wire::RequestFrame& request, const CallResult& result);
  void Deliver(const std::vector<EventText>& events) override;
  std::string PublishText(const std::vector<EventText>& events);
  Duration GapBeforePublish();
  int64_t AckToAwait() const;
  void OnAck(int64_t number);
  // `behind`: leaves once the client has acknowledged that PUBLISH, 0 for at once. What is sent
  // later stays behind it.
  void Send(std::string text, Duration gap, int64_t behind = 0);
  void SendHeld();
  void SendNow(std::string text, Duration gap);

  // --- connection_faults.cc: for one frame each, where a rule looks ---
  // kDone: something else has happened instead.
  enum class Verdict { kGoOn, kDone };
  Verdict FaultAtRequest(const wire::RequestFrame& request, std::string_view text);
  Verdict FaultAtAnswer(const wire::RequestFrame& request, std::string& text);
  void DeliverWithFaults(const std::vector<EventText>& events);
  Verdict FaultAtSent(const FaultAction& action, std::string& text, Duration gap);
  // The actions that end the connection or hold it up, whatever frame they happen at.
  Verdict FaultOfSocket(const FaultAction& action);
  FaultWire& Wire();
  void Pump();
  // Later, in a turn of its own, if the socket is still there.
  void Defer(std::function<void(Connection&)> action);

  App& app_;
  const bool known_app_;
  int64_t id_ = 0;  // in the app's connections
  UnixMillis opened_at_ = 0;
  net::ServerSocket* socket_ = nullptr;  // nullptr before it opened and after it closed
  bool logged_in_ = false;
  bool closing_ = false;
  int64_t next_publish_ = 1;  // goes on across logins
  std::optional<int64_t> expires_;
  std::unique_ptr<VirtualTimer> expiry_;  // only if a token of this socket ever had an exp

  // The answer to a GET that no PUBLISH has followed yet: it must not share a read of the client
  // with one.
  struct OpenGap {
    MonoTime sent{};
    bool was_held_up = false;  // then nobody knows when it left
  };
  std::optional<OpenGap> gap_;

  // Frames that wait for an ACK.
  struct Held {
    Held(net::EventLoop& loop, std::function<void()> fired) : timer(loop, std::move(fired)) {}
    struct Frame {
      std::string text;
      Duration gap{};
      int64_t behind = 0;
    };
    std::deque<Frame> frames;
    size_t bytes = 0;
    net::Timer timer;  // for a client that does not acknowledge
  };
  std::unique_ptr<Held> held_;  // once there was one
  int64_t acked_ = 0;           // the newest PUBLISH that the client has acknowledged

  std::unique_ptr<FaultAction> fault_at_open_;
  std::unique_ptr<FaultWire> wire_;      // once a fault has held up this socket's traffic
  std::unique_ptr<net::Timer> restart_;  // after AnnounceRestart
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_REALTIME_CONNECTION_H_
