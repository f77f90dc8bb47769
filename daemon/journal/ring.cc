#include "daemon/journal/ring.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <utility>

namespace talkjsd::journal {

// Counts what has been taken against a limit.
class Ring::Taker {
 public:
  Taker(Limit limit, std::vector<EventRef>* out) : limit_(limit), out_(out) {}

  // False if `slot` does not fit.
  bool Take(const Slot& slot) {
    if (limit_.events == 0) return false;
    if (slot.bytes > limit_.bytes && !limit_.first_always) return false;
    limit_.first_always = false;
    limit_.bytes -= std::min(limit_.bytes, slot.bytes);
    --limit_.events;
    out_->push_back(slot.event);
    return true;
  }

 private:
  Limit limit_;
  std::vector<EventRef>* out_;
};

Ring::Session* Ring::GetSession(const std::string& session_id) {
  const auto [found, is_new] = sessions_.try_emplace(session_id);
  if (is_new) {
    found->second.id = &found->first;
    found->second.complete_after = floor_;
  }
  return &found->second;
}

const Ring::Session* Ring::FindSession(const std::string& session_id) const {
  const auto found = sessions_.find(session_id);
  return found == sessions_.end() ? nullptr : &found->second;
}

void Ring::RemoveWatcher(Session* session, Watcher* watcher) {
  const auto found = std::find(session->watchers.begin(), session->watchers.end(), watcher);
  if (found != session->watchers.end()) {
    *found = session->watchers.back();
    session->watchers.pop_back();
  }
  ForgetIfUnused(session);
}

void Ring::ForgetIfUnused(Session* session) {
  if (!session->sequences.empty() || !session->watchers.empty()) return;
  sessions_.erase(sessions_.find(*session->id));
}

void Ring::Append(EventRef event, Session* session) {
  const uint64_t sequence = event->cursor.sequence;
  session->sequences.push_back(sequence);
  session->last_sequence = sequence;
  cost_ += event->Cost();
  const size_t bytes = event->bytes.size();
  events_.push_back({std::move(event), session, bytes});
}

void Ring::EvictOldest(std::vector<EventRef>* evicted) {
  Slot slot = std::move(events_.front());
  events_.pop_front();
  ++floor_;
  cost_ -= slot.event->Cost();
  slot.session->sequences.pop_front();
  slot.session->complete_after = floor_;
  ForgetIfUnused(slot.session);
  evicted->push_back(std::move(slot.event));
}

bool Ring::Read(uint64_t after, Limit limit, std::vector<EventRef>* out) const {
  Taker taker(limit, out);
  for (size_t i = std::max(after, floor_) - floor_; i < events_.size(); ++i) {
    if (!taker.Take(events_[i])) return false;
  }
  return true;
}

bool Ring::Read(const std::vector<const Session*>& sessions, uint64_t after, Limit limit,
                std::vector<EventRef>* out) const {
  using Sequences = std::deque<uint64_t>;
  struct Run {
    Sequences::const_iterator next;
    Sequences::const_iterator end;
    bool operator>(const Run& other) const { return *next > *other.next; }
  };
  std::vector<Run> runs;
  for (const Session* session : sessions) {
    if (session->last_sequence <= after) continue;
    const Sequences& sequences = session->sequences;
    const Run run{std::upper_bound(sequences.begin(), sequences.end(), after), sequences.end()};
    if (run.next != run.end) runs.push_back(run);
  }

  Taker taker(limit, out);
  if (runs.size() == 1) {
    for (Run run = runs.front(); run.next != run.end; ++run.next) {
      if (!taker.Take(At(*run.next))) return false;
    }
    return true;
  }
  std::priority_queue<Run, std::vector<Run>, std::greater<>> heap(std::greater<>(),
                                                                  std::move(runs));
  while (!heap.empty()) {
    Run run = heap.top();
    if (!taker.Take(At(*run.next))) return false;
    heap.pop();
    if (++run.next != run.end) heap.push(run);
  }
  return true;
}

uint64_t Ring::SequenceBefore(UnixMillis time) const {
  const auto first = std::partition_point(events_.begin(), events_.end(), [time](const Slot& slot) {
    return slot.event->append_time < time;
  });
  return floor_ + static_cast<uint64_t>(first - events_.begin());
}

}  // namespace talkjsd::journal
