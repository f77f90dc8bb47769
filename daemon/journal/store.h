// Where events are kept for as long as retention says: in memory, in SQLite segments, later in
// JetStream.
#ifndef TALKJSD_JOURNAL_STORE_H_
#define TALKJSD_JOURNAL_STORE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/journal/event.h"

namespace talkjsd::journal {

struct EpochStart {
  uint64_t epoch = 0;
  uint64_t first_sequence = 0;  // the first that this epoch may give out
};

struct Retention {
  Duration age = std::chrono::hours(24 * 7);
  size_t bytes = 256 << 20;
};

// What events survive that are on disk.
enum class Durability {
  kOs,    // any end of the process
  kDisk,  // also the end of the machine
};

// Events after `after`, up to and with `to`, that are gone though retention covers them.
struct Hole {
  uint64_t after = 0;
  uint64_t to = 0;
  bool missing = false;  // a file is missing; otherwise one is damaged
  friend bool operator==(const Hole&, const Hole&) = default;
};

// Append and Prune are called on the journal's writer thread, everything else on any thread, also
// meanwhile.
class Store {
 public:
  virtual ~Store() = default;

  // Opens a new epoch. Returns all that is known, oldest first, the new one last.
  virtual absl::StatusOr<std::vector<EpochStart>> OpenEpoch(uint64_t epoch) = 0;

  // Stores a group as one: all or nothing, in order, durable as the store was told to be when it
  // returns OK.
  virtual absl::Status Append(const std::vector<EventRef>& group) = 0;

  // Drops what retention no longer covers.
  virtual void Prune(UnixMillis now) = 0;

  // Events with sequence > `after`, oldest first, of these sessions (empty: of all; distinct), at
  // most `max_events`; `*scanned_to` is the sequence up to which everything of these sessions has
  // been returned. Never reads across a hole.
  virtual absl::StatusOr<std::vector<EventRef>> Read(const std::vector<std::string>& session_ids,
                                                     uint64_t after, size_t max_events,
                                                     uint64_t* scanned_to) const = 0;

  // The last sequence stored, and the highest one that is gone (pruned, or never was): events after
  // it can be read. PrunedTo grows no later than the events disappear from Read, so that asking it
  // after a Read tells whether that Read may have missed some.
  virtual uint64_t LastSequence() const = 0;
  virtual uint64_t PrunedTo() const = 0;
  // When the last event was appended; 0 if there is none.
  virtual UnixMillis LastTime() const = 0;

  // The hole that begins at `position` or around it. Ask it after a Read, and before PrunedTo: then
  // one of the two tells why that Read may have missed something.
  virtual std::optional<Hole> HoleAt(uint64_t position) const = 0;

  // The sequence after which everything was appended at `time` or later.
  virtual absl::StatusOr<uint64_t> SequenceBefore(UnixMillis time) const = 0;

  virtual Retention retention() const = 0;
  // Nothing: events are in memory only.
  virtual std::optional<Durability> durability() const = 0;
  virtual size_t events() const = 0;
  virtual size_t bytes() const = 0;
};

std::unique_ptr<Store> MakeMemoryStore(Retention retention);

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_STORE_H_
