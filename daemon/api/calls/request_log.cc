#include "daemon/api/calls/request_log.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <openssl/sha.h>

#include <utility>

#include "daemon/api/limits.h"
#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr UnixMillis kMemoryMillis = kRequestIdMemory / std::chrono::milliseconds(1);

// Pages; SQLite's own default for its checkpoints, which are off.
constexpr int kLogPages = 1000;

constexpr char kSchema[] = R"(
CREATE TABLE IF NOT EXISTS requests(
  id BLOB PRIMARY KEY,
  digest BLOB NOT NULL,
  key TEXT NOT NULL,
  answer TEXT NOT NULL DEFAULT '',
  since INTEGER NOT NULL
) WITHOUT ROWID;
)";

}  // namespace

std::string ContentDigest(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream out(&stream);
    out.SetSerializationDeterministic(true);  // maps in the order of their keys
    message.SerializeToCodedStream(&out);
  }
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  return digest;
}

absl::StatusOr<std::unique_ptr<RequestLog>> RequestLog::Open(const std::string& path,
                                                             const Clock& clock, size_t capacity) {
  auto database = journal::OpenDatabase(path, journal::Database::Mode::kCreate, "");
  if (!database.ok()) return database.status();
  absl::Status status = (*database)->Execute("PRAGMA journal_mode=WAL");
  if (status.ok()) status = (*database)->Execute("PRAGMA synchronous=NORMAL");
  if (status.ok()) status = (*database)->Execute(kSchema);
  if (!status.ok()) return status;
  auto log = std::make_unique<RequestLog>(clock, capacity);
  MutexLock lock(log->mutex_);
  log->database_ = *std::move(database);
  status = log->Load();
  if (!status.ok()) return status;
  return log;
}

absl::Status RequestLog::Load() {
  auto rows =
      database_->Prepare("SELECT id, digest, key, answer, since FROM requests ORDER BY since");
  if (!rows.ok()) return rows.status();
  while (true) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    Remembered remembered;
    const std::string id(rows->Bytes(0));
    remembered.digest = rows->Bytes(1);
    remembered.entry.key = rows->Bytes(2);
    if (!rows->Bytes(3).empty()) remembered.entry.answer = rows->Bytes(3);
    entries_[id] = std::move(remembered);
    by_age_.push_back({rows->Int(4), id});
  }
}

absl::Status RequestLog::Write(const std::string& id, const Remembered& remembered,
                               UnixMillis since) {
  if (database_ == nullptr) return absl::OkStatus();
  auto insert =
      database_->Prepare("INSERT INTO requests(id, digest, key, since) VALUES(?1, ?2, ?3, ?4)");
  if (!insert.ok()) return insert.status();
  insert->BindBlob(1, id)
      .BindBlob(2, remembered.digest)
      .Bind(3, remembered.entry.key)
      .Bind(4, since);
  if (absl::Status inserted = insert->Run(); !inserted.ok()) return inserted;
  if (database_->log_frames() >= kLogPages) return database_->Checkpoint(/*restart=*/false);
  return absl::OkStatus();
}

void RequestLog::Run(std::string_view sql, std::string_view first, std::string_view second) {
  if (database_ == nullptr) return;
  auto statement = database_->Prepare(sql);
  absl::Status status = statement.status();
  if (status.ok()) {
    statement->BindBlob(1, first);
    if (!second.empty()) statement->Bind(2, second);
    status = statement->Run();
  }
  if (!status.ok())
    LogDebug("the log of requests cannot be written", {{"error", MessageOf(status)}});
}

void RequestLog::ForgetOldest() {
  Run("DELETE FROM requests WHERE id = ?1", by_age_.front().id, "");
  entries_.erase(by_age_.front().id);
  by_age_.pop_front();
}

absl::StatusOr<RequestLog::Entry> RequestLog::Begin(const std::string& id, std::string_view digest,
                                                    const std::function<std::string()>& make_key) {
  MutexLock lock(mutex_);
  const UnixMillis now = clock_.WallMillis();
  while (!by_age_.empty() && now - by_age_.front().since >= kMemoryMillis) ForgetOldest();
  const auto known = entries_.find(id);
  if (known == entries_.end()) {
    while (entries_.size() >= capacity_) ForgetOldest();
    Remembered remembered{{make_key(), std::nullopt}, std::string(digest)};
    if (const absl::Status written = Write(id, remembered, now); !written.ok()) return written;
    by_age_.push_back({now, id});
    return entries_.emplace(id, std::move(remembered)).first->second.entry;
  }
  if (known->second.digest != digest) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     talkjs::sidecar::v1::ERROR_REASON_REQUEST_ID_REUSED,
                     "this request_id was used within 24 hours with other content; give each "
                     "request an id of its own and repeat it unchanged");
  }
  return known->second.entry;
}

void RequestLog::SetAnswer(const std::string& id, std::string_view answer) {
  MutexLock lock(mutex_);
  const auto known = entries_.find(id);
  if (known == entries_.end()) return;
  known->second.entry.answer = std::string(answer);
  Run("UPDATE requests SET answer = ?2 WHERE id = ?1", id, answer);
}

}  // namespace talkjsd::api
