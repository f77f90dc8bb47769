#include "daemon/journal/database.h"

#include <sqlite3.h>

#include <cerrno>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

struct Meaning {
  pb::ErrorReason reason;
  const char* what;
  const char* advice;
};

Meaning MeaningOf(int code, int system_error) {
  constexpr Meaning kFull = {pb::ERROR_REASON_JOURNAL_DISK_FULL, "the disk is full",
                             "free space on it, or let the journal keep less"};
  constexpr Meaning kReadOnly = {pb::ERROR_REASON_JOURNAL_READ_ONLY, "it cannot be written",
                                 "make the state directory writable for the daemon's user"};
  const int primary = code & 0xff;
  // Only for these two the system's error is this one's.
  const bool refused = primary == SQLITE_CANTOPEN || primary == SQLITE_IOERR;
  if (primary == SQLITE_FULL) return kFull;
  if (refused && (system_error == ENOSPC || system_error == EDQUOT)) return kFull;
  if (primary == SQLITE_READONLY || primary == SQLITE_PERM) return kReadOnly;
  if (refused && (system_error == EROFS || system_error == EACCES || system_error == EPERM)) {
    return kReadOnly;
  }
  // Our statements are right for the tables that we make: if not, the tables are not ours any more.
  const bool odd = primary == SQLITE_ERROR || primary == SQLITE_CONSTRAINT ||
                   primary == SQLITE_MISMATCH || primary == SQLITE_SCHEMA;
  if (odd || primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ||
      code == SQLITE_IOERR_SHORT_READ) {
    return {pb::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED, "it is damaged",
            "run talkjsctl journal verify, and check the disk"};
  }
  return {pb::ERROR_REASON_JOURNAL_UNAVAILABLE, "it cannot be used",
          "check the disk and the system's log"};
}

absl::Status Explained(const sqlite::Failure& failure) {
  const Meaning meaning = MeaningOf(failure.code, failure.system_error);
  std::string message(failure.path);
  message.append(": ").append(meaning.what).append(" (").append(failure.words).append("); ");
  message.append(meaning.advice);
  const absl::StatusCode status = meaning.reason == pb::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED
                                      ? absl::StatusCode::kDataLoss
                                      : absl::StatusCode::kUnavailable;
  return MakeError(status, meaning.reason, message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const std::string& path, Database::Mode mode,
                                                       const std::string& vfs) {
  Database::Options options;
  options.mode = mode;
  options.vfs = vfs;
  options.explain = Explained;
  return Database::Open(path, std::move(options));
}

}  // namespace talkjsd::journal
