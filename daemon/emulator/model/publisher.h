// Who hears of what: turns changes of the world into events for the sockets that subscribed to
// them, exactly as the receivers table of the protocol (realtime.md 7.5) and its hard rule say.
//
// Receivers of a conversation's events are found by walking its participants, so that a socket
// whose user is not in the conversation cannot get one; a change costs nothing for the rest of the
// sockets. An event that is the same for everyone is encoded once; one that nobody wants is not
// encoded.
//
// Lives on the world's thread.
#ifndef TALKJSD_EMULATOR_MODEL_PUBLISHER_H_
#define TALKJSD_EMULATOR_MODEL_PUBLISHER_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/emulator/model/change.h"
#include "daemon/emulator/model/topic.h"
#include "daemon/emulator/model/world.h"

namespace talkjsd::emulator {

// An event as JSON text, shared by all who get it.
using EventText = std::shared_ptr<const std::string>;

// What one logged-in socket is subscribed to. The publisher fills it.
class Subscriptions {
 public:
  struct InConversation {
    bool side = false;
    bool messages = false;
    bool participants = false;
    bool typing = false;
    std::set<std::string> participant;                        // single ones, by user id
    std::set<std::pair<std::string, std::string>> reactions;  // message id, emoji
    bool empty() const { return size() == 0; }
    size_t size() const;
  };
  const InConversation* In(const std::string& conversation_id) const;
  // The conversation whose messages were subscribed to last; empty if none are.
  const std::string& latest_messages() const { return latest_messages_; }
  bool all_conversations() const { return all_conversations_; }
  // How many topics.
  size_t size() const;

 private:
  friend class Publisher;
  bool all_conversations_ = false;
  std::unordered_map<std::string, InConversation> in_;
  std::string latest_messages_;
  std::set<std::string> users_;
  std::set<std::string> online_;
};

// A logged-in socket, seen from here.
class Subscriber {
 public:
  // `client_id` names the session across its sockets; only servers are told.
  explicit Subscriber(std::string user_id, std::string client_id = "")
      : user_id_(std::move(user_id)), client_id_(std::move(client_id)) {}
  virtual ~Subscriber() = default;
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;

  const std::string& user_id() const { return user_id_; }
  const std::string& client_id() const { return client_id_; }
  const Subscriptions& subscriptions() const { return subscriptions_; }
  size_t subscription_count() const { return subscriptions_.size(); }

  // The events of one call, as one PUBLISH.
  virtual void Deliver(const std::vector<EventText>& events) = 0;
  // During Deliver: these events are about something that a PUBLISH shortly before has made, a
  // message or one's side of a conversation. The SDK loses them if it reads both at once.
  bool builds_on_fresh() const { return builds_on_fresh_; }

 private:
  friend class Publisher;
  // Conversations, to compare only: where a message was made, and which one was joined.
  struct Fresh {
    const void* message_in = nullptr;
    const void* side_of = nullptr;
  };
  const std::string user_id_;
  const std::string client_id_;
  Subscriptions subscriptions_;
  std::vector<EventText> pending_;
  Fresh fresh_;          // by what was delivered
  Fresh pending_fresh_;  // by what is pending
  bool builds_on_fresh_ = false;
};

class Publisher {
 public:
  // The world outlives the publisher and reports its changes to Publish.
  explicit Publisher(World& world) : world_(world) {}
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  // From login to logout. Adding and removing tells the world who is connected. Removing forgets
  // the subscriptions and what was not yet delivered. Both are no-ops if done already.
  void Add(Subscriber& subscriber);
  void Remove(Subscriber& subscriber);

  // Those that were added, of one user.
  const std::vector<Subscriber*>& SocketsOf(const std::string& user_id) const;
  std::vector<std::string> ConnectedUsers() const;

  // Of a subscriber that was added. Twice is once.
  void Subscribe(Subscriber& subscriber, const Topic& topic);
  void Unsubscribe(Subscriber& subscriber, const Topic& topic);

  void Publish(const Change& change);
  // Delivers what was published since the last time: one call of Deliver a socket.
  void Flush();

 private:
  // Offers an event to the sockets of one user: `wanted` decides a socket, `make` is asked for the
  // text once.
  template <typename Wanted, typename Make>
  void ToUser(const std::string& user_id, Wanted wanted, Make make);
  // The same text for all participants of a conversation, `except` for one user.
  template <typename Wanted, typename Make>
  void ToParticipants(const ConversationRecord& conversation, std::string_view except,
                      Wanted wanted, Make make);
  using Watchers = std::unordered_map<std::string, std::unordered_set<Subscriber*>>;
  void ToWatchers(const Watchers& watchers, const std::string& user_id, const EventText& text);
  void Queue(Subscriber& subscriber, const EventText& text);
  void NoteFresh(Subscriber& subscriber) const;
  static void Unwatch(Watchers& watchers, const std::string& user_id, Subscriber& subscriber);

  void On(const UserAdded& change);
  void On(const UserChanged& change);
  void On(const OnlineChanged& change);
  void On(const UserRemoved&) {}        // the protocol has no event for it
  void On(const ConversationAdded&) {}  // nobody is in it yet
  void On(const ConversationChanged& change);
  void On(const ConversationTouched&) {}
  void On(const ConversationRemoved& change);
  void On(const ConversationLoaded& change);
  void On(const Joined& change);
  void On(const ParticipantChanged& change);
  void On(const Left& change);
  void On(const SideChanged& change);
  void On(const SideTouched&) {}
  void On(const MessageAdded& change);
  void On(const MessageImported&) {}
  void On(const MessageChanged& change);
  void On(const MessageRemoved& change);
  void On(const ConversationCleared& change);
  void On(const ReactionChanged& change);
  void On(const TypingChanged& change);
  void On(const KeyRemembered&) {}
  void On(const WorldReplaced&) {}

  // side.deleted, or side.created and the state of typing, to the user that it happened to.
  void TellGone(const std::string& user_id, const ConversationRecord& conversation);
  void TellThere(const ConversationRecord& conversation, const ParticipantRecord& participant);

  World& world_;
  std::unordered_map<std::string, std::vector<Subscriber*>> sockets_;  // by user id
  Watchers user_watchers_;
  Watchers online_watchers_;
  std::vector<Subscriber*> dirty_;  // have pending events

  // What the event that is being queued is about.
  struct About {
    const void* conversation = nullptr;
    bool makes_side = false;
    bool makes_message = false;
    bool changes_message = false;
  };
  template <typename Happened>
  static About AboutOf(const Happened& happened);
  About about_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_PUBLISHER_H_
