// What the status page is told by the other rooms.
#ifndef TALKJSD_ADMIN_STATUS_SOURCE_H_
#define TALKJSD_ADMIN_STATUS_SOURCE_H_

#include <absl/status/status.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/session/info.h"

namespace talkjsd::admin {

// An open stream of a local client.
struct StreamStatus {
  std::string stream_id;
  std::string kind;
  std::string subscription;    // its name; empty: none
  uint64_t session_count = 0;  // 0: all sessions
  std::string session_id;      // of a stream over one
  UnixMillis opened_at = 0;
  uint64_t events_written = 0;
  double behind_seconds = 0;
  uint64_t lag_events = 0;
  bool stalled = false;
};

// Called on the admin listener's thread, at most about once a second for each viewer: they must not
// wait for anything. None of it holds a secret.
struct StatusSource {
  // Sessions that changed after *version, destroyed ones included; *version moves.
  std::function<std::vector<session::Info>(uint64_t* version)> session_changes;
  std::function<std::vector<StreamStatus>()> streams;
  // OK, or why the journal cannot be written.
  std::function<absl::Status()> journal_health;
  // For a person: what is used as TalkJS.
  std::string upstream;
};

}  // namespace talkjsd::admin

#endif  // TALKJSD_ADMIN_STATUS_SOURCE_H_
