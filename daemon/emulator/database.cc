#include "daemon/emulator/database.h"

#include <sqlite3.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace talkjsd::emulator {
namespace {

// An emulator that was just killed may hold the file for a moment.
constexpr int kBusyMillis = 1000;

absl::Status ErrorOf(int code, int system_error, const std::string& path, const char* words) {
  std::string message = "cannot use " + path + ": ";
  switch (code & 0xff) {
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
      message.append("it is damaged, or no file of talkjs-emulator (").append(words);
      message.append("); give another --data-dir, or delete it and lose what is in it");
      return absl::DataLossError(message);
    default:
      break;
  }
  message.append(words);
  if (system_error != 0) message.append(", ").append(std::strerror(system_error));
  message.append("; see whether the --data-dir can be written, and its disk has space");
  return absl::UnavailableError(message);
}

}  // namespace

// --- statements ---

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(database_, other.database_);
  std::swap(statement_, other.statement_);
  return *this;
}

Statement& Statement::Bind(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_, parameter, value);
  return *this;
}

Statement& Statement::Bind(int parameter, std::string_view value) {
  sqlite3_bind_text64(statement_, parameter, value.data() != nullptr ? value.data() : "",
                      value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  const absl::Status error = database_->LastError();
  Reset();
  return error;
}

absl::Status Statement::Run() {
  const absl::StatusOr<bool> stepped = Step();
  Reset();
  return stepped.status();
}

void Statement::Reset() { sqlite3_reset(statement_); }

int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }

std::string_view Statement::Text(int column) const {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view() : std::string_view(data, static_cast<size_t>(size));
}

// --- the file ---

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path) {
  sqlite3* handle = nullptr;
  const int flags =
      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
  if (code != SQLITE_OK) {
    const int system_error = handle != nullptr ? sqlite3_system_errno(handle) : 0;
    sqlite3_close(handle);
    return ErrorOf(code, system_error, path, sqlite3_errstr(code));
  }
  std::unique_ptr<Database> database(new Database(handle, path));
  if (absl::Status status = database->TakeForOneself(); !status.ok()) return status;
  return database;
}

absl::Status Database::TakeForOneself() {
  sqlite3_busy_timeout(handle_, kBusyMillis);
  // Damaged files are met with errors, not with crashes or surprises.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // The lock is taken by the first transaction and kept; the log then needs no shared memory.
  for (const char* sql : {"PRAGMA locking_mode = EXCLUSIVE", "PRAGMA journal_mode = WAL",
                          "PRAGMA synchronous = NORMAL", "BEGIN IMMEDIATE", "COMMIT"}) {
    if (absl::Status status = Execute(sql); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Database::~Database() { sqlite3_close_v2(handle_); }

absl::Status Database::LastError() const {
  return ErrorOf(sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), path_,
                 sqlite3_errmsg(handle_));
}

absl::Status Database::Execute(const char* sql) {
  if (sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr) == SQLITE_OK) return absl::OkStatus();
  return LastError();
}

void Database::RollBack() {
  if (sqlite3_get_autocommit(handle_) == 0) {
    sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    return LastError();
  }
  return Statement(this, statement);
}

absl::StatusOr<int64_t> Database::QueryInt(std::string_view sql) {
  auto statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  return *row ? statement->Int(0) : 0;
}

}  // namespace talkjsd::emulator
