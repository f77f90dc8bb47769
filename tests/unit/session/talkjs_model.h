// A tiny TalkJS as one user's inbox sees it, and the host that connects the two, for tests of the
// inbox.
#ifndef TALKJSD_TESTS_UNIT_SESSION_TALKJS_MODEL_H_
#define TALKJSD_TESTS_UNIT_SESSION_TALKJS_MODEL_H_

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "daemon/session/inbox.h"

namespace talkjsd::session {

inline constexpr char kMe[] = "me";

// What the inbox appended, decoded.
struct Appended {
  journal::EventKind kind;
  std::string conversation_id;
  std::string message_id;
  std::string body;
  std::string sender_name;  // empty: absent
  UnixMillis created_at = 0;
  UnixMillis appended_at = 0;
  bool recovered = false;
  bool by_me = false;
};

struct UnreadEntry {
  std::string conversation_id;
  int64_t count = 0;
  std::string last_message_id;
  friend bool operator==(const UnreadEntry&, const UnreadEntry&) = default;
};

struct UnreadsList {
  std::vector<UnreadEntry> entries;
  bool stale = false;
  UnixMillis as_of = 0;
};

// TalkJS, the socket and the session in one: frames wait in two queues, to and from the server, and
// move when told to.
class TalkModel : public InboxHost {
 public:
  TalkModel(ManualClock& clock, int message_subscriptions);
  ~TalkModel() override;

  Inbox& inbox() { return *inbox_; }

  // --- what other people do ---
  struct Post {
    wire::Message message;
    int64_t number = 0;  // over all conversations
  };
  struct Conversation {
    bool in = false;
    UnixMillis joined_at = 0;
    UnixMillis read_until = 0;
    bool marked_unread = false;
    std::string subject;
    UnixMillis deleted_last_at = 0;  // still shown as the time of the last message
    std::deque<Post> posts;          // oldest first
  };
  void Join(const std::string& conversation);
  void Leave(const std::string& conversation);
  std::string Say(const std::string& conversation, const std::string& sender,
                  const std::string& text = "hi");
  void Edit(const std::string& conversation, const std::string& message, const std::string& text);
  void React(const std::string& conversation, const std::string& message);
  void Delete(const std::string& conversation, const std::string& message);
  void Read(const std::string& conversation);
  void MarkUnread(const std::string& conversation);
  wire::Conversation SideOf(const std::string& conversation) const;
  std::vector<UnreadEntry> ExpectedUnreads() const;
  std::map<std::string, Conversation>& conversations() { return conversations_; }

  // --- the connection ---
  void Connect();  // logs in; queues the subscriptions wanted
  // `announced`: TalkJS keeps what it has for the session and hands it over later.
  void Disconnect(bool announced = false);
  bool connected() const { return connected_; }
  // What the daemon stores now and then of how far it has followed TalkJS.
  void TakeCheckpoint();
  // The daemon is killed and starts again: all is lost but what was appended and the last
  // checkpoint. Not connected afterwards.
  void Restart();
  bool ServerStep();  // answers one frame of the client; false: there was none
  bool ClientStep();  // hands over one frame of the server
  bool WakeStep();    // fires the timer if it is due
  void RunIdle();     // until nothing moves without time
  // As RunIdle, with time passing for as long as the inbox wants to be woken, at most `limit`.
  void Settle(Duration limit = std::chrono::minutes(2));
  // Sent before anything else, straight from the server.
  void Inject(std::vector<wire::Event> events);

  // --- faults ---
  // Status to answer a request with instead; nullopt: as usual. 0: never answer.
  std::function<std::optional<int>(const upstream::Request&)> fault;
  // Paths that are not subscribed to when the inbox asks for it, but by AcceptRefused.
  std::set<std::string> refused;
  void AcceptRefused();
  bool goes_in_circles = false;  // every page of a list is its first, with the same cursor
  bool loses_events = false;     // nothing is published
  bool events_apart = false;     // message.created and side.edited in frames of their own
  std::set<std::string> unknown_users;

  // --- what came out ---
  std::vector<Appended> appended;
  std::vector<std::string> Sent(const std::string& conversation = "") const;  // message ids
  int gaps = 0;                                                               // UPSTREAM_UNCERTAIN
  int incomplete = 0;                                                         // UPSTREAM_INCOMPLETE
  int synced = 0;
  int recovered = 0;
  int swept = 0;  // conversations
  std::vector<UnreadsList> unreads;
  std::vector<std::string> log;  // "SUBSCRIBE /me/...", "GET ...", in order
  int frames = 0;                // with events, handed over
  int acknowledged = 0;
  std::set<std::string> ServerSubscriptions() const { return subscriptions_; }
  int Count(const std::string& prefix) const;  // of `log`
  MonoTime wake() const { return wake_; }

  // InboxHost
  void Call(upstream::Request request, upstream::CallDone done) override;
  void SubscribeUsers(const std::vector<std::string>& ids) override;
  void UnsubscribeUser(const std::string& id) override;
  void Subscribe(std::string path) override;
  void Unsubscribe(const std::string& path) override;
  void Append(journal::NewEvent event) override;
  void PutUnreads(std::string encoded) override;
  void WakeInboxAt(MonoTime when) override { wake_ = when; }
  void OnSynced() override;
  void CountRecovered(int messages) override { recovered += messages; }
  void CountSwept(int conversations) override { swept += conversations; }

 private:
  struct FromClient {
    upstream::Request request;
    upstream::CallDone done;  // null: (UN)SUBSCRIBE
  };
  struct FromServer {
    std::vector<wire::Event> events;  // or
    FromClient question;
    upstream::Reply reply;
    std::string subscribed_late;  // or
  };
  void Publish(std::vector<wire::Event> events, const std::string& path = "/me/conversations");
  std::optional<upstream::Reply> Answer(const upstream::Request& request);
  upstream::Reply ListConversations(const std::string& data) const;
  upstream::Reply ListMessages(const Conversation& conversation, const std::string& data);
  upstream::Reply GetUsers(const std::string& data) const;
  int64_t UnreadCount(const Conversation& conversation) const;
  wire::ConversationDiff Changed(const std::string& conversation, const wire::Conversation& before);

  ManualClock& clock_;
  SeededRandom random_{1};
  std::map<std::string, Conversation> conversations_;
  int64_t last_number_ = 0;
  bool connected_ = false;
  bool keeps_state_ = false;
  std::set<std::string> wanted_;
  std::set<std::string> subscriptions_;  // as the server sees them
  std::deque<FromClient> to_server_;
  std::deque<FromServer> to_client_;
  MonoTime wake_ = kNever;
  std::optional<Coverage> checkpoint_;
  UnixMillis checkpoint_at_ = 0;
  const Inbox::Options options_;
  std::unique_ptr<Inbox> inbox_;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_TESTS_UNIT_SESSION_TALKJS_MODEL_H_
