// One realtime socket of a client: login and its expiry, calls and their answers, PUBLISH frames
// and their numbers.
#ifndef TALKJSD_EMULATOR_CONNECTION_H_
#define TALKJSD_EMULATOR_CONNECTION_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/app.h"
#include "daemon/net/http_server.h"

namespace talkjsd::wire {
struct RequestFrame;
}

namespace talkjsd::emulator {

// Frames are handled strictly in order, each completely before the next: its events leave first, on
// every socket that gets some, then its answer. Lives on the app's loop; the app outlives it.
class Connection : public net::ServerSocketHandler, private Subscriber {
 public:
  // `known_app` is false for a socket of another app: every login is refused.
  Connection(App& app, std::string user_id, std::string client_id, bool known_app);
  ~Connection() override;

  void OnOpen(net::ServerSocket* socket) override { socket_ = socket; }
  void OnText(std::string_view text) override;
  void OnClosed() override;

  // Voids the login and tells the client so; the socket stays. What happens at the token's `exp`.
  void ExpireSession();

 private:
  CallResult Answer(const wire::RequestFrame& request);
  CallResult RenewSession(const wire::RequestFrame& request);
  CallResult ChangeSubscription(const wire::RequestFrame& request,
                                const std::vector<std::string>& path);
  void SetExpiry(std::optional<int64_t> expires);
  void CheckExpiry();
  void SendAnswer(const wire::RequestFrame& request, const CallResult& result);
  void Deliver(const std::vector<EventText>& events) override;
  void Send(std::string text, Duration delay);

  App& app_;
  const bool known_app_;
  net::ServerSocket* socket_ = nullptr;  // nullptr before it opened and after it closed
  bool logged_in_ = false;
  bool closing_ = false;
  int64_t next_publish_ = 1;  // goes on across logins
  std::optional<int64_t> expires_;
  std::unique_ptr<net::Timer> expiry_;  // only if a token of this socket ever had an exp

  // The answer to a GET that no PUBLISH has followed yet: it must not share a read of the client
  // with one.
  struct OpenGap {
    MonoTime sent{};
    bool was_held_up = false;  // then nobody knows when it left
  };
  std::optional<OpenGap> gap_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_CONNECTION_H_
