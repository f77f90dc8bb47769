// What the journal's tests share: events, a clock for several threads, a store that does as it is
// told.
#ifndef TALKJSD_TESTS_UNIT_JOURNAL_JOURNAL_TESTING_H_
#define TALKJSD_TESTS_UNIT_JOURNAL_JOURNAL_TESTING_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/error.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {

// Long enough for any machine; a test that waits for so long has failed.
inline constexpr std::chrono::seconds kPatience{20};
inline constexpr size_t kNoLimit = SIZE_MAX;

class TestClock : public Clock {
 public:
  MonoTime Now() const override { return MonoTime(std::chrono::milliseconds(wall_.load())); }
  UnixMillis WallMillis() const override { return wall_.load(); }
  void Set(UnixMillis wall) { wall_ = wall; }

 private:
  std::atomic<UnixMillis> wall_{1'700'000'000'000};
};

inline NewEvent MakeEvent(std::string session, size_t payload_bytes = 20) {
  std::string serialised("\x0a\x11");
  serialised.append(CursorPlaceholder()).append(payload_bytes, 'x');
  NewEvent event;
  event.session_id = std::move(session);
  event.conversation_id = "c";
  event.bytes = FrameEvent(serialised);
  return event;
}

inline std::vector<NewEvent> MakeEvents(std::string session, size_t count) {
  std::vector<NewEvent> events;
  for (size_t i = 0; i < count; ++i) events.push_back(MakeEvent(session));
  return events;
}

// For tests of Ring and Store below the journal.
inline EventRef MakeStored(std::string session, uint64_t sequence, UnixMillis time = 0,
                           size_t bytes = 10) {
  auto event = std::make_shared<StoredEvent>();
  event->cursor = {1, sequence};
  event->append_time = time;
  event->session_id = std::move(session);
  event->bytes.assign(bytes, 'x');
  return event;
}

inline std::vector<uint64_t> Sequences(const std::vector<EventRef>& events) {
  std::vector<uint64_t> sequences;
  for (const EventRef& event : events) sequences.push_back(event->cursor.sequence);
  return sequences;
}

inline std::vector<uint64_t> Range(uint64_t first, uint64_t last) {
  std::vector<uint64_t> sequences;
  for (uint64_t sequence = first; sequence <= last; ++sequence) sequences.push_back(sequence);
  return sequences;
}

// A store that can be filled beforehand, fail, and be held up. Thread-safe.
class FakeStore : public Store {
 public:
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::vector<EpochStart> epochs;
    std::vector<EventRef> events;
    std::vector<size_t> groups;  // sizes of the groups stored
    uint64_t pruned_to = 0;
    std::optional<Hole> hole;
    int appends = 0;       // attempts
    int failures_due = 0;  // attempts that will fail
    bool held = false;     // attempts wait
    bool unreadable = false;
    int reads = 0;

    // While the journal is open, its writer looks at this from its thread.
    template <typename T>
    void Set(T State::*member, T value) {
      std::lock_guard lock(mutex);
      this->*member = value;
      changed.notify_all();
    }
    void Hold(bool hold) { Set(&State::held, hold); }
    bool AwaitAppends(int count) {
      std::unique_lock lock(mutex);
      return changed.wait_for(lock, kPatience, [&] { return appends >= count; });
    }
  };

  explicit FakeStore(std::shared_ptr<State> state) : state_(std::move(state)) {}

  absl::StatusOr<std::vector<EpochStart>> OpenEpoch(uint64_t epoch) override {
    std::lock_guard lock(state_->mutex);
    state_->epochs.push_back({epoch, Last() + 1});
    return state_->epochs;
  }
  absl::Status Append(const std::vector<EventRef>& group) override {
    std::unique_lock lock(state_->mutex);
    ++state_->appends;
    state_->changed.notify_all();
    state_->changed.wait(lock, [this] { return !state_->held; });
    if (state_->failures_due > 0) {
      --state_->failures_due;
      return absl::ResourceExhaustedError("disk full");
    }
    state_->groups.push_back(group.size());
    state_->events.insert(state_->events.end(), group.begin(), group.end());
    return absl::OkStatus();
  }
  void Prune(UnixMillis) override {}
  absl::StatusOr<std::vector<EventRef>> Read(const std::vector<std::string>& session_ids,
                                             uint64_t after, size_t max_events,
                                             uint64_t* scanned_to) const override {
    std::lock_guard lock(state_->mutex);
    ++state_->reads;
    if (state_->unreadable) return absl::DataLossError("I/O error");
    std::vector<EventRef> found;
    for (const EventRef& event : state_->events) {
      if (event->cursor.sequence <= std::max(after, state_->pruned_to)) continue;
      if (state_->hole.has_value() && after < state_->hole->to &&
          event->cursor.sequence > state_->hole->after) {
        *scanned_to = std::max(after, state_->hole->after);
        return found;
      }
      if (!session_ids.empty() && std::find(session_ids.begin(), session_ids.end(),
                                            event->session_id) == session_ids.end()) {
        continue;
      }
      if (found.size() == max_events) {
        *scanned_to = found.back()->cursor.sequence;
        return found;
      }
      found.push_back(event);
    }
    *scanned_to = Last();
    return found;
  }
  uint64_t LastSequence() const override {
    std::lock_guard lock(state_->mutex);
    return Last();
  }
  uint64_t PrunedTo() const override {
    std::lock_guard lock(state_->mutex);
    return state_->pruned_to;
  }
  UnixMillis LastTime() const override { return 0; }
  std::optional<Hole> HoleAt(uint64_t position) const override {
    std::lock_guard lock(state_->mutex);
    const std::optional<Hole>& hole = state_->hole;
    if (!hole.has_value() || position < hole->after || position >= hole->to) return std::nullopt;
    return hole;
  }
  absl::StatusOr<uint64_t> SequenceBefore(UnixMillis) const override {
    return absl::UnimplementedError("not searched by time in these tests");
  }
  Retention retention() const override { return {}; }
  std::optional<Durability> durability() const override { return std::nullopt; }
  size_t events() const override { return 0; }
  size_t bytes() const override { return 0; }

 private:
  uint64_t Last() const {
    return state_->events.empty() ? state_->pruned_to : state_->events.back()->cursor.sequence;
  }

  std::shared_ptr<State> state_;
};

// An open journal over a memory store or a FakeStore.
class JournalFixture : public ::testing::Test {
 protected:
  void OpenMemory(Journal::Options options = {}, Retention retention = {}) {
    Open(options, MakeMemoryStore(retention));
  }
  void OpenFake(Journal::Options options = {}) {
    Open(options, std::make_unique<FakeStore>(store_));
  }
  void Open(Journal::Options options, std::unique_ptr<Store> store) {
    auto opened = Journal::Open(options, std::move(store), clock_, random_, metrics_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    journal_ = *std::move(opened);
  }

  // Returns when the events are stored and visible.
  void Append(std::vector<NewEvent> events) {
    std::promise<absl::Status> stored;
    journal_->Append(std::move(events),
                     [&](const absl::Status& status) { stored.set_value(status); });
    const absl::Status status = stored.get_future().get();
    ASSERT_TRUE(status.ok()) << status;
  }
  void Append(const std::string& session, size_t count = 1) { Append(MakeEvents(session, count)); }
  // Returns when the writer has done with what came before, pruning included.
  void Settle() { Append(std::vector<NewEvent>{}); }

  static StartPosition At(Cursor cursor) {
    return {.kind = StartPosition::Kind::kCursor, .cursor = cursor};
  }
  StartPosition After(uint64_t sequence) const { return At({journal_->epoch(), sequence}); }
  static StartPosition Now() { return {}; }
  static StartPosition Earliest() { return {.kind = StartPosition::Kind::kEarliest}; }

  static Selection Sessions(std::vector<std::string> ids) {
    Selection selection;
    selection.session_ids = std::move(ids);
    return selection;
  }

  std::unique_ptr<Reader> Reading(Selection selection, StartPosition start,
                                  OnGap on_gap = OnGap::kFail) {
    std::optional<GapInfo> gap;
    auto reader = journal_->OpenReader(std::move(selection), start, on_gap, &gap);
    EXPECT_TRUE(reader.ok()) << reader.status();
    EXPECT_FALSE(gap.has_value());
    return reader.ok() ? *std::move(reader) : nullptr;
  }

  // Everything that follows, read in batches.
  static std::vector<EventRef> ReadAll(Reader& reader, size_t max_events = 256,
                                       size_t max_bytes = 65536) {
    std::vector<EventRef> all;
    for (;;) {
      auto batch = reader.Read(max_events, max_bytes);
      EXPECT_TRUE(batch.ok()) << batch.status();
      if (!batch.ok() || batch->events.empty()) return all;
      EXPECT_LE(batch->events.size(), max_events);
      all.insert(all.end(), batch->events.begin(), batch->events.end());
    }
  }

  TestClock clock_;
  SeededRandom random_{7};
  Metrics metrics_;
  std::shared_ptr<FakeStore::State> store_ = std::make_shared<FakeStore::State>();
  std::unique_ptr<Journal> journal_;
};

// A reader that waits on a thread of the test.
class Waiter {
 public:
  // False if nobody called for so long that the call must have been lost.
  bool Await(Reader& reader) {
    reader.NotifyWhenReady([this] {
      std::lock_guard lock(mutex_);
      ready_ = true;
      changed_.notify_all();
    });
    std::unique_lock lock(mutex_);
    const bool called = changed_.wait_for(lock, kPatience, [this] { return ready_; });
    ready_ = false;
    return called;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_TESTS_UNIT_JOURNAL_JOURNAL_TESTING_H_
