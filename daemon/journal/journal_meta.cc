#include "daemon/journal/journal_meta.h"

#include <cstdio>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/version.h"
#include "daemon/journal/segment_file.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

constexpr char kMetaSchema[] = R"(
CREATE TABLE about(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE segments(number INTEGER PRIMARY KEY, first_sequence INTEGER);
CREATE TABLE epochs(position INTEGER PRIMARY KEY, epoch INTEGER, first_sequence INTEGER);
)";

absl::Status Make(Database& database) {
  return database.Transact([&]() -> absl::Status {
    absl::Status made = database.Execute(kMetaSchema);
    if (made.ok()) {
      made = database.Execute(std::string("INSERT INTO about VALUES('written_by','") +
                              TALKJSD_VERSION + "')");
    }
    if (made.ok()) {
      made = database.Execute("PRAGMA application_id=" + std::to_string(kApplicationId));
    }
    if (!made.ok()) return made;
    return database.Execute("PRAGMA user_version=" + std::to_string(kJournalFormat));
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<JournalMeta>> JournalMeta::OpenOrMake(const std::string& path,
                                                                     const std::string& vfs) {
  auto database = OpenDatabase(path, Database::Mode::kCreate, vfs);
  if (!database.ok()) return database.status();
  Database& db = **database;
  // A rollback journal: few changes, and nothing that a reader could hold up.
  absl::Status status = db.Execute("PRAGMA synchronous=FULL");
  if (!status.ok()) return status;
  const absl::StatusOr<int64_t> tables = db.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  status = *tables == 0 ? Make(db) : CheckFormat(db);
  if (!status.ok()) return status;
  return std::unique_ptr<JournalMeta>(new JournalMeta(*std::move(database)));
}

absl::StatusOr<std::unique_ptr<JournalMeta>> JournalMeta::Open(const std::string& directory,
                                                               const std::string& vfs) {
  const std::string path = directory + "/" + kMetaName;
  absl::StatusOr<std::unique_ptr<JournalMeta>> meta = OpenOrMake(path, vfs);
  if (meta.ok()) {
    const bool readable = (*meta)->Segments().ok() && (*meta)->Epochs().ok();
    if (readable) return meta;
  } else if (ReasonOf(meta.status()) != talkjs::sidecar::v1::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED) {
    return meta;
  }
  LogError("the journal's list of files is damaged; it is put aside and made anew",
           {{"file", path}});
  meta = nullptr;
  const std::string aside = path + ".damaged";
  if (std::rename(path.c_str(), aside.c_str()) != 0) {
    return MakeError(absl::StatusCode::kUnavailable,
                     talkjs::sidecar::v1::ERROR_REASON_JOURNAL_READ_ONLY,
                     path +
                         ": cannot be renamed; make the state directory writable for the "
                         "daemon's user");
  }
  return OpenOrMake(path, vfs);
}

absl::StatusOr<std::unique_ptr<JournalMeta>> JournalMeta::OpenReadOnly(
    const std::string& directory) {
  auto database =
      OpenDatabase(directory + "/" + kMetaName, Database::Mode::kReadOnly, std::string());
  if (!database.ok()) return database.status();
  if (const absl::Status format = CheckFormat(**database); !format.ok()) return format;
  return std::unique_ptr<JournalMeta>(new JournalMeta(*std::move(database)));
}

absl::StatusOr<std::map<uint64_t, uint64_t>> JournalMeta::Segments() {
  MutexLock lock(mutex_);
  auto statement = database_->Prepare("SELECT number, first_sequence FROM segments");
  if (!statement.ok()) return statement.status();
  std::map<uint64_t, uint64_t> segments;
  for (;;) {
    const absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return segments;
    segments[static_cast<uint64_t>(statement->Int(0))] = static_cast<uint64_t>(statement->Int(1));
  }
}

absl::Status JournalMeta::AddSegment(uint64_t number, uint64_t first_sequence) {
  MutexLock lock(mutex_);
  return database_->Execute("INSERT OR REPLACE INTO segments VALUES(" + std::to_string(number) +
                            "," + std::to_string(first_sequence) + ")");
}

absl::Status JournalMeta::DropSegment(uint64_t number) {
  MutexLock lock(mutex_);
  return database_->Execute("DELETE FROM segments WHERE number = " + std::to_string(number));
}

absl::StatusOr<std::vector<EpochStart>> JournalMeta::Epochs() {
  MutexLock lock(mutex_);
  auto statement = database_->Prepare("SELECT epoch, first_sequence FROM epochs ORDER BY position");
  if (!statement.ok()) return statement.status();
  std::vector<EpochStart> epochs;
  for (;;) {
    const absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    if (!*row) return epochs;
    epochs.push_back(
        {static_cast<uint64_t>(statement->Int(0)), static_cast<uint64_t>(statement->Int(1))});
  }
}

absl::Status JournalMeta::SetEpochs(const std::vector<EpochStart>& epochs) {
  MutexLock lock(mutex_);
  return database_->Transact([&]() -> absl::Status {
    if (absl::Status cleared = database_->Execute("DELETE FROM epochs"); !cleared.ok()) {
      return cleared;
    }
    auto insert = database_->Prepare("INSERT INTO epochs(epoch, first_sequence) VALUES(?1, ?2)");
    if (!insert.ok()) return insert.status();
    for (const EpochStart& start : epochs) {
      insert->Bind(1, static_cast<int64_t>(start.epoch))
          .Bind(2, static_cast<int64_t>(start.first_sequence));
      if (absl::Status inserted = insert->Run(); !inserted.ok()) return inserted;
    }
    return absl::OkStatus();
  });
}

}  // namespace talkjsd::journal
