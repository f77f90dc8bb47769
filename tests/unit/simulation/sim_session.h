// One session of the simulated daemon: the protocol's machine and the inbox of the real one, bound
// to a simulated socket and clock as upstream::Connection and session::Session bind them to real
// ones.
#ifndef TALKJSD_TESTS_UNIT_SIMULATION_SIM_SESSION_H_
#define TALKJSD_TESTS_UNIT_SIMULATION_SIM_SESSION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/random.h"
#include "daemon/journal/event.h"
#include "daemon/session/inbox.h"
#include "daemon/session/session_store.h"
#include "daemon/session/spec.h"
#include "daemon/upstream/pacer.h"
#include "daemon/upstream/protocol.h"
#include "daemon/upstream/token_source.h"
#include "tests/unit/simulation/schedule.h"
#include "tests/unit/simulation/sim_upstream.h"

namespace talkjsd::simulation {

// What was seen of one session, over all lives of the daemon.
struct Observed {
  struct Login {
    MonoTime at;
    std::vector<MonoTime> calls;  // requests but pings, logins and (un)subscriptions
  };
  // From the loss of a socket, or the failure to open one, to the next attempt.
  struct Wait {
    Duration time;
    bool is_first;
  };
  std::vector<MonoTime> opens;  // of sockets, or attempts
  std::vector<Wait> waits;
  std::vector<Login> logins;
  std::string unreads;  // a serialised StreamUnreadsResponse
  std::optional<MonoTime> synced_at;
  int times_without_token = 0;
};

class SimSession : private SocketOwner, private session::InboxHost {
 public:
  struct Environment {
    Schedule& schedule;
    const Clock& clock;
    Random& random;
    SimUpstream& upstream;
    upstream::Pacer& pacer;
    std::function<void(journal::NewEvent)> append;
    // The first complete login is stored before anything else happens.
    std::function<void(session::SessionStore::Progress)> store;
  };
  struct Options {
    std::string session_id;
    std::string user;
    session::Credentials credentials;
    std::optional<UnixMillis> baseline_at;
    std::optional<session::Restored> restored;
    bool first_connection_is_paced = false;
  };
  // `observed` outlives the session.
  SimSession(Options options, Environment environment, Observed* observed);
  ~SimSession() override;

  void Start();
  void ReplaceCredentials(session::Credentials credentials);
  void CallUpstream(upstream::Request request, Duration timeout, upstream::CallDone done);
  std::optional<session::SessionStore::Progress> TakeProgress();
  upstream::Phase phase() const { return protocol_.phase(); }
  bool synced() const { return inbox_.synced(); }

 private:
  class AckGuard;

  // SocketOwner
  void OnSocketOpen() override;
  void OnSocketText(std::string_view text) override;
  void OnSocketClosed(const absl::Status& why) override;
  // InboxHost
  void Call(upstream::Request request, upstream::CallDone done) override;
  void Subscribe(std::string path) override;
  void Unsubscribe(const std::string& path) override;
  void SubscribeUsers(const std::vector<std::string>& ids) override;
  void UnsubscribeUser(const std::string& id) override;
  void Append(journal::NewEvent event) override { env_.append(std::move(event)); }
  void PutUnreads(std::string encoded) override { observed_->unreads = std::move(encoded); }
  void WakeInboxAt(MonoTime when) override { inbox_timer_.Set(when); }
  void OnSynced() override;
  void CountRecovered(int) override {}
  void CountSwept(int) override {}

  std::unique_ptr<upstream::TokenSource> MakeTokens() const;
  session::SessionStore::Progress ProgressOf(const session::Coverage& coverage) const;
  void Run();
  void OpenInTurn();
  void OpenSocketNow();
  void NoteSent(std::string_view text);
  void Do(upstream::OpenSocket&& action);
  void Do(upstream::CloseSocket&& action);
  void Do(upstream::AbortSocket&& action);
  void Do(upstream::SendText&& action);
  void Do(upstream::NeedToken&& action);
  void Do(upstream::PhaseChanged&& action);
  void Do(upstream::LoggedIn&& action);
  void Do(upstream::TokenAccepted&&) {}
  void Do(upstream::FrameReceived&& action);
  void Do(upstream::Completed&& action);
  void Do(upstream::ProtocolError&& action);
  void Do(upstream::StateLost&& action);
  void Do(upstream::SubscribedLate&& action);

  const Options options_;
  const Environment env_;
  Observed* const observed_;
  session::Credentials credentials_;
  std::optional<UnixMillis> baseline_at_;
  std::unique_ptr<upstream::TokenSource> tokens_;
  upstream::Protocol protocol_;
  std::shared_ptr<SimSocket> socket_;
  upstream::Turn turn_;
  SimTimer protocol_timer_;
  SimTimer open_timer_;
  SimTimer inbox_timer_;
  session::Inbox inbox_;
  bool running_ = false;
  bool connected_before_ = false;
  std::optional<MonoTime> lost_at_;
  std::shared_ptr<SimSession*> self_;
};

}  // namespace talkjsd::simulation

#endif  // TALKJSD_TESTS_UNIT_SIMULATION_SIM_SESSION_H_
