// What the journal knows of sessions that are to go on where they were.
#ifndef TALKJSD_SESSION_RESTORE_H_
#define TALKJSD_SESSION_RESTORE_H_

#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

#include "daemon/journal/journal.h"
#include "daemon/session/coverage.h"
#include "daemon/session/session_store.h"

namespace talkjsd::session {

// For those of `sessions` that have a baseline, by session id. Reads the journal once, from the
// oldest appended_since on: seconds where that was long ago and much was appended since. A
// checkpoint whose event the journal has lost counts for less: what was said since the newest event
// that survives is to be read back. Call it before anything is appended. Errors are those of
// Journal::OpenReader and Reader::Read.
absl::StatusOr<std::map<std::string, Restored>> ReadBack(
    journal::Journal& journal, const std::vector<StoredSession>& sessions);

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_RESTORE_H_
