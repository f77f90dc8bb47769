// Those who use the emulated app by other means than the daemon: what they say and do, and what a
// session of one of them must have heard in the end.
#ifndef TALKJSD_TESTS_UNIT_SIMULATION_PEOPLE_H_
#define TALKJSD_TESTS_UNIT_SIMULATION_PEOPLE_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/random.h"
#include "tests/unit/simulation/schedule.h"
#include "tests/unit/simulation/sim_upstream.h"

namespace talkjsd::simulation {

struct Said {
  std::string id;
  UnixMillis created_at = 0;
  std::string text;  // as it is now
};

// Lives on the schedule's thread. Everybody exists, and everybody's conversations, from the
// constructor on.
class People {
 public:
  // `users` have sessions; of the first ones some are special: user 0 is in kManyConversations.
  static constexpr int kManyConversations = 120;
  People(Schedule& schedule, SimUpstream& upstream, uint64_t seed, int users);

  const std::vector<std::string>& users() const { return users_; }
  // A conversation that user `index` has with a friend.
  static std::string Own(int index) { return "own-" + std::to_string(index); }
  static std::string Many(int number) { return "many-" + std::to_string(number); }

  // At once.
  void SaySomething(const std::string& conversation);
  // Over the time from now until `time` later: messages at random in random conversations.
  void Chat(Duration time, int messages);
  // One conversation, each message `gap` after the one before.
  void Flood(Duration from_now, const std::string& conversation, int messages, Duration gap);
  // Edits, deletions of what was said after `since`, leaving, joining again, reading.
  void Meddle(Duration time, int deeds, UnixMillis since);

  // What `user` finds in a conversation today that was said after `since` and after he joined, in
  // order. By conversation.
  std::map<std::string, std::vector<Said>> HeldFor(const std::string& user, UnixMillis since) const;
  // Unread count and last message, by conversation.
  std::map<std::string, std::pair<int64_t, std::string>> UnreadsOf(const std::string& user) const;
  UnixMillis CreatedAt(const std::string& message_id) const { return created_at_.at(message_id); }
  int said() const { return static_cast<int>(created_at_.size()); }

 private:
  size_t Pick(size_t bound) { return random_.Next() % bound; }
  Duration Until(Duration time) { return random_.Between(Duration::zero(), time); }
  void AddUser(const std::string& id);
  void AddConversation(const std::string& id, const std::vector<std::string>& members);
  void Join(const std::string& conversation, const std::string& user);
  const std::string& SomeConversation() { return conversations_[Pick(conversations_.size())]; }
  void DoSomething(UnixMillis since);

  Schedule& schedule_;
  SimUpstream& upstream_;
  SeededRandom random_;
  std::vector<std::string> users_;
  std::vector<std::string> friends_;
  std::vector<std::string> conversations_;
  std::map<std::string, UnixMillis> created_at_;  // of every message, by id
  int last_text_ = 0;
};

}  // namespace talkjsd::simulation

#endif  // TALKJSD_TESTS_UNIT_SIMULATION_PEOPLE_H_
