#include <memory>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/journal/ring.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {
namespace {

// Keeps what retention covers in memory. The events are those of the journal's ring: nothing is
// copied.
class MemoryStore : public Store {
 public:
  explicit MemoryStore(Retention retention) : retention_(retention), held_(0) {}

  absl::StatusOr<std::vector<EpochStart>> OpenEpoch(uint64_t epoch) override {
    MutexLock lock(mutex_);
    epochs_.push_back({epoch, held_.last_sequence() + 1});
    return epochs_;
  }

  absl::Status Append(const std::vector<EventRef>& group) override {
    MutexLock lock(mutex_);
    for (const EventRef& event : group) held_.Append(event, held_.GetSession(event->session_id));
    return absl::OkStatus();
  }

  void Prune(UnixMillis now) override {
    const UnixMillis oldest =
        now - std::chrono::duration_cast<std::chrono::milliseconds>(retention_.age).count();
    std::vector<EventRef> evicted;  // freed after the lock
    MutexLock lock(mutex_);
    while (held_.events() > 0 &&
           (held_.cost() > retention_.bytes || held_.oldest()->append_time < oldest)) {
      held_.EvictOldest(&evicted);
    }
  }

  absl::StatusOr<std::vector<EventRef>> Read(const std::vector<std::string>& session_ids,
                                             uint64_t after, size_t max_events,
                                             uint64_t* scanned_to) const override {
    std::vector<EventRef> events;
    MutexLock lock(mutex_);
    const Ring::Limit limit{.events = max_events};
    bool complete = false;
    if (session_ids.empty()) {
      complete = held_.Read(after, limit, &events);
    } else {
      std::vector<const Ring::Session*> sessions;
      for (const std::string& id : session_ids) {
        if (const Ring::Session* session = held_.FindSession(id)) sessions.push_back(session);
      }
      complete = held_.Read(sessions, after, limit, &events);
    }
    if (complete) {
      *scanned_to = held_.last_sequence();
    } else {
      *scanned_to = events.empty() ? after : events.back()->cursor.sequence;
    }
    return events;
  }

  uint64_t LastSequence() const override {
    MutexLock lock(mutex_);
    return held_.last_sequence();
  }
  uint64_t PrunedTo() const override {
    MutexLock lock(mutex_);
    return held_.floor();
  }
  UnixMillis LastTime() const override {
    MutexLock lock(mutex_);
    return held_.events() == 0 ? 0 : held_.newest()->append_time;
  }
  std::optional<Hole> HoleAt(uint64_t) const override { return std::nullopt; }
  absl::StatusOr<uint64_t> SequenceBefore(UnixMillis time) const override {
    MutexLock lock(mutex_);
    return held_.SequenceBefore(time);
  }
  Retention retention() const override { return retention_; }
  std::optional<Durability> durability() const override { return std::nullopt; }
  size_t events() const override {
    MutexLock lock(mutex_);
    return held_.events();
  }
  size_t bytes() const override {
    MutexLock lock(mutex_);
    return held_.cost();
  }

 private:
  const Retention retention_;
  mutable Mutex mutex_;
  std::vector<EpochStart> epochs_ ABSL_GUARDED_BY(mutex_);
  Ring held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<Store> MakeMemoryStore(Retention retention) {
  return std::make_unique<MemoryStore>(retention);
}

}  // namespace talkjsd::journal
