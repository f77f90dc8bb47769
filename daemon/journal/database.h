// SQLite as the state directory uses it: what its errors mean to the daemon's operator.
#ifndef TALKJSD_JOURNAL_DATABASE_H_
#define TALKJSD_JOURNAL_DATABASE_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "daemon/base/sqlite.h"

namespace talkjsd::journal {

using sqlite::Database;
using sqlite::Statement;

// `vfs`: the name of a registered one, or empty for the system's.
//
// Errors, also later ones, carry a reason: JOURNAL_DISK_FULL, JOURNAL_READ_ONLY,
// JOURNAL_SEGMENT_DAMAGED, or JOURNAL_UNAVAILABLE for any other; their message names the file and
// says what to do.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path, Database::Mode mode,
                                                       const std::string& vfs);

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_DATABASE_H_
