// The acknowledged positions of named subscriptions: a small SQLite file of its own, beside the
// journal.
//
// Positions may lag behind what was acknowledged, by a second; they never lead: what they cover was
// stored in the journal before.
//
// Format 1: application_id and user_version as a segment's, and the tables
//   about(name TEXT PRIMARY KEY, value)                                        'written_by'
//   subscriptions(name TEXT PRIMARY KEY, selection BLOB, epoch, sequence, last_used)
// with times in Unix milliseconds, 0 = not set.
#ifndef TALKJSD_JOURNAL_POSITIONS_H_
#define TALKJSD_JOURNAL_POSITIONS_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/journal/cursor.h"

namespace talkjsd::journal {

// A subscription that nobody uses for so long expires.
inline constexpr Duration kSubscriptionLifetime = std::chrono::hours(24 * 30);

// Thread-safe. Readers look at memory; changes said to be stored at once wait for the disk.
// Errors: JOURNAL_DISK_FULL, JOURNAL_READ_ONLY, JOURNAL_UNAVAILABLE; nothing has changed then.
class Positions {
 public:
  struct Options {
    std::string path;
    // Of changes that may lag. They are promised within 1 s, and writing takes time, too.
    Duration delay = std::chrono::milliseconds(500);
    Duration unused_for = kSubscriptionLifetime;  // then a subscription expires
    // Journal::Resolve of the journal that these positions are of.
    std::function<std::optional<uint64_t>(Cursor)> resolve;
    std::string vfs;  // for tests
  };
  struct Subscription {
    std::string name;
    std::string selection;  // opaque; fixed
    Cursor position;
    UnixMillis last_used = 0;
  };
  // Fails as changes do; with JOURNAL_SEGMENT_DAMAGED (restore it, or move it away and lose what it
  // has), or JOURNAL_FORMAT_NEWER. `clock` outlives it.
  static absl::StatusOr<std::unique_ptr<Positions>> Open(Options options, const Clock& clock);
  // Stores what has not been stored yet.
  virtual ~Positions() = default;

  // Subscriptions that have not been used for so long are not there any more.
  virtual std::vector<Subscription> Subscriptions() = 0;
  virtual std::optional<Subscription> FindSubscription(const std::string& name) = 0;
  // Stored at once. `last_used` is set to now. In the place of one of the same name.
  virtual absl::Status PutSubscription(Subscription subscription) = 0;
  // Stored at once. False if there is none.
  virtual absl::StatusOr<bool> DeleteSubscription(const std::string& name) = 0;
  // May lag. Positions only move forward, in the order of `resolve`: others are ignored, as are
  // unknown names; either way it counts as use. Returns where the subscription stands now; nothing
  // if there is none.
  virtual std::optional<Cursor> Acknowledge(const std::string& name, Cursor position) = 0;
  virtual void NoteUse(const std::string& name) = 0;

  // Stores what may lag. OK: all has been stored.
  virtual absl::Status Flush() = 0;
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_POSITIONS_H_
