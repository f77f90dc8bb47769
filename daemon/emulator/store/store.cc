#include "daemon/emulator/store/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <system_error>
#include <unordered_set>
#include <utility>
#include <variant>

#include "daemon/base/error.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/store/document.h"
#include "daemon/emulator/store/record_json.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr int64_t kApplicationId = 0x746b656d;  // in the file's header: "tkem"
constexpr int64_t kSchemaVersion = 1;
// Old idempotency keys are deleted after so many new ones.
constexpr int64_t kKeysBetweenDeletions = 1000;

constexpr char kSchema[] = R"(
  CREATE TABLE users (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE conversations (id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE sides (conversation TEXT, user TEXT, record TEXT NOT NULL,
                      PRIMARY KEY (conversation, user)) WITHOUT ROWID;
  CREATE TABLE messages (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
                         conversation TEXT NOT NULL, record TEXT NOT NULL);
  CREATE TABLE keys (number INTEGER PRIMARY KEY, user TEXT NOT NULL, key TEXT NOT NULL,
                     message TEXT NOT NULL, sent INTEGER NOT NULL);
  CREATE TABLE files (token TEXT PRIMARY KEY, block TEXT NOT NULL, type TEXT NOT NULL,
                      content BLOB NOT NULL);
  PRAGMA application_id = 0x746b656d;
  PRAGMA user_version = 1;)";

// In the order of Store::Sql.
constexpr const char* kSql[] = {
    "INSERT OR REPLACE INTO users VALUES (?, ?)",
    "DELETE FROM users WHERE id = ?",
    "INSERT OR REPLACE INTO conversations VALUES (?, ?)",
    "DELETE FROM conversations WHERE id = ?",
    "INSERT OR REPLACE INTO sides VALUES (?, ?, ?)",
    "DELETE FROM sides WHERE conversation = ? AND user = ?",
    "DELETE FROM sides WHERE conversation = ?",
    "INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?)",
    "DELETE FROM messages WHERE id = ?",
    "DELETE FROM messages WHERE conversation = ?",
    "INSERT INTO keys (user, key, message, sent) VALUES (?, ?, ?, ?)",
    "DELETE FROM keys WHERE sent < ?",
    "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?)",
};

constexpr char kDeleteAll[] =
    "DELETE FROM users; DELETE FROM conversations; DELETE FROM sides; DELETE FROM messages; "
    "DELETE FROM keys";

absl::Status MakeDirectory(const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (!error) return absl::OkStatus();
  return absl::UnavailableError("cannot make the directory " + directory + ": " + error.message() +
                                "; give another --data-dir, or correct its owner");
}

absl::Status CheckSchema(Database& database) {
  const auto application = database.QueryInt("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const auto version = database.QueryInt("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const auto tables = database.QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  if (*tables == 0) return database.Transact([&] { return database.Execute(kSchema); });
  if (*application != kApplicationId) {
    return absl::FailedPreconditionError(
        database.path() + " is a database of another program; give another --data-dir");
  }
  if (*version > kSchemaVersion) {
    return absl::FailedPreconditionError(
        database.path() + " was written by a newer talkjs-emulator (schema " +
        std::to_string(*version) + ", this one knows up to " + std::to_string(kSchemaVersion) +
        "); use that one, or give another --data-dir");
  }
  return absl::OkStatus();
}

// Reads a row's JSON and hands it on; `read` is absl::Status(const json::value&, const Place&).
template <typename Read>
absl::Status ReadJson(std::string_view text, Read read) {
  const auto value = wire::ParseJson(text, text.size());
  if (!value.ok()) return value.status();
  return read(*value, Place());
}

}  // namespace

// --- opening ---

absl::StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& directory) {
  if (absl::Status status = MakeDirectory(directory); !status.ok()) return status;
  auto database = OpenDatabase((std::filesystem::path(directory) / "state.sqlite").string());
  if (!database.ok()) return database.status();
  if (absl::Status status = CheckSchema(**database); !status.ok()) return status;
  std::unique_ptr<Store> store(new Store(*std::move(database)));
  if (absl::Status status = store->Prepare(); !status.ok()) return status;
  return store;
}

absl::Status Store::Prepare() {
  static_assert(std::size(kSql) == kStatements);
  for (const char* sql : kSql) {
    auto statement = database_->Prepare(sql);
    if (!statement.ok()) return statement.status();
    statements_.push_back(*std::move(statement));
  }
  return absl::OkStatus();
}

// --- loading ---

absl::Status Store::Damaged(std::string_view row, const absl::Status& why) const {
  std::string message = database_->path();
  message.append(" is damaged: ").append(row).append(": ").append(MessageOf(why));
  return absl::DataLossError(message);
}

template <typename Read>
absl::Status Store::ForEachRow(const char* sql, Read read) {
  auto rows = database_->Prepare(sql);
  if (!rows.ok()) return rows.status();
  for (;;) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    if (absl::Status status = read(*rows); !status.ok()) {
      std::string where(sql);
      where.append(": ").append(rows->Bytes(0));
      return Damaged(where, status);
    }
  }
}

absl::StatusOr<WorldRecords> Store::Load() {
  WorldRecords records;
  absl::Status status = ForEachRow("SELECT id, record FROM users", [&](Statement& row) {
    UserRecord& user = records.users[std::string(row.Bytes(0))];
    user.shown.id = row.Bytes(0);
    return ReadJson(row.Bytes(1), [&](const json::value& value, const Place& place) {
      return ReadRecord(value, place, user);
    });
  });
  if (!status.ok()) return status;
  std::map<std::string, json::value> shut_out;  // read when the messages are there
  status = ForEachRow("SELECT id, record FROM conversations", [&](Statement& row) {
    ConversationRecord& conversation = records.conversations[std::string(row.Bytes(0))];
    conversation.id = row.Bytes(0);
    return ReadJson(row.Bytes(1), [&](const json::value& value, const Place& place) {
      ObjectReader reader(value, place);
      ReadAttributes(reader, conversation);
      if (const json::value* sides = reader.Take("shutOut")) shut_out[conversation.id] = *sides;
      return reader.Finish();
    });
  });
  if (status.ok()) status = LoadMessages(records);
  for (const auto& [id, sides] : shut_out) {
    if (status.ok()) status = ReadShutOut(sides, Place(), records.conversations[id]);
  }
  if (status.ok()) status = LoadSides(records);
  if (status.ok()) status = LoadKeys(records);
  if (!status.ok()) return status;
  return records;
}

absl::Status Store::LoadMessages(WorldRecords& records) {
  return ForEachRow("SELECT number, conversation, record FROM messages", [&](Statement& row) {
    const auto found = records.conversations.find(std::string(row.Bytes(1)));
    if (found == records.conversations.end()) {
      return absl::DataLossError("there is no such conversation");
    }
    MessageRecord record;
    record.key.number = static_cast<uint64_t>(row.Int(0));
    record.conversation_id = found->first;
    absl::Status status = ReadJson(row.Bytes(2), [&](const json::value& value, const Place& place) {
      return ReadRecord(value, place, record);
    });
    const MessageKey key = record.key;
    found->second.messages[key] = std::move(record);
    return status;
  });
}

absl::Status Store::LoadSides(WorldRecords& records) {
  const ConversationRecord* last = nullptr;
  MessageKeys keys;  // of `last`
  const char* sql = "SELECT conversation, user, record FROM sides ORDER BY conversation";
  return ForEachRow(sql, [&](Statement& row) {
    const auto found = records.conversations.find(std::string(row.Bytes(0)));
    if (found == records.conversations.end()) {
      return absl::DataLossError("there is no such conversation");
    }
    ConversationRecord& conversation = found->second;
    if (std::exchange(last, &conversation) != &conversation) keys = KeysOf(conversation);
    const std::string user_id(row.Bytes(1));
    if (!records.users.contains(user_id)) return absl::DataLossError("there is no user " + user_id);
    ParticipantRecord& participant = conversation.participants[user_id];
    participant.user_id = user_id;
    ReadMarks marks;
    return ReadJson(row.Bytes(2), [&](const json::value& value, const Place& place) {
      absl::Status status = ReadSide(value, place, participant, marks);
      if (!status.ok()) return status;
      return ApplyMarks(conversation, keys, marks, place, participant);
    });
  });
}

// A key whose message is gone may be used again.
absl::Status Store::LoadKeys(WorldRecords& records) {
  std::unordered_set<std::string_view> ids;
  for (const auto& [id, conversation] : records.conversations) {
    for (const auto& [key, record] : conversation.messages) ids.insert(record.message.id);
  }
  const char* sql = "SELECT user, key, message, sent FROM keys ORDER BY number";
  return ForEachRow(sql, [&](Statement& row) {
    SentRecord key{std::string(row.Bytes(0)), std::string(row.Bytes(1)), std::string(row.Bytes(2)),
                   row.Int(3)};
    if (ids.contains(key.message_id)) records.sent.push_back(std::move(key));
    return absl::OkStatus();
  });
}

absl::Status Store::LoadFiles(FileStore& files) {
  return ForEachRow("SELECT token, block, type, content FROM files", [&](Statement& row) {
    StoredFile file;
    file.content_type = row.Bytes(2);
    file.content = std::make_shared<const std::string>(row.Bytes(3));
    absl::Status status = ReadJson(row.Bytes(1), [&](const json::value& value, const Place&) {
      auto content = wire::DecodeContent(value);
      if (!content.ok()) return content.status();
      if (content->size() != 1) return absl::DataLossError("not one block");
      file.block = std::move(content->front().file);
      return absl::OkStatus();
    });
    return status.ok() ? files.Add(std::move(file)) : status;
  });
}

// --- noting ---

void Store::NoteSides(const ConversationRecord& conversation) {
  if (!conversation.shut_out.empty()) conversations_.insert(conversation.id);
  for (const auto& [user_id, participant] : conversation.participants) {
    sides_.emplace(conversation.id, user_id);
  }
}

void Store::NoteAll(const ConversationRecord& conversation) {
  conversations_.insert(conversation.id);
  NoteSides(conversation);
  for (const auto& [key, record] : conversation.messages) messages_.insert(record.message.id);
}

void Store::Note(const Change& change) {
  if (all_) return;
  struct Visitor {
    Store& store;
    void operator()(const UserAdded& c) { store.users_.insert(c.user.shown.id); }
    void operator()(const UserChanged& c) { store.users_.insert(c.user.shown.id); }
    void operator()(const UserRemoved& c) { store.users_.insert(c.user_id); }
    void operator()(const OnlineChanged&) {}
    void operator()(const ConversationAdded& c) { store.conversations_.insert(c.conversation.id); }
    void operator()(const ConversationChanged& c) {
      store.conversations_.insert(c.conversation.id);
    }
    void operator()(const ConversationTouched& c) {
      store.conversations_.insert(c.conversation.id);
    }
    void operator()(const ConversationRemoved& c) { store.dropped_.insert(c.conversation.id); }
    void operator()(const ConversationLoaded& c) { store.NoteAll(c.conversation); }
    void operator()(const Joined& c) {
      store.conversations_.insert(c.conversation.id);  // its lastJoinedAt, and who is shut out
      Side(c.conversation, c.participant.user_id);
    }
    void operator()(const ParticipantChanged& c) { Side(c.conversation, c.participant.user_id); }
    void operator()(const Left& c) {
      store.conversations_.insert(c.conversation.id);  // who is shut out
      Side(c.conversation, c.user_id);
    }
    void operator()(const SideChanged& c) { Side(c.conversation, c.participant.user_id); }
    void operator()(const SideTouched& c) { Side(c.conversation, c.participant.user_id); }
    void operator()(const MessageAdded& c) {
      store.messages_.insert(c.message.message.id);
      if (c.message.message.sender_id) Side(c.conversation, *c.message.message.sender_id);
    }
    void operator()(const MessageImported& c) {
      store.messages_.insert(c.message.message.id);
      store.NoteSides(c.conversation);  // how much is unread
    }
    void operator()(const MessageChanged& c) { store.messages_.insert(c.message.message.id); }
    void operator()(const MessageRemoved& c) {
      store.messages_.insert(c.message_id);
      store.NoteSides(c.conversation);  // whose readTo may be that message
    }
    void operator()(const ConversationCleared& c) {
      store.messages_.insert(c.message_ids.begin(), c.message_ids.end());
      store.NoteSides(c.conversation);
    }
    void operator()(const ReactionChanged& c) { store.messages_.insert(c.message.message.id); }
    void operator()(const TypingChanged&) {}
    void operator()(const KeyRemembered& c) { store.keys_.push_back(c.sent); }
    void operator()(const WorldReplaced&) { store.all_ = true; }
    void Side(const ConversationRecord& conversation, const std::string& user_id) {
      store.sides_.emplace(conversation.id, user_id);
    }
  };
  std::visit(Visitor{*this}, change);
}

void Store::Forget() {
  all_ = false;
  dropped_.clear();
  users_.clear();
  conversations_.clear();
  sides_.clear();
  messages_.clear();
  keys_.clear();
  files_.clear();
}

// --- writing ---

absl::Status Store::Write(const World& world) {
  if (all_) {
    for (const auto& [id, user] : world.users()) users_.insert(id);
    world.ForEachConversation([this](const ConversationRecord& one) { NoteAll(one); });
    keys_ = world.SentKeys();
  }
  if (!all_ && dropped_.empty() && users_.empty() && conversations_.empty() && sides_.empty() &&
      messages_.empty() && keys_.empty() && files_.empty()) {
    return absl::OkStatus();
  }
  absl::Status status = database_->Transact([&] { return WriteNoted(world); });
  if (status.ok()) Forget();
  return status;
}

absl::Status Store::WriteNoted(const World& world) {
  absl::Status status = all_ ? database_->Execute(kDeleteAll) : WriteDropped();
  const auto write_each = [&](const auto& noted, auto write) {
    for (const auto& one : noted) {
      if (status.ok()) status = (this->*write)(world, one);
    }
  };
  write_each(users_, &Store::WriteUser);
  write_each(conversations_, &Store::WriteConversation);
  write_each(sides_, &Store::WriteSide);
  write_each(messages_, &Store::WriteMessage);
  if (status.ok()) status = WriteKeys();
  return status.ok() ? WriteFiles() : status;
}

absl::Status Store::WriteDropped() {
  for (const std::string& id : dropped_) {
    for (const Sql sql : {kDeleteConversation, kDeleteSides, kDeleteMessages}) {
      absl::Status status = statements_[sql].Bind(1, id).Run();
      if (!status.ok()) return status;
    }
  }
  return absl::OkStatus();
}

absl::Status Store::WriteUser(const World& world, const std::string& id) {
  const UserRecord* user = world.FindUser(id);
  if (user == nullptr) return statements_[kDeleteUser].Bind(1, id).Run();
  const std::string record = json::serialize(EncodeRecord(*user));
  return statements_[kPutUser].Bind(1, id).Bind(2, record).Run();
}

absl::Status Store::WriteConversation(const World& world, const std::string& id) {
  const ConversationRecord* conversation = world.LookUpConversation(id);
  if (conversation == nullptr) return statements_[kDeleteConversation].Bind(1, id).Run();
  json::object attributes = EncodeAttributes(*conversation);
  if (!conversation->shut_out.empty()) attributes["shutOut"] = EncodeShutOut(*conversation);
  const std::string record = json::serialize(attributes);
  return statements_[kPutConversation].Bind(1, id).Bind(2, record).Run();
}

absl::Status Store::WriteSide(const World& world, const Side& side) {
  const ConversationRecord* conversation = world.LookUpConversation(side.first);
  const bool is_there = conversation != nullptr && conversation->participants.contains(side.second);
  if (!is_there) return statements_[kDeleteSide].Bind(1, side.first).Bind(2, side.second).Run();
  const ParticipantRecord& participant = conversation->participants.at(side.second);
  const std::string record = json::serialize(EncodeSide(*conversation, participant));
  return statements_[kPutSide].Bind(1, side.first).Bind(2, side.second).Bind(3, record).Run();
}

absl::Status Store::WriteMessage(const World& world, const std::string& id) {
  const MessageRecord* message = world.FindMessage(id);
  if (message == nullptr) return statements_[kDeleteMessage].Bind(1, id).Run();
  const std::string record = json::serialize(EncodeRecord(*message));
  return statements_[kPutMessage]
      .Bind(1, static_cast<int64_t>(message->key.number))
      .Bind(2, id)
      .Bind(3, message->conversation_id)
      .Bind(4, record)
      .Run();
}

absl::Status Store::WriteKeys() {
  for (const SentRecord& key : keys_) {
    absl::Status status = statements_[kPutKey]
                              .Bind(1, key.user_id)
                              .Bind(2, key.idempotency_key)
                              .Bind(3, key.message_id)
                              .Bind(4, key.sent_at)
                              .Run();
    if (!status.ok()) return status;
    if (++keys_written_ % kKeysBetweenDeletions != 0) continue;
    status = statements_[kDeleteKeys].Bind(1, key.sent_at - kIdempotencyWindow.count()).Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Store::WriteFiles() {
  for (const StoredFile& file : files_) {
    std::vector<wire::ContentBlock> content(1);
    content.front().kind = wire::ContentBlock::Kind::kFile;
    content.front().file = file.block;
    const std::string block = json::serialize(wire::EncodeContent(content));
    absl::Status status = statements_[kPutFile]
                              .Bind(1, file.block.file_token)
                              .Bind(2, block)
                              .Bind(3, file.content_type)
                              .Bind(4, *file.content)
                              .Run();
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace talkjsd::emulator
