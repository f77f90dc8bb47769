// Consecutive events in memory: all of them in order, and each session's own.
#ifndef TALKJSD_JOURNAL_RING_H_
#define TALKJSD_JOURNAL_RING_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/journal/event.h"

namespace talkjsd::journal {

class Watcher;

// Not thread-safe: its owner locks. It holds every event after floor(), to last_sequence(); its
// owner evicts the oldest. Reading copies references only, and looks at no event.
class Ring {
 public:
  // What is known of a session. It exists as long as it has events here or is watched.
  struct Session {
    const std::string* id = nullptr;
    // Of its events in the ring, ascending.
    std::deque<uint64_t> sequences;
    // All of its events after this one are in the ring. Further back than floor() for a session
    // that has been quiet.
    uint64_t complete_after = 0;
    // Its newest event since it is known here, in the ring or not; 0 if none.
    uint64_t last_sequence = 0;
    std::vector<Watcher*> watchers;
  };

  struct Limit {
    size_t events = SIZE_MAX;
    size_t bytes = SIZE_MAX;   // of StoredEvent::bytes
    bool first_always = true;  // the first event is taken even if it has more bytes
  };

  // `floor`: the sequence before the first event to come.
  explicit Ring(uint64_t floor) : floor_(floor) {}
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  uint64_t floor() const { return floor_; }
  uint64_t last_sequence() const { return floor_ + events_.size(); }
  size_t events() const { return events_.size(); }
  size_t cost() const { return cost_; }
  size_t sessions() const { return sessions_.size(); }
  const EventRef& oldest() const { return events_.front().event; }
  const EventRef& newest() const { return events_.back().event; }

  // The session's entry, made if need be: for Append at once, or for AddWatcher.
  Session* GetSession(const std::string& session_id);
  // Nullptr if it has no entry.
  const Session* FindSession(const std::string& session_id) const;
  void AddWatcher(Session* session, Watcher* watcher) { session->watchers.push_back(watcher); }
  // Forgets the session if it has neither events nor watchers left.
  void RemoveWatcher(Session* session, Watcher* watcher);

  // `event` follows last_sequence() and is one of `session`.
  void Append(EventRef event, Session* session);

  // Evicts the oldest event into `evicted`, so that it can be freed without the owner's lock.
  void EvictOldest(std::vector<EventRef>* evicted);

  // Appends what follows `after` to `out`, as far as `limit` goes; true if nothing more follows.
  bool Read(uint64_t after, Limit limit, std::vector<EventRef>* out) const;
  // The same of some sessions (distinct), merged by sequence.
  bool Read(const std::vector<const Session*>& sessions, uint64_t after, Limit limit,
            std::vector<EventRef>* out) const;

  // The sequence after which everything here was appended at `time` or later. Append times must not
  // fall.
  uint64_t SequenceBefore(UnixMillis time) const;

 private:
  struct Slot {
    EventRef event;
    Session* session;
    size_t bytes;
  };
  class Taker;

  const Slot& At(uint64_t sequence) const { return events_[sequence - floor_ - 1]; }
  void ForgetIfUnused(Session* session);

  uint64_t floor_;
  size_t cost_ = 0;
  std::deque<Slot> events_;
  std::unordered_map<std::string, Session> sessions_;  // nodes: entries keep their address
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_RING_H_
