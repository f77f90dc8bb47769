// SQLite behind Status: a connection and its statements. What an error means to an operator is the
// caller's to say.
#ifndef TALKJSD_BASE_SQLITE_H_
#define TALKJSD_BASE_SQLITE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace talkjsd::sqlite {

class Database;

// A prepared statement. Bind, Step until it says false, Reset; columns are valid until the next
// Step or Reset. Outlived by its Database.
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  // Parameters count from 1. Text and blobs are not copied: they must live until Reset.
  Statement& Bind(int parameter, int64_t value);
  Statement& Bind(int parameter, std::string_view value);
  Statement& BindBlob(int parameter, std::string_view value);

  // True: there is a row.
  absl::StatusOr<bool> Step();
  // Step and Reset of a statement without rows.
  absl::Status Run();
  // Ends the statement's read of the database, so that it does not hold the log.
  void Reset();

  // Columns count from 0.
  int64_t Int(int column) const;
  std::string_view Bytes(int column) const;

 private:
  friend class Database;
  Statement(Database* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// What SQLite says of a failed call.
struct Failure {
  int code = 0;          // extended
  int system_error = 0;  // errno, or 0
  const std::string& path;
  const char* words;
};
using Explain = absl::Status (*)(const Failure& failure);

// One connection to one file; one thread at a time.
class Database {
 public:
  // kImmutable: nobody writes to the file and it has no log; opening it then needs no room on the
  // disk.
  enum class Mode { kCreate, kReadWrite, kReadOnly, kImmutable };
  struct Options {
    Mode mode = Mode::kCreate;
    std::string vfs;  // the name of a registered one; empty: the system's
    // How long to wait for another connection's lock.
    std::chrono::milliseconds busy_timeout = std::chrono::seconds(5);
    // Whether SQLite may checkpoint inside a commit; otherwise it is the caller's to do.
    bool automatic_checkpoints = false;
    Explain explain = nullptr;  // makes every error of this connection; required
  };
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path, Options options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  absl::Status Execute(const std::string& sql);
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // The first column of the first row, which there must be.
  absl::StatusOr<int64_t> QueryInt(std::string_view sql);
  absl::StatusOr<std::string> QueryText(std::string_view sql);

  // The same as Execute, once, as a transaction around `work`: rolled back if that fails.
  template <typename Work>
  absl::Status Transact(Work work) {
    if (absl::Status begun = Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
    absl::Status status = work();
    if (status.ok()) status = Execute("COMMIT");
    if (!status.ok()) RollBack();
    return status;
  }

  // Moves what the log has into the file as far as no reader is in the way (`restart`: also waits
  // for readers and empties the log).
  absl::Status Checkpoint(bool restart);
  // Frames of the log after the last commit of this connection, where checkpoints are the caller's.
  int log_frames() const { return log_frames_; }
  // Makes the log durable, without moving it.
  absl::Status SyncLog();
  // After a failed sync: closing must not move the log, whose pages on disk are not to be trusted.
  void LeaveLogAtClose();

  const std::string& path() const { return path_; }
  // The status for the error that this connection met last.
  absl::Status LastError() const;

 private:
  Database(sqlite3* handle, std::string path, const Options& options);
  absl::Status NoRow() const;
  void RollBack();

  sqlite3* const handle_;
  const std::string path_;
  const Explain explain_;
  int log_frames_ = 0;
};

}  // namespace talkjsd::sqlite

#endif  // TALKJSD_BASE_SQLITE_H_
