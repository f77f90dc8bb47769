#include "daemon/session/session_store.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/version.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr int64_t kApplicationId = 0x746a7365;  // "tjse"
constexpr int64_t kFormat = 1;

// Pages; SQLite's own default for its checkpoints.
constexpr int kLogPages = 1000;

constexpr char kSchema[] = R"(
CREATE TABLE about(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE sessions(
  position INTEGER PRIMARY KEY,
  session_id TEXT NOT NULL UNIQUE,
  app_id TEXT NOT NULL,
  user_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  destroyed_at INTEGER NOT NULL DEFAULT 0,
  baseline_at INTEGER NOT NULL DEFAULT 0,
  covered_until INTEGER NOT NULL DEFAULT 0,
  appended_since INTEGER NOT NULL DEFAULT 0,
  taken_at INTEGER NOT NULL DEFAULT 0,
  epoch INTEGER NOT NULL DEFAULT 0,
  sequence INTEGER NOT NULL DEFAULT 0
);
)";

absl::Status Make(journal::Database& database) {
  return database.Transact([&]() -> absl::Status {
    for (const std::string& sql : {std::string(kSchema),
                                   std::string("INSERT INTO about VALUES('written_by','")
                                       .append(TALKJSD_VERSION)
                                       .append("')"),
                                   "PRAGMA application_id=" + std::to_string(kApplicationId),
                                   "PRAGMA user_version=" + std::to_string(kFormat)}) {
      if (absl::Status made = database.Execute(sql); !made.ok()) return made;
    }
    return absl::OkStatus();
  });
}

absl::Status CheckFormat(journal::Database& database) {
  const absl::StatusOr<int64_t> application = database.QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> format = database.QueryInt("PRAGMA user_version");
  if (!format.ok()) return format.status();
  if (*application == kApplicationId && *format > kFormat) {
    return MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_JOURNAL_FORMAT_NEWER,
                     database.path() + ": written by a newer talkjsd in format " +
                         std::to_string(*format) + ", and this is talkjsd " + TALKJSD_VERSION +
                         ", which knows formats up to " + std::to_string(kFormat) +
                         "; run the newer one, or give this one an empty directory with "
                         "--state-dir");
  }
  if (*application != kApplicationId || *format < 1) {
    return MakeError(absl::StatusCode::kDataLoss, v1::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED,
                     database.path() +
                         ": not a list of sessions, or its beginning is damaged; restore it from "
                         "a backup, or remove it and create the sessions again");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<SessionStore>> SessionStore::Open(const std::string& state_dir,
                                                                 journal::Durability durability) {
  const std::string credentials_dir = state_dir + "/credentials";
  if (::mkdir(credentials_dir.c_str(), 0700) != 0 && errno != EEXIST) {
    return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_JOURNAL_UNAVAILABLE,
                     credentials_dir + " cannot be made: " + std::strerror(errno) +
                         "; make the state directory writable for the daemon's user");
  }
  auto opened =
      journal::OpenDatabase(state_dir + "/sessions.db", journal::Database::Mode::kCreate, "");
  if (!opened.ok()) return opened.status();
  journal::Database& database = **opened;
  const absl::StatusOr<int64_t> tables = database.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  absl::Status status = *tables == 0 ? Make(database) : CheckFormat(database);
  if (status.ok()) status = database.Execute("PRAGMA journal_mode=WAL");
  if (status.ok()) {
    const bool disk = durability == journal::Durability::kDisk;
    status = database.Execute(disk ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  }
  if (!status.ok()) return status;
  return std::unique_ptr<SessionStore>(new SessionStore(credentials_dir, *std::move(opened)));
}

absl::StatusOr<std::vector<StoredSession>> SessionStore::Load() {
  std::vector<StoredSession> sessions;
  std::set<std::string> living;
  MutexLock lock(mutex_);
  auto rows = database_->Prepare(
      "SELECT session_id, app_id, user_id, created_at, destroyed_at, baseline_at, covered_until, "
      "appended_since, taken_at, epoch, sequence FROM sessions ORDER BY position");
  if (!rows.ok()) return rows.status();
  while (true) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    StoredSession session;
    session.session_id = rows->Bytes(0);
    session.app_id = rows->Bytes(1);
    session.user_id = rows->Bytes(2);
    session.created_at = rows->Int(3);
    if (rows->Int(4) != 0) session.destroyed_at = rows->Int(4);
    if (rows->Int(5) != 0) session.baseline_at = rows->Int(5);
    session.checkpoint.coverage.covered_until = rows->Int(6);
    session.checkpoint.coverage.appended_since = rows->Int(7);
    session.checkpoint.taken_at = rows->Int(8);
    session.checkpoint.cursor = {static_cast<uint64_t>(rows->Int(9)),
                                 static_cast<uint64_t>(rows->Int(10))};
    if (!session.destroyed_at.has_value()) {
      ReadCredentials(&session);
      living.insert(session.session_id);
    }
    sessions.push_back(std::move(session));
  }
  RemoveStrays(living);
  return sessions;
}

// A crash may have left credentials without a session, or half a file.
void SessionStore::RemoveStrays(const std::set<std::string>& living) const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(credentials_dir_, error)) {
    if (!living.contains(entry.path().filename().string())) {
      std::filesystem::remove(entry.path(), error);
    }
  }
}

void SessionStore::ReadCredentials(StoredSession* session) const {
  auto file = ReadCredentialsFile(CredentialsPath(session->session_id));
  if (!file.ok()) {
    session->trouble = file.status();
    return;
  }
  session->credentials = std::move(file->credentials);
  session->user_attributes = std::move(file->user_attributes);
  session->extras = std::move(file->extras);
}

absl::Status SessionStore::Add(const StoredSession& session) {
  MutexLock lock(mutex_);
  absl::Status status =
      WriteCredentialsFile(CredentialsPath(session.session_id),
                           {session.credentials, session.user_attributes, session.extras});
  if (!status.ok()) return status;
  auto insert = database_->Prepare(
      "INSERT INTO sessions(session_id, app_id, user_id, created_at) VALUES(?1, ?2, ?3, ?4)");
  status = insert.status();
  if (status.ok()) {
    insert->Bind(1, session.session_id)
        .Bind(2, session.app_id)
        .Bind(3, session.user_id)
        .Bind(4, session.created_at);
    status = insert->Run();
  }
  if (!status.ok()) {
    (void)RemoveCredentialsFile(CredentialsPath(session.session_id));
    return status;
  }
  Tidy();
  return absl::OkStatus();
}

absl::Status SessionStore::ReplaceCredentials(const std::string& session_id,
                                              const Credentials& credentials) {
  return EditFile(session_id, [&](CredentialsFile& file) { file.credentials = credentials; });
}

absl::Status SessionStore::DropUserAttributes(const std::string& session_id) {
  return EditFile(session_id, [](CredentialsFile& file) { file.user_attributes.reset(); });
}

absl::Status SessionStore::PutExtras(const std::string& session_id, const Extras& extras) {
  MutexLock lock(mutex_);
  const std::string path = CredentialsPath(session_id);
  auto file = ReadCredentialsFile(path);
  // Destroyed meanwhile, or in need of new credentials: no file is to come of this.
  if (!file.ok()) return absl::OkStatus();
  file->extras = extras;
  return WriteCredentialsFile(path, *file);
}

absl::Status SessionStore::EditFile(const std::string& session_id,
                                    const std::function<void(CredentialsFile&)>& edit) {
  MutexLock lock(mutex_);
  const std::string path = CredentialsPath(session_id);
  auto present = ReadCredentialsFile(path);
  // One that cannot be read is what new credentials are to mend.
  CredentialsFile file = present.ok() ? *std::move(present) : CredentialsFile();
  edit(file);
  return WriteCredentialsFile(path, file);
}

absl::Status SessionStore::PutProgress(const std::vector<Progress>& progress) {
  MutexLock lock(mutex_);
  const absl::Status status = database_->Transact([&]() -> absl::Status {
    auto update = database_->Prepare(
        "UPDATE sessions SET baseline_at = ?2, covered_until = ?3, appended_since = ?4, "
        "taken_at = ?5, epoch = ?6, sequence = ?7 WHERE session_id = ?1 AND destroyed_at = 0");
    if (!update.ok()) return update.status();
    for (const Progress& one : progress) {
      update->Bind(1, one.session_id)
          .Bind(2, one.baseline_at)
          .Bind(3, one.checkpoint.coverage.covered_until)
          .Bind(4, one.checkpoint.coverage.appended_since)
          .Bind(5, one.checkpoint.taken_at)
          .Bind(6, static_cast<int64_t>(one.checkpoint.cursor.epoch))
          .Bind(7, static_cast<int64_t>(one.checkpoint.cursor.sequence));
      if (absl::Status updated = update->Run(); !updated.ok()) return updated;
    }
    return absl::OkStatus();
  });
  Tidy();
  return status;
}

absl::Status SessionStore::Destroy(const std::string& session_id, UnixMillis now) {
  if (absl::Status removed = RemoveCredentialsFile(CredentialsPath(session_id)); !removed.ok()) {
    return removed;
  }
  return Run("UPDATE sessions SET destroyed_at = ?2 WHERE session_id = ?1", session_id, now);
}

absl::Status SessionStore::Forget(const std::string& session_id) {
  return Run("DELETE FROM sessions WHERE session_id = ?1", session_id, std::nullopt);
}

absl::Status SessionStore::Run(const char* sql, const std::string& session_id,
                               std::optional<UnixMillis> value) {
  MutexLock lock(mutex_);
  auto change = database_->Prepare(sql);
  if (!change.ok()) return change.status();
  change->Bind(1, session_id);
  if (value.has_value()) change->Bind(2, *value);
  if (absl::Status changed = change->Run(); !changed.ok()) return changed;
  Tidy();
  return absl::OkStatus();
}

void SessionStore::Tidy() {
  if (database_->log_frames() < kLogPages) return;
  if (const absl::Status moved = database_->Checkpoint(/*restart=*/false); !moved.ok()) {
    LogWarning("the log of the list of sessions cannot be moved into its file",
               {{"error", MessageOf(moved)}});
  }
}

}  // namespace talkjsd::session
