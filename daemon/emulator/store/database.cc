#include "daemon/emulator/store/database.h"

#include <sqlite3.h>

#include <chrono>
#include <cstring>
#include <utility>

namespace talkjsd::emulator {
namespace {

// An emulator that was just killed may hold the file for a moment.
constexpr auto kBusyTimeout = std::chrono::seconds(1);

absl::Status Explained(const sqlite::Failure& failure) {
  std::string message = "cannot use " + failure.path + ": ";
  switch (failure.code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      message.append("another talkjs-emulator uses it; stop that one, or give this one a");
      message.append(" --data-dir of its own");
      return absl::FailedPreconditionError(message);
    case SQLITE_FULL:
      message.append("the disk is full; free space on it");
      return absl::UnavailableError(message);
    case SQLITE_READONLY:
    case SQLITE_PERM:
      message.append("it cannot be written; correct the owner or mode of the --data-dir");
      return absl::UnavailableError(message);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      message.append("it is damaged, or no file of talkjs-emulator (").append(failure.words);
      message.append("); give another --data-dir, or delete it and lose what is in it");
      return absl::DataLossError(message);
    default:
      break;
  }
  message.append(failure.words);
  if (failure.system_error != 0) {
    message.append(", ").append(std::strerror(failure.system_error));
  }
  message.append("; see whether the --data-dir can be written, and its disk has space");
  return absl::UnavailableError(message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path) {
  Database::Options options;
  options.busy_timeout = kBusyTimeout;
  options.automatic_checkpoints = true;
  options.explain = Explained;
  auto database = Database::Open(path, std::move(options));
  if (!database.ok()) return database;
  // The lock is taken by the first transaction and kept; the log then needs no shared memory.
  for (const char* sql : {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
                          "PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE", "COMMIT"}) {
    if (absl::Status status = (*database)->Execute(sql); !status.ok()) return status;
  }
  return database;
}

}  // namespace talkjsd::emulator
