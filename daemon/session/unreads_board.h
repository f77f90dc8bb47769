// The present list of unreads of each session: a state, not a log. Written by shards, read by
// streams.
#ifndef TALKJSD_SESSION_UNREADS_BOARD_H_
#define TALKJSD_SESSION_UNREADS_BOARD_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/mutex.h"

namespace talkjsd::session {

// Thread-safe.
class UnreadsBoard {
 public:
  // A serialised StreamUnreadsResponse with `unreads` set.
  using Encoded = std::shared_ptr<const std::string>;

  // Replaces a session's list and wakes those who wait for it.
  void Put(const std::string& session_id, Encoded list);
  void Remove(const std::string& session_id);

  // Lists of `session_ids` (empty: of all) newer than *version, oldest change first; *version moves
  // to the newest. Versions start at 0 = before everything.
  std::vector<Encoded> NewerThan(const std::vector<std::string>& session_ids,
                                 uint64_t* version) const;

  // Calls `ready` once, when some session's list is newer than `version`, perhaps at once; on the
  // caller's or a shard's thread: it must only hand over work. Returns a handle for Cancel; after
  // Cancel returns it is not called any more.
  uint64_t NotifyWhenNewer(uint64_t version, std::vector<std::string> session_ids,
                           std::function<void()> ready);
  void Cancel(uint64_t handle);

 private:
  struct Entry {
    Encoded list;
    uint64_t version = 0;
  };
  struct Waiter {
    std::vector<std::string> session_ids;
    std::function<void()> ready;
  };
  mutable Mutex mutex_;
  uint64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t last_handle_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_UNREADS_BOARD_H_
