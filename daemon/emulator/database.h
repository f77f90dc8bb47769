// SQLite behind Status: one file that belongs to this process alone, and its statements.
#ifndef TALKJSD_EMULATOR_DATABASE_H_
#define TALKJSD_EMULATOR_DATABASE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace talkjsd::emulator {

class Database;

// A prepared statement: bind, then Run, or Step until it says false and Reset. Its database
// outlives it.
class Statement {
 public:
  Statement() = default;
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;

  // Parameters count from 1. Text is not copied: it must live until Reset or Run.
  Statement& Bind(int parameter, int64_t value);
  Statement& Bind(int parameter, std::string_view value);

  absl::StatusOr<bool> Step();  // true: there is a row
  absl::Status Run();           // of a statement without rows
  void Reset();

  // Of the row; text until the next Step or Reset. Columns count from 0.
  int64_t Int(int column) const;
  std::string_view Text(int column) const;

 private:
  friend class Database;
  Statement(Database* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}

  Database* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
};

// Lives on one thread. Errors name the file, and say what to do.
class Database {
 public:
  // Creates the file where there is none. FAILED_PRECONDITION if another process has it open.
  // Commits survive the end of the process, however it ends.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::string& path);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  absl::Status Execute(const char* sql);
  absl::StatusOr<Statement> Prepare(std::string_view sql);
  absl::StatusOr<int64_t> QueryInt(std::string_view sql);

  // `work` (absl::Status()) as one transaction: all of it, or nothing.
  template <typename Work>
  absl::Status Transact(Work work) {
    if (absl::Status begun = Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
    absl::Status status = work();
    if (status.ok()) status = Execute("COMMIT");
    if (!status.ok()) RollBack();
    return status;
  }

  const std::string& path() const { return path_; }
  absl::Status LastError() const;

 private:
  Database(sqlite3* handle, std::string path) : handle_(handle), path_(std::move(path)) {}
  absl::Status TakeForOneself();
  void RollBack();

  sqlite3* const handle_;
  const std::string path_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_DATABASE_H_
