// What outlives the daemon of its sessions: the list, how far each had followed TalkJS, and their
// credentials.
//
//   STATE_DIR/sessions.db            SQLite: the list (no secret)
//   STATE_DIR/credentials/SESSION    one file a session, 0600: its credentials, what TalkJS has no
//                                    place for, and the user's attributes until TalkJS has them
#ifndef TALKJSD_SESSION_SESSION_STORE_H_
#define TALKJSD_SESSION_SESSION_STORE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/journal/cursor.h"
#include "daemon/journal/database.h"
#include "daemon/journal/store.h"
#include "daemon/session/coverage.h"
#include "daemon/session/credentials_file.h"
#include "daemon/session/info.h"
#include "daemon/upstream/call.h"

namespace talkjsd::session {

// How far a session has followed TalkJS, as of an event of the journal. May lag, never leads: all
// that it covers was stored before it.
struct Checkpoint {
  Coverage coverage;
  UnixMillis taken_at = 0;
  journal::Cursor cursor;  // the journal's newest event then
  friend bool operator==(const Checkpoint&, const Checkpoint&) = default;
};

struct StoredSession {
  std::string session_id;
  std::string app_id;
  std::string user_id;
  UnixMillis created_at = 0;
  std::optional<UnixMillis> destroyed_at;  // its id is remembered for a while
  std::optional<UnixMillis> baseline_at;
  Checkpoint checkpoint;  // meaningful with baseline_at
  Credentials credentials;
  std::optional<upstream::UserWrite> user_attributes;  // still to be written to TalkJS
  Extras extras;
  absl::Status trouble;  // why the credentials cannot be read; the rest is as it was stored
};

// Thread-safe; calls wait for the disk. Errors are those of journal::Database, or UNAVAILABLE
// (JOURNAL_DISK_FULL, JOURNAL_READ_ONLY, JOURNAL_UNAVAILABLE) for files of credentials: they name
// the file and say what to do. Every change is as durable as was asked for when it returns OK.
class SessionStore {
 public:
  // Made where there is none. FAILED_PRECONDITION (JOURNAL_FORMAT_NEWER) for one that a newer
  // version wrote.
  static absl::StatusOr<std::unique_ptr<SessionStore>> Open(const std::string& state_dir,
                                                            journal::Durability durability);

  // In the order of creation.
  absl::StatusOr<std::vector<StoredSession>> Load();

  absl::Status Add(const StoredSession& session);
  absl::Status ReplaceCredentials(const std::string& session_id, const Credentials& credentials);
  // TalkJS has them.
  absl::Status DropUserAttributes(const std::string& session_id);
  // Of a session that is not there any more: OK.
  absl::Status PutExtras(const std::string& session_id, const Extras& extras);
  struct Progress {
    std::string session_id;
    UnixMillis baseline_at = 0;
    Checkpoint checkpoint;
  };
  absl::Status PutProgress(const std::vector<Progress>& progress);
  // Unlinks the credentials and remembers the id as destroyed.
  absl::Status Destroy(const std::string& session_id, UnixMillis now);
  absl::Status Forget(const std::string& session_id);

 private:
  SessionStore(std::string credentials_dir, std::unique_ptr<journal::Database> database)
      : credentials_dir_(std::move(credentials_dir)), database_(std::move(database)) {}
  // With the session as ?1 and the value, if any, as ?2.
  absl::Status Run(const char* sql, const std::string& session_id, std::optional<UnixMillis> value);
  std::string CredentialsPath(const std::string& session_id) const {
    return credentials_dir_ + "/" + session_id;
  }
  void ReadCredentials(StoredSession* session) const;
  absl::Status EditFile(const std::string& session_id,
                        const std::function<void(CredentialsFile&)>& edit);
  void RemoveStrays(const std::set<std::string>& living) const;
  // Keeps the log small: SQLite's own checkpoints are off.
  void Tidy() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string credentials_dir_;
  Mutex mutex_;
  const std::unique_ptr<journal::Database> database_ ABSL_PT_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_SESSION_STORE_H_
