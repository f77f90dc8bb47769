#include "daemon/journal/positions.h"

#include <map>
#include <set>
#include <thread>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/base/mutex.h"
#include "daemon/base/version.h"
#include "daemon/journal/database.h"
#include "daemon/journal/segment_file.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

constexpr char kPositionsSchema[] = R"(
CREATE TABLE about(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE subscriptions(name TEXT PRIMARY KEY, selection BLOB, epoch INTEGER, sequence INTEGER,
                           last_used INTEGER) WITHOUT ROWID;
)";

using Subscription = Positions::Subscription;

// The file; one thread at a time.
class PositionsFile {
 public:
  static absl::StatusOr<std::unique_ptr<PositionsFile>> Open(const Positions::Options& options);

  absl::Status Load(std::map<std::string, Subscription>* subscriptions);
  absl::Status Put(const std::vector<Subscription>& subscriptions);
  absl::Status Delete(const std::string& name);

 private:
  explicit PositionsFile(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  absl::Status Make();

  std::unique_ptr<Database> database_;
};

absl::StatusOr<std::unique_ptr<PositionsFile>> PositionsFile::Open(
    const Positions::Options& options) {
  auto database = OpenDatabase(options.path, Database::Mode::kCreate, options.vfs);
  if (!database.ok()) return database.status();
  std::unique_ptr<PositionsFile> file(new PositionsFile(*std::move(database)));
  Database& db = *file->database_;
  absl::Status status = db.Execute("PRAGMA synchronous=FULL");
  if (!status.ok()) return status;
  const absl::StatusOr<int64_t> tables = db.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  status = *tables == 0 ? file->Make() : CheckFormat(db);
  if (!status.ok()) return status;
  return file;
}

absl::Status PositionsFile::Make() {
  return database_->Transact([&]() -> absl::Status {
    for (const std::string& sql :
         {std::string(kPositionsSchema),
          std::string("INSERT INTO about VALUES('written_by','") + TALKJSD_VERSION + "')",
          "PRAGMA application_id=" + std::to_string(kApplicationId),
          "PRAGMA user_version=" + std::to_string(kJournalFormat)}) {
      if (absl::Status done = database_->Execute(sql); !done.ok()) return done;
    }
    return absl::OkStatus();
  });
}

absl::Status PositionsFile::Load(std::map<std::string, Subscription>* subscriptions) {
  auto select =
      database_->Prepare("SELECT name, selection, epoch, sequence, last_used FROM subscriptions");
  if (!select.ok()) return select.status();
  for (;;) {
    const absl::StatusOr<bool> row = select->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    Subscription found;
    found.name.assign(select->Bytes(0));
    found.selection.assign(select->Bytes(1));
    found.position = {static_cast<uint64_t>(select->Int(2)), static_cast<uint64_t>(select->Int(3))};
    found.last_used = select->Int(4);
    (*subscriptions)[found.name] = found;
  }
}

absl::Status PositionsFile::Put(const std::vector<Subscription>& subscriptions) {
  return database_->Transact([&]() -> absl::Status {
    auto put =
        database_->Prepare("INSERT OR REPLACE INTO subscriptions VALUES(?1, ?2, ?3, ?4, ?5)");
    if (!put.ok()) return put.status();
    for (const Subscription& each : subscriptions) {
      put->Bind(1, each.name)
          .BindBlob(2, each.selection)
          .Bind(3, static_cast<int64_t>(each.position.epoch))
          .Bind(4, static_cast<int64_t>(each.position.sequence))
          .Bind(5, each.last_used);
      if (absl::Status stored = put->Run(); !stored.ok()) return stored;
    }
    return absl::OkStatus();
  });
}

absl::Status PositionsFile::Delete(const std::string& name) {
  auto remove = database_->Prepare("DELETE FROM subscriptions WHERE name = ?1");
  if (!remove.ok()) return remove.status();
  remove->Bind(1, name);
  return remove->Run();
}

class PositionsImpl final : public Positions {
 public:
  PositionsImpl(Options options, const Clock& clock, std::unique_ptr<PositionsFile> file,
                std::map<std::string, Subscription> subscriptions)
      : options_(std::move(options)),
        clock_(clock),
        file_(std::move(file)),
        subscriptions_(std::move(subscriptions)),
        writer_([this] { Write(); }) {}
  ~PositionsImpl() override {
    {
      MutexLock lock(mutex_);
      stop_ = true;
      changed_.NotifyAll();
    }
    writer_.join();
  }

  std::vector<Subscription> Subscriptions() override;
  std::optional<Subscription> FindSubscription(const std::string& name) override;
  absl::Status PutSubscription(Subscription subscription) override;
  absl::StatusOr<bool> DeleteSubscription(const std::string& name) override;
  std::optional<Cursor> Acknowledge(const std::string& name, Cursor position) override;
  void NoteUse(const std::string& name) override;
  absl::Status Flush() override;

 private:
  void Write();
  bool IsExpired(const Subscription& subscription) const;
  void MarkSubscription(const std::string& name) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Stores what is marked. `file_mutex_` is held by the caller, the other one must not be.
  absl::Status StoreMarked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(file_mutex_);

  const Options options_;
  const Clock& clock_;

  // Taken before mutex_, and held while the disk is waited for.
  Mutex file_mutex_;
  const std::unique_ptr<PositionsFile> file_ ABSL_GUARDED_BY(file_mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::map<std::string, Subscription> subscriptions_ ABSL_GUARDED_BY(mutex_);
  // Changed since they were stored.
  std::set<std::string> marked_ ABSL_GUARDED_BY(mutex_);
  bool stop_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread writer_;  // last: it uses all of the above
};

bool PositionsImpl::IsExpired(const Subscription& subscription) const {
  const UnixMillis unused =
      std::chrono::duration_cast<std::chrono::milliseconds>(options_.unused_for).count();
  return clock_.WallMillis() - subscription.last_used > unused;
}

std::vector<Subscription> PositionsImpl::Subscriptions() {
  MutexLock lock(mutex_);
  std::vector<Subscription> all;
  for (const auto& [name, subscription] : subscriptions_) {
    if (!IsExpired(subscription)) all.push_back(subscription);
  }
  return all;
}

std::optional<Subscription> PositionsImpl::FindSubscription(const std::string& name) {
  MutexLock lock(mutex_);
  const auto found = subscriptions_.find(name);
  if (found == subscriptions_.end() || IsExpired(found->second)) return std::nullopt;
  return found->second;
}

absl::Status PositionsImpl::PutSubscription(Subscription subscription) {
  subscription.last_used = clock_.WallMillis();
  MutexLock file_lock(file_mutex_);
  if (absl::Status stored = file_->Put({subscription}); !stored.ok()) return stored;
  MutexLock lock(mutex_);
  marked_.erase(subscription.name);
  const std::string name = subscription.name;
  subscriptions_[name] = std::move(subscription);
  return absl::OkStatus();
}

absl::StatusOr<bool> PositionsImpl::DeleteSubscription(const std::string& name) {
  MutexLock file_lock(file_mutex_);
  if (absl::Status gone = file_->Delete(name); !gone.ok()) return gone;
  MutexLock lock(mutex_);
  marked_.erase(name);
  const auto found = subscriptions_.find(name);
  if (found == subscriptions_.end()) return false;
  const bool was_there = !IsExpired(found->second);
  subscriptions_.erase(found);
  return was_there;
}

void PositionsImpl::MarkSubscription(const std::string& name) {
  marked_.insert(name);
  changed_.NotifyAll();
}

std::optional<Cursor> PositionsImpl::Acknowledge(const std::string& name, Cursor position) {
  const std::optional<uint64_t> to = options_.resolve(position);
  MutexLock lock(mutex_);
  const auto found = subscriptions_.find(name);
  if (found == subscriptions_.end() || IsExpired(found->second)) return std::nullopt;
  found->second.last_used = clock_.WallMillis();
  // Of a journal that is lost nothing is further than anything.
  const std::optional<uint64_t> from = options_.resolve(found->second.position);
  if (to.has_value() && (!from.has_value() || *to > *from)) found->second.position = position;
  MarkSubscription(name);
  return found->second.position;
}

void PositionsImpl::NoteUse(const std::string& name) {
  MutexLock lock(mutex_);
  const auto found = subscriptions_.find(name);
  if (found == subscriptions_.end() || IsExpired(found->second)) return;
  found->second.last_used = clock_.WallMillis();
  MarkSubscription(name);
}

absl::Status PositionsImpl::Flush() {
  MutexLock file_lock(file_mutex_);
  return StoreMarked();
}

absl::Status PositionsImpl::StoreMarked() {
  std::vector<Subscription> subscriptions;
  std::vector<std::string> expired;
  {
    MutexLock lock(mutex_);
    for (const std::string& name : marked_) {
      subscriptions.push_back(subscriptions_.at(name));
    }
    for (const auto& [name, subscription] : subscriptions_) {
      if (IsExpired(subscription)) expired.push_back(name);
    }
    marked_.clear();
  }
  absl::Status status;
  if (!subscriptions.empty()) status = file_->Put(subscriptions);
  for (const std::string& name : expired) {
    if (status.ok()) status = file_->Delete(name);
  }
  MutexLock lock(mutex_);
  if (status.ok()) {
    for (const std::string& name : expired) subscriptions_.erase(name);
    return status;
  }
  // Nobody can have deleted them meanwhile: that takes the file.
  for (const Subscription& each : subscriptions) marked_.insert(each.name);
  return status;
}

void PositionsImpl::Write() {
  bool failed_before = false;
  for (;;) {
    bool last = false;
    {
      MutexLock lock(mutex_);
      while (marked_.empty() && !stop_) {
        changed_.Wait(mutex_);
      }
      const MonoTime at =
          SystemClock().Now() + std::chrono::duration_cast<MonoTime::duration>(options_.delay);
      while (!stop_ && changed_.WaitUntil(mutex_, at)) {
      }
      last = stop_;
    }
    const absl::Status stored = Flush();
    if (!stored.ok() && !failed_before) {
      LogError("positions cannot be stored; trying again until they can",
               {{"error", MessageOf(stored)}});
    }
    failed_before = !stored.ok();
    if (last) return;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Positions>> Positions::Open(Options options, const Clock& clock) {
  auto file = PositionsFile::Open(options);
  absl::Status status = file.status();
  std::map<std::string, Subscription> subscriptions;
  if (status.ok()) status = (*file)->Load(&subscriptions);
  if (!status.ok()) {
    if (ReasonOf(status) != talkjs::sidecar::v1::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED) {
      return status;
    }
    return MakeError(absl::StatusCode::kDataLoss, ReasonOf(status),
                     std::string(MessageOf(status)) +
                         "; restore the file, or move it away: then named subscriptions have "
                         "to be made anew");
  }
  return std::make_unique<PositionsImpl>(std::move(options), clock, *std::move(file),
                                         std::move(subscriptions));
}

}  // namespace talkjsd::journal
