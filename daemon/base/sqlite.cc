#include "daemon/base/sqlite.h"

#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace talkjsd::sqlite {
namespace {

// Reading needs files beside the database, unless there is no log and nobody can write: then SQLite
// has to be told so.
bool CannotChange(const std::string& path) {
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  return ::access(directory.empty() ? "." : directory.c_str(), W_OK) != 0 &&
         ::access((path + "-wal").c_str(), F_OK) != 0;
}

std::string EscapedForUri(const std::string& path) {
  std::string escaped;
  for (const char c : path) {
    if (c == '%') {
      escaped.append("%25");
    } else if (c == '?') {
      escaped.append("%3f");
    } else if (c == '#') {
      escaped.append("%23");
    } else {
      escaped.push_back(c);
    }
  }
  return escaped;
}

}  // namespace

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

Statement& Statement::BindBlob(int parameter, std::string_view value) {
  sqlite3_bind_blob64(statement_, parameter, value.data() != nullptr ? value.data() : "",
                      value.size(), SQLITE_STATIC);
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

std::string_view Statement::Bytes(int column) const {
  const auto* const data = static_cast<const char*>(sqlite3_column_blob(statement_, column));
  const int size = sqlite3_column_bytes(statement_, column);
  return data == nullptr ? std::string_view() : std::string_view(data, static_cast<size_t>(size));
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::string& path, Options options) {
  const Mode mode = options.mode;
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  const bool writes = mode == Mode::kCreate || mode == Mode::kReadWrite;
  flags |= writes ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  if (mode == Mode::kCreate) flags |= SQLITE_OPEN_CREATE;
  std::string name = path;
  if (mode == Mode::kImmutable || (mode == Mode::kReadOnly && CannotChange(path))) {
    name = "file:" + EscapedForUri(path) + "?immutable=1";
    flags |= SQLITE_OPEN_URI;
  }
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle, flags,
                                   options.vfs.empty() ? nullptr : options.vfs.c_str());
  if (code != SQLITE_OK) {
    const int system_error = handle != nullptr ? sqlite3_system_errno(handle) : 0;
    sqlite3_close(handle);
    return options.explain({code, system_error, path, sqlite3_errstr(code)});
  }
  return std::unique_ptr<Database>(new Database(handle, path, options));
}

Database::Database(sqlite3* handle, std::string path, const Options& options)
    : handle_(handle), path_(std::move(path)), explain_(options.explain) {
  sqlite3_busy_timeout(handle_, static_cast<int>(options.busy_timeout.count()));
  // Damaged files are met with errors, not with crashes or surprises.
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  if (options.automatic_checkpoints) return;
  // In the place of SQLite's own checkpoints.
  sqlite3_wal_hook(
      handle_,
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<Database*>(self)->log_frames_ = frames;
        return SQLITE_OK;
      },
      this);
}

Database::~Database() { sqlite3_close_v2(handle_); }

absl::Status Database::LastError() const {
  return explain_({sqlite3_extended_errcode(handle_), sqlite3_system_errno(handle_), path_,
                   sqlite3_errmsg(handle_)});
}

absl::Status Database::NoRow() const {
  return explain_({SQLITE_CORRUPT, 0, path_, "a row is missing"});
}

absl::Status Database::Execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK) {
    return absl::OkStatus();
  }
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

absl::StatusOr<std::string> Database::QueryText(std::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return NoRow();
  return std::string(statement->Bytes(0));
}

absl::StatusOr<int64_t> Database::QueryInt(std::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  const absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return NoRow();
  return statement->Int(0);
}

absl::Status Database::Checkpoint(bool restart) {
  const int code = sqlite3_wal_checkpoint_v2(
      handle_, nullptr, restart ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, nullptr,
      nullptr);
  // Somebody else is at it, or reads: the next time.
  if (code == SQLITE_OK || (code & 0xff) == SQLITE_BUSY) return absl::OkStatus();
  return LastError();
}

absl::Status Database::SyncLog() {
  sqlite3_file* log = nullptr;
  if (sqlite3_file_control(handle_, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log) != SQLITE_OK ||
      log == nullptr || log->pMethods == nullptr) {
    return absl::OkStatus();  // nothing has been written
  }
  const int code = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
  return code == SQLITE_OK ? absl::OkStatus()
                           : explain_({code, errno, path_, sqlite3_errstr(code)});
}

void Database::LeaveLogAtClose() {
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

}  // namespace talkjsd::sqlite
