// SQLite as the emulator uses it: one file that belongs to this process alone.
#ifndef TALKJSD_EMULATOR_STORE_DATABASE_H_
#define TALKJSD_EMULATOR_STORE_DATABASE_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "daemon/base/sqlite.h"

namespace talkjsd::emulator {

using sqlite::Database;
using sqlite::Statement;

// Creates the file where there is none. FAILED_PRECONDITION if another process has it open.
// Commits survive the end of the process, however it ends. Errors, also later ones, name the file
// and say what to do.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_STORE_DATABASE_H_
