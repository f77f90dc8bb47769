// The store on disk: a chain of SQLite files ("segments"), the newest one being written.
//
// The newest file has no index on sessions: where their events are is in memory. A full one gets
// its index once, off the writer. Retention drops whole files. Another connection moves the log
// into the file, and the writer itself when the log has grown too long.
#ifndef TALKJSD_JOURNAL_SQLITE_STORE_H_
#define TALKJSD_JOURNAL_SQLITE_STORE_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "daemon/base/metrics.h"
#include "daemon/journal/store.h"

namespace talkjsd::journal {

struct SqliteStoreOptions {
  std::string directory;  // made if need be; belongs to one process
  Retention retention;
  Durability durability = Durability::kOs;
  // A file is full from here on. A quarter of the retention's bytes is enough in any case.
  size_t segment_bytes = 64 << 20;
  std::string vfs;  // for tests: the name of an SQLite VFS
};

// Reads the newest file whole, up to 0.2 s, and repairs what the last end left unfinished. Damaged
// and missing files do not keep it from opening: they are logged and become holes. Fails with
// JOURNAL_FORMAT_NEWER, JOURNAL_DISK_FULL, JOURNAL_READ_ONLY or JOURNAL_UNAVAILABLE. `metrics`
// outlives the store.
//
// Append fails with JOURNAL_DISK_FULL, JOURNAL_READ_ONLY or JOURNAL_UNAVAILABLE, and works again,
// with the same events, as soon as the cause has gone. After an error that leaves in doubt what is
// on disk (a failed sync), events go into a new file.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const SqliteStoreOptions& options,
                                                       Metrics& metrics);

}  // namespace talkjsd::journal

#endif  // TALKJSD_JOURNAL_SQLITE_STORE_H_
