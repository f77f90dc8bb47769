#include "daemon/journal/segment_file.h"

#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/version.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::journal {
namespace {

namespace pb = talkjs::sidecar::v1;

constexpr std::string_view kSuffix = ".segment";
constexpr size_t kNameDigits = 8;

constexpr char kSegmentSchema[] = R"(
CREATE TABLE about(name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE epochs(position INTEGER PRIMARY KEY, epoch INTEGER, first_sequence INTEGER);
CREATE TABLE events(sequence INTEGER PRIMARY KEY, epoch INTEGER, time INTEGER, session TEXT,
                    conversation TEXT, kind INTEGER, by_me INTEGER, bytes BLOB, checksum INTEGER);
)";

constexpr char kRead[] =
    "SELECT sequence, epoch, time, session, conversation, kind, by_me, bytes, checksum "
    "FROM events WHERE sequence >= ?1 AND sequence <= ?2 ORDER BY sequence LIMIT ?3";
constexpr char kReadBack[] =
    "SELECT sequence, epoch, time, session, conversation, kind, by_me, bytes, checksum "
    "FROM events WHERE sequence >= ?1 AND sequence < ?2 ORDER BY sequence DESC LIMIT ?3";

// Sequences are far below 2^63; a limit above means no limit.
int64_t AsInt(uint64_t value) {
  return value > INT64_MAX ? INT64_MAX : static_cast<int64_t>(value);
}

uint64_t Mix(uint64_t state, uint64_t word) {
  // Invertible in both arguments: one changed word always changes the result.
  state = (state ^ word) * 0x9e3779b97f4a7c15;
  return state ^ (state >> 32);
}

uint64_t MixBytes(uint64_t state, std::string_view bytes) {
  state = Mix(state, bytes.size());
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), 8);
    state = Mix(state, word);
  }
  uint64_t rest = 0;
  std::memcpy(&rest, bytes.data(), bytes.size());
  return Mix(state, rest);
}

absl::Status SetDurability(Database& database, Durability durability) {
  return database.Execute(durability == Durability::kDisk ? "PRAGMA synchronous=FULL"
                                                          : "PRAGMA synchronous=NORMAL");
}

}  // namespace

bool IsDamage(const absl::Status& status) {
  return ReasonOf(status) == pb::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED;
}

std::string SegmentName(uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < kNameDigits) digits.insert(0, kNameDigits - digits.size(), '0');
  return digits.append(kSuffix);
}

std::optional<uint64_t> ParseSegmentName(std::string_view name) {
  if (name.size() < kNameDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  name.remove_suffix(kSuffix.size());
  uint64_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) return std::nullopt;
  return number;
}

uint64_t RowChecksum(const StoredEvent& event) {
  uint64_t state = Mix(0, event.cursor.sequence);
  state = Mix(state, event.cursor.epoch);
  state = Mix(state, static_cast<uint64_t>(event.append_time));
  state = Mix(state, static_cast<uint64_t>(event.kind) << 1 | (event.by_me ? 1 : 0));
  state = MixBytes(state, event.session_id);
  state = MixBytes(state, event.conversation_id);
  return MixBytes(state, event.bytes);
}

absl::Status CheckFormat(Database& database) {
  const absl::StatusOr<int64_t> application = database.QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const absl::StatusOr<int64_t> format = database.QueryInt("PRAGMA user_version");
  if (!format.ok()) return format.status();
  if (*application == kApplicationId && *format > kJournalFormat) {
    const absl::StatusOr<std::string> writer =
        database.QueryText("SELECT value FROM about WHERE name = 'written_by'");
    const std::string version = writer.ok() ? *writer : "a newer version";
    return MakeError(absl::StatusCode::kFailedPrecondition, pb::ERROR_REASON_JOURNAL_FORMAT_NEWER,
                     database.path() + ": written by talkjsd " + version + " in format " +
                         std::to_string(*format) + ", and this is talkjsd " + TALKJSD_VERSION +
                         ", which knows formats up to " + std::to_string(kJournalFormat) +
                         "; run talkjsd " + version +
                         " or a newer one, or give this one an empty directory with --state-dir");
  }
  if (*application != kApplicationId || *format < 1) {
    return MakeError(absl::StatusCode::kDataLoss, pb::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED,
                     database.path() + ": not a file of a journal, or its beginning is damaged");
  }
  return absl::OkStatus();
}

absl::Status SegmentFile::Damaged(std::string_view what) const {
  std::string message = database_->path();
  message.append(": ").append(what).append("; run talkjsctl journal verify, and check the disk");
  return MakeError(absl::StatusCode::kDataLoss, pb::ERROR_REASON_JOURNAL_SEGMENT_DAMAGED, message);
}

absl::StatusOr<std::unique_ptr<SegmentFile>> SegmentFile::Create(
    const std::string& path, Head head, const std::vector<EpochStart>& epochs,
    const FileAccess& access) {
  if (::access(path.c_str(), F_OK) == 0) {
    return MakeError(absl::StatusCode::kUnavailable, pb::ERROR_REASON_JOURNAL_UNAVAILABLE,
                     path + ": exists already; does another program write to the state directory?");
  }
  auto database = OpenDatabase(path, Database::Mode::kCreate, access.vfs);
  if (!database.ok()) return database.status();
  std::unique_ptr<SegmentFile> file(new SegmentFile(*std::move(database)));
  file->head_ = head;
  Database& db = *file->database_;
  absl::Status status = db.Execute("PRAGMA journal_mode=WAL");
  if (status.ok()) status = db.Execute("PRAGMA synchronous=FULL");
  if (status.ok()) {
    status = db.Transact([&]() -> absl::Status {
      absl::Status made = db.Execute(kSegmentSchema);
      if (!made.ok()) return made;
      made = db.Execute("INSERT INTO about VALUES('number'," + std::to_string(head.number) +
                        "),('first_sequence'," + std::to_string(head.first_sequence) +
                        "),('written_by','" + TALKJSD_VERSION + "')");
      if (!made.ok()) return made;
      auto insert = db.Prepare("INSERT INTO epochs(epoch, first_sequence) VALUES(?1, ?2)");
      if (!insert.ok()) return insert.status();
      for (const EpochStart& start : epochs) {
        insert->Bind(1, static_cast<int64_t>(start.epoch)).Bind(2, AsInt(start.first_sequence));
        made = insert->Run();
        if (!made.ok()) return made;
      }
      made = db.Execute("PRAGMA application_id=" + std::to_string(kApplicationId));
      if (!made.ok()) return made;
      return db.Execute("PRAGMA user_version=" + std::to_string(kJournalFormat));
    });
  }
  if (status.ok()) status = SetDurability(db, access.durability);
  if (status.ok()) return file;
  file.reset();
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) ::unlink((path + suffix).c_str());
  return status;
}

absl::StatusOr<std::unique_ptr<SegmentFile>> SegmentFile::Open(const std::string& path,
                                                               Database::Mode mode,
                                                               const FileAccess& access) {
  auto database = OpenDatabase(path, mode, access.vfs);
  if (!database.ok()) return database.status();
  std::unique_ptr<SegmentFile> file(new SegmentFile(*std::move(database)));
  if (const absl::Status format = CheckFormat(*file->database_); !format.ok()) return format;
  if (const absl::Status head = file->ReadHead(); !head.ok()) return head;
  if (mode == Database::Mode::kReadOnly || mode == Database::Mode::kImmutable) return file;
  const absl::Status set = SetDurability(*file->database_, access.durability);
  if (!set.ok()) return set;
  return file;
}

absl::Status SegmentFile::ReadHead() {
  const auto number = database_->QueryInt("SELECT value FROM about WHERE name = 'number'");
  if (!number.ok()) return number.status();
  const auto first = database_->QueryInt("SELECT value FROM about WHERE name = 'first_sequence'");
  if (!first.ok()) return first.status();
  if (*first < 1 || *first > static_cast<int64_t>(kMaxSequence))
    return Damaged("its first sequence makes no sense");
  head_ = {static_cast<uint64_t>(*number), static_cast<uint64_t>(*first)};
  return absl::OkStatus();
}

absl::StatusOr<std::string> SegmentFile::WrittenBy() {
  return database_->QueryText("SELECT value FROM about WHERE name = 'written_by'");
}

absl::StatusOr<std::vector<EpochStart>> SegmentFile::Epochs() {
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

absl::Status SegmentFile::AddEpoch(EpochStart start) {
  auto insert = database_->Prepare("INSERT INTO epochs(epoch, first_sequence) VALUES(?1, ?2)");
  if (!insert.ok()) return insert.status();
  insert->Bind(1, static_cast<int64_t>(start.epoch)).Bind(2, AsInt(start.first_sequence));
  if (const absl::Status added = insert->Run(); !added.ok()) return added;
  return database_->SyncLog();
}

absl::StatusOr<Statement*> SegmentFile::Prepared(Statement& statement, bool& is_prepared,
                                                 std::string_view sql) {
  if (!is_prepared) {
    absl::StatusOr<Statement> prepared = database_->Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    statement = *std::move(prepared);
    is_prepared = true;
  }
  return &statement;
}

absl::StatusOr<std::optional<SegmentFile::Bounds>> SegmentFile::FindBounds() {
  std::vector<EventRef> first;
  if (absl::Status read = Read(head_.first_sequence - 1, INT64_MAX, 1, &first); !read.ok()) {
    return read;
  }
  std::vector<EventRef> last;
  if (absl::Status read = ReadBack(0, INT64_MAX, 1, &last); !read.ok()) return read;
  if (last.empty()) return std::nullopt;
  if (first.empty()) return Damaged("its first events are gone");
  return Bounds{last.front()->cursor.sequence, first.front()->append_time,
                last.front()->append_time};
}

absl::Status SegmentFile::InsertAll(Statement& insert, const std::vector<EventRef>& group) {
  for (const EventRef& event : group) {
    insert.Bind(1, AsInt(event->cursor.sequence))
        .Bind(2, static_cast<int64_t>(event->cursor.epoch))
        .Bind(3, event->append_time)
        .Bind(4, event->session_id)
        .Bind(5, event->conversation_id)
        .Bind(6, static_cast<int64_t>(event->kind))
        .Bind(7, event->by_me ? 1 : 0)
        .BindBlob(8, event->bytes)
        .Bind(9, static_cast<int64_t>(RowChecksum(*event)));
    if (absl::Status inserted = insert.Run(); !inserted.ok()) return inserted;
  }
  return absl::OkStatus();
}

absl::Status SegmentFile::Append(const std::vector<EventRef>& group) {
  const absl::StatusOr<Statement*> insert =
      Prepared(insert_.statement, insert_.is_prepared,
               "INSERT INTO events VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)");
  if (!insert.ok()) return insert.status();
  return database_->Transact([&] { return InsertAll(**insert, group); });
}

absl::StatusOr<EventRef> SegmentFile::Decode(const Statement& row) const {
  auto event = std::make_shared<StoredEvent>();
  event->cursor = {static_cast<uint64_t>(row.Int(1)), static_cast<uint64_t>(row.Int(0))};
  event->append_time = row.Int(2);
  event->session_id.assign(row.Bytes(3));
  event->conversation_id.assign(row.Bytes(4));
  event->kind = static_cast<EventKind>(row.Int(5));
  event->by_me = row.Int(6) != 0;
  event->bytes.assign(row.Bytes(7));
  if (static_cast<uint64_t>(row.Int(8)) != RowChecksum(*event)) {
    return Damaged("event " + std::to_string(event->cursor.sequence) + " is damaged");
  }
  return event;
}

absl::Status SegmentFile::Read(uint64_t after, uint64_t to, size_t max,
                               std::vector<EventRef>* out) {
  const absl::StatusOr<Statement*> prepared = Prepared(read_.statement, read_.is_prepared, kRead);
  if (!prepared.ok()) return prepared.status();
  Statement& read = **prepared;
  // Not "sequence > after": that would touch the page of `after`, which may be damaged.
  read.Bind(1, AsInt(after + 1)).Bind(2, AsInt(to)).Bind(3, AsInt(max));
  absl::Status status;
  uint64_t expected = after + 1;
  size_t count = 0;
  for (;; ++expected, ++count) {
    const absl::StatusOr<bool> row = read.Step();
    status = row.status();
    if (!status.ok() || !*row) break;
    absl::StatusOr<EventRef> event = Decode(read);
    status = event.status();
    if (!status.ok()) break;
    if ((*event)->cursor.sequence != expected) {
      status = Damaged("event " + std::to_string(expected) + " is missing");
      break;
    }
    out->push_back(*std::move(event));
  }
  read.Reset();
  const bool ended_early = count < max && expected <= to && to < INT64_MAX;
  if (status.ok() && ended_early) {
    return Damaged("events after " + std::to_string(expected - 1) + " are missing");
  }
  return status;
}

absl::Status SegmentFile::ReadBack(uint64_t from, uint64_t before, size_t max,
                                   std::vector<EventRef>* out) {
  const absl::StatusOr<Statement*> prepared =
      Prepared(read_back_.statement, read_back_.is_prepared, kReadBack);
  if (!prepared.ok()) return prepared.status();
  Statement& read = **prepared;
  read.Bind(1, AsInt(from)).Bind(2, AsInt(before)).Bind(3, AsInt(max));
  absl::Status status;
  for (;;) {
    const absl::StatusOr<bool> row = read.Step();
    status = row.status();
    if (!status.ok() || !*row) break;
    absl::StatusOr<EventRef> event = Decode(read);
    status = event.status();
    if (!status.ok()) break;
    if (before != INT64_MAX && (*event)->cursor.sequence != before - 1) {
      status = Damaged("event " + std::to_string(before - 1) + " is missing");
      break;
    }
    before = (*event)->cursor.sequence;
    out->push_back(*std::move(event));
  }
  read.Reset();
  return status;
}

absl::StatusOr<EventRef> SegmentFile::ReadOne(uint64_t sequence) {
  std::vector<EventRef> events;
  if (absl::Status read = Read(sequence - 1, sequence, 1, &events); !read.ok()) return read;
  if (events.empty()) return Damaged("event " + std::to_string(sequence) + " is missing");
  return std::move(events.front());
}

absl::StatusOr<UnixMillis> SegmentFile::TimeOf(uint64_t sequence) {
  const absl::StatusOr<Statement*> prepared = Prepared(
      time_of_.statement, time_of_.is_prepared, "SELECT time FROM events WHERE sequence = ?1");
  if (!prepared.ok()) return prepared.status();
  Statement& find = **prepared;
  find.Bind(1, AsInt(sequence));
  const absl::StatusOr<bool> row = find.Step();
  if (!row.ok()) return row.status();
  const UnixMillis time = *row ? find.Int(0) : 0;
  find.Reset();
  if (!*row) return Damaged("event " + std::to_string(sequence) + " is missing");
  return time;
}

absl::StatusOr<bool> SegmentFile::HasIndex() {
  const absl::StatusOr<int64_t> count = database_->QueryInt(
      "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND name = 'by_session'");
  if (!count.ok()) return count.status();
  return *count > 0;
}

// The key ends with the sequence by itself: it is the table's row id.
absl::Status SegmentFile::CreateIndex() {
  return database_->Transact([&]() -> absl::Status {
    absl::Status made =
        database_->Execute("CREATE INDEX IF NOT EXISTS by_session ON events(session)");
    if (!made.ok()) return made;
    const absl::StatusOr<uint64_t> checksum = IndexChecksum();
    if (!checksum.ok()) return checksum.status();
    return database_->Execute("INSERT OR REPLACE INTO about VALUES('index_checksum'," +
                              std::to_string(static_cast<int64_t>(*checksum)) + ")");
  });
}

absl::StatusOr<uint64_t> SegmentFile::IndexChecksum() {
  auto scan = database_->Prepare(
      "SELECT session, sequence FROM events INDEXED BY by_session "
      "WHERE session >= ''");
  if (!scan.ok()) return scan.status();
  uint64_t sum = 0;
  for (;;) {
    const absl::StatusOr<bool> row = scan->Step();
    if (!row.ok()) return row.status();
    if (!*row) return sum;
    sum += Mix(MixBytes(0, scan->Bytes(0)), static_cast<uint64_t>(scan->Int(1)));
  }
}

absl::Status SegmentFile::CheckIndex() {
  const absl::StatusOr<uint64_t> found = IndexChecksum();
  if (!found.ok()) return found.status();
  const absl::StatusOr<int64_t> made =
      database_->QueryInt("SELECT value FROM about WHERE name = 'index_checksum'");
  if (!made.ok()) return made.status();
  return static_cast<uint64_t>(*made) == *found ? absl::OkStatus() : Damaged("its index is wrong");
}

absl::Status SegmentFile::FindSession(std::string_view session_id, uint64_t after, uint64_t to,
                                      size_t max, std::vector<uint64_t>* out) {
  const absl::StatusOr<Statement*> prepared = Prepared(
      find_session_.statement, find_session_.is_prepared,
      "SELECT sequence FROM events INDEXED BY by_session "
      "WHERE session = ?1 AND sequence > ?2 AND sequence <= ?3 ORDER BY sequence LIMIT ?4");
  if (!prepared.ok()) return prepared.status();
  Statement& find = **prepared;
  find.Bind(1, session_id).Bind(2, AsInt(after)).Bind(3, AsInt(to)).Bind(4, AsInt(max));
  absl::Status status;
  for (;;) {
    const absl::StatusOr<bool> row = find.Step();
    status = row.status();
    if (!status.ok() || !*row) break;
    out->push_back(static_cast<uint64_t>(find.Int(0)));
  }
  find.Reset();
  return status;
}

}  // namespace talkjsd::journal
