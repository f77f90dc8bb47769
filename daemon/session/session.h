// One session: a user of an app, kept logged in, its events on their way to the journal.
#ifndef TALKJSD_SESSION_SESSION_H_
#define TALKJSD_SESSION_SESSION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "daemon/net/event_loop.h"
#include "daemon/net/http_client.h"
#include "daemon/net/tls_context.h"
#include "daemon/session/inbox.h"
#include "daemon/session/info.h"
#include "daemon/session/keeper.h"
#include "daemon/session/session_store.h"
#include "daemon/session/unreads_board.h"
#include "daemon/upstream/connection.h"
#include "daemon/upstream/pacer.h"
#include "daemon/upstream/token_broker.h"
#include "daemon/upstream/token_files.h"
#include "daemon/wire/host.h"

namespace talkjsd::session {

// Lives on one shard for life. Everything outlives it but `changed`'s captures, which the registry
// keeps valid.
class Session : private upstream::ConnectionListener, private InboxHost {
 public:
  struct Options {
    Info first;                        // as the registry made it
    std::shared_ptr<const Spec> spec;  // it has a user
    // Made once, with the first login; null: none.
    std::shared_ptr<const upstream::Request> push_at_login;
    wire::BaseUrls urls;
    int message_subscriptions = 30;
    std::shared_ptr<Restored> restored;  // null: a new session
    bool first_connection_is_paced = false;
  };
  struct Environment {
    net::EventLoop& loop;
    journal::Journal& journal;
    UnreadsBoard& unreads;
    net::HttpClient& http;
    const net::TlsContext& tls;
    const Clock& clock;
    Random& random;
    Metrics& metrics;
    upstream::Pacer& pacer;
    Keeper& keeper;
    upstream::TokenFiles& token_files;
    upstream::TokenBroker& token_broker;
  };
  // `changed` gets each new snapshot (its version is not set), on the shard.
  Session(Options options, Environment environment, std::function<void(const Info&)> changed);
  ~Session() override;

  void Start();
  // Closes the connection; calls under way end with `why`. Nothing is emitted afterwards. `closed`
  // runs when the socket is gone; destroy the session then, or earlier to drop the socket.
  void Stop(const absl::Status& why, std::function<void()> closed);
  // The same session with other credentials: newer ones, or ones of another kind.
  void ReplaceCredentials(std::shared_ptr<const Spec> spec);
  // What changed since it was last asked; nothing before the first complete login.
  std::optional<SessionStore::Progress> TakeProgress();
  void CallUpstream(upstream::Request request, Duration timeout, upstream::CallDone done);

 private:
  // upstream::ConnectionListener
  void OnLoggedIn(bool state_kept) override;
  void OnSubscribedLate(const std::string& path) override;
  void OnEvents(std::vector<wire::Event> events, const upstream::AckTicket& ticket) override;
  void OnStatusChanged() override;
  std::string_view session_id() const override { return info_.session_id; }
  absl::Status Room() const override;
  // InboxHost
  void Call(upstream::Request request, upstream::CallDone done) override;
  void Subscribe(std::string path) override;
  void Unsubscribe(const std::string& path) override;
  void SubscribeUsers(const std::vector<std::string>& ids) override;
  void UnsubscribeUser(const std::string& id) override;
  void Append(journal::NewEvent event) override;
  void PutUnreads(std::string encoded) override;
  void WakeInboxAt(MonoTime when) override;
  void OnSynced() override;
  void CountRecovered(int messages) override;
  void CountSwept(int conversations) override;

  std::unique_ptr<upstream::TokenSource> MakeTokens();
  std::unique_ptr<upstream::TokenSource> MakeFetcher();
  void WriteUser();
  void WritePush();
  State StateOf(const upstream::Connection::Status& status) const;
  SessionStore::Progress ProgressOf(const Coverage& coverage) const;
  void BecomeConnected();
  void Publish();

  Info info_;
  std::shared_ptr<const Spec> spec_;                        // shared with the registry
  bool user_to_write_;                                      // the spec's user attributes
  std::shared_ptr<const upstream::Request> push_at_login_;  // null once TalkJS has answered
  std::unique_ptr<std::string> push_trouble_;               // null: none
  const wire::BaseUrls urls_;
  const Environment env_;
  const std::function<void(const Info&)> changed_;
  absl::Status user_trouble_;  // the user's attributes could not be written
  bool synced_ = false;
  bool was_connected_ = false;
  bool started_ = false;
  upstream::Connection connection_;
  Inbox inbox_;
  net::Timer inbox_timer_;
  std::shared_ptr<Session*> self_;  // for what comes back from another thread
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_SESSION_H_
