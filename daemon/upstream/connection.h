// One session's connection to TalkJS: binds the Protocol to a socket, a token source, a timer and
// the clock.
#ifndef TALKJSD_UPSTREAM_CONNECTION_H_
#define TALKJSD_UPSTREAM_CONNECTION_H_

#include <absl/status/status.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_client.h"
#include "daemon/net/tls_context.h"
#include "daemon/net/websocket_client.h"
#include "daemon/upstream/call.h"
#include "daemon/upstream/pacer.h"
#include "daemon/upstream/protocol.h"
#include "daemon/upstream/token_source.h"
#include "daemon/wire/event.h"
#include "daemon/wire/host.h"

namespace talkjsd::upstream {

// Held by whoever has not yet handed an event over. When the last holder of a frame's ticket lets
// go, the frame is acknowledged to TalkJS. Belongs to the connection's loop.
using AckTicket = std::shared_ptr<const void>;

// Called on the connection's loop. May call into the Connection.
class ConnectionListener {
 public:
  virtual ~ConnectionListener() = default;
  // Logged in, and what is subscribed to has been asked for again. `state_kept`: nothing was lost
  // since the last time. Without a new login, false: something that was not understood may have
  // been an event.
  virtual void OnLoggedIn(bool state_kept) = 0;
  // The subscription to `path` began only now, though it was asked for before: TalkJS had refused
  // it at first.
  virtual void OnSubscribedLate(const std::string& path) = 0;
  // The events of one frame, in order.
  virtual void OnEvents(std::vector<wire::Event> events, const AckTicket& ticket) = 0;
  // Something in status() changed.
  virtual void OnStatusChanged() = 0;
  // For the log.
  virtual std::string_view session_id() const { return {}; }
  // Not OK: nobody can take what comes. Then the next frame is neither handled nor acknowledged:
  // the connection is given up, for this reason, and opened again when there is room.
  virtual absl::Status Room() const { return absl::OkStatus(); }
};

// Lives on one loop; outlived by its listener and environment. Do not destroy it from within a
// listener's method or a call's `done`: Stop it and post the destruction.
class Connection {
 public:
  struct Options {
    wire::BaseUrls urls;
    std::string app_id;
    std::string user_id;
    // The first connection waits for its turn as all others do; without it its creator sets the
    // pace.
    bool first_is_paced = false;
  };
  struct Environment {
    net::EventLoop& loop;
    net::HttpClient& http;
    const net::TlsContext& tls;
    const Clock& clock;
    Random& random;
    Metrics& metrics;
    Pacer& pacer;
  };
  struct Status {
    Phase phase = Phase::kStopped;
    absl::Status why;  // the last trouble; OK once logged in
    int failed_attempts = 0;
    std::optional<UnixMillis> next_attempt_at;
    std::optional<UnixMillis> token_expires_at;
    std::optional<int64_t> short_token_seconds;  // TalkJS gave the token less than 120 s
  };

  Connection(Options options, Environment environment, std::unique_ptr<TokenSource> tokens,
             ConnectionListener* listener);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void Start();
  // Closes the socket; calls under way end with `why`. The listener hears no more. `closed` runs
  // when the socket is gone, at most about 2 s later, unless the connection is destroyed before.
  void Stop(const absl::Status& why, std::function<void()> closed);

  // As Protocol, for a client. A session that waits for a token or failed answers at once with
  // FAILED_PRECONDITION and the reason.
  void Call(Request request, Duration timeout, CallDone done);
  // As Enqueue, ahead of everything queued: from within OnLoggedIn.
  void CallFirst(Request request, CallDone done);
  // A call that OnLoggedIn begins. If the connection is lost before its answer, and state with it,
  // it ends with UNAVAILABLE after OnStatusChanged: the next OnLoggedIn begins anew.
  void Enqueue(Request request, CallDone done);
  void Subscribe(std::string path);
  void Unsubscribe(const std::string& path);
  void SubscribeUsers(const std::vector<std::string>& ids);
  void UnsubscribeUser(const std::string& id);

  // Newer credentials: used at once, a live session goes on with the old token until the new one is
  // accepted.
  void ReplaceTokens(std::unique_ptr<TokenSource> tokens);
  // The token source has news: as if it had been replaced.
  void AskForNewToken();

  const Status& status() const { return status_; }

 private:
  class AckGuard;
  // One socket and the link through which it speaks; cut, the socket may finish its closing
  // handshake unheard.
  class SocketLink;

  void OnSocketOpen();
  void OnSocketText(std::string_view text);
  void OnSocketClosed(const absl::Status& why);

  void CheckApp();
  void Run();
  bool HasRoom() const { return listener_ == nullptr || listener_->Room().ok(); }
  void OpenInTurn();
  void OpenSocketNow();
  void StatusChanged();
  void Do(OpenSocket&& action);
  void Do(CloseSocket&& action);
  void Do(AbortSocket&& action);
  void Do(SendText&& action);
  void Do(NeedToken&& action);
  void CountFailure(TokenResult::Kind kind);
  void Do(PhaseChanged&& action);
  void Do(LoggedIn&& action);
  void Do(TokenAccepted&& action);
  void Do(FrameReceived&& action);
  void Do(Completed&& action);
  void Do(ProtocolError&& action);
  void Do(StateLost&& action);
  void Do(SubscribedLate&& action);

  const Options options_;
  const Environment env_;
  const std::string client_id_;
  std::unique_ptr<TokenSource> tokens_;
  ConnectionListener* listener_;  // null after Stop
  Protocol protocol_;
  Status status_;
  std::unique_ptr<SocketLink> socket_;
  std::unique_ptr<SocketLink> closing_;  // in its closing handshake, until the next one is open
  net::Timer protocol_timer_;
  net::Timer open_timer_;
  Turn turn_;
  bool running_ = false;
  bool connected_before_ = false;
  // Answers that arrive by way of other threads hold a weak_ptr to this.
  std::shared_ptr<Connection*> self_;
};

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_CONNECTION_H_
