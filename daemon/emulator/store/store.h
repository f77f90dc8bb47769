// The world on disk: follows its changes and writes them to DIRECTORY/state.sqlite, from where a
// later emulator takes them up again.
//
//   absl::StatusOr<std::unique_ptr<Store>> store = Store::Open(directory);
//   absl::StatusOr<WorldRecords> records = (*store)->Load();
//   world.Replace(*std::move(records));
//   world.OnChange([&](const Change& change) { (*store)->Note(change); });
//   ...
//   absl::Status written = (*store)->Write(world);
//
// A row is a record as JSON, in the shape of record_json.h; typing marks, who is connected, and
// what was told to whom are not kept. Lives on the world's thread.
#ifndef TALKJSD_EMULATOR_STORE_STORE_H_
#define TALKJSD_EMULATOR_STORE_STORE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "daemon/emulator/model/change.h"
#include "daemon/emulator/model/files.h"
#include "daemon/emulator/model/world.h"
#include "daemon/emulator/store/database.h"

namespace talkjsd::emulator {

class Store {
 public:
  // Creates the directory where there is none. The error says what to do: the directory cannot be
  // written, another emulator uses it, a newer one has written it, the file is damaged.
  static absl::StatusOr<std::unique_ptr<Store>> Open(const std::string& directory);

  // For World::Replace. DATA_LOSS naming the row that cannot be read.
  absl::StatusOr<WorldRecords> Load();

  // Uploaded files, with their contents.
  absl::Status LoadFiles(FileStore& files);

  // What the change names, or the file, is to be written.
  void Note(const Change& change);
  void NoteFile(const StoredFile& file) { files_.push_back(file); }

  // Writes what was noted, in one transaction. After an error nothing is written, and all of it is
  // still noted.
  absl::Status Write(const World& world);

 private:
  enum Sql {
    kPutUser,
    kDeleteUser,
    kPutConversation,
    kDeleteConversation,
    kPutSide,
    kDeleteSide,
    kDeleteSides,
    kPutMessage,
    kDeleteMessage,
    kDeleteMessages,
    kPutKey,
    kDeleteKeys,
    kPutFile,
    kStatements
  };
  using Side = std::pair<std::string, std::string>;  // conversation, user

  explicit Store(std::unique_ptr<Database> database) : database_(std::move(database)) {}
  absl::Status Prepare();
  absl::Status LoadMessages(WorldRecords& records);
  absl::Status LoadSides(WorldRecords& records);
  absl::Status LoadKeys(WorldRecords& records);
  // Calls `read` (absl::Status(Statement&)) for every row.
  template <typename Read>
  absl::Status ForEachRow(const char* sql, Read read);
  absl::Status Damaged(std::string_view row, const absl::Status& why) const;

  void NoteAll(const ConversationRecord& conversation);
  void NoteSides(const ConversationRecord& conversation);
  absl::Status WriteNoted(const World& world);
  absl::Status WriteDropped();
  absl::Status WriteUser(const World& world, const std::string& id);
  absl::Status WriteConversation(const World& world, const std::string& id);
  absl::Status WriteSide(const World& world, const Side& side);
  absl::Status WriteMessage(const World& world, const std::string& id);
  absl::Status WriteKeys();
  absl::Status WriteFiles();
  void Forget();

  const std::unique_ptr<Database> database_;
  std::vector<Statement> statements_;  // by Sql; end before the database

  // What was noted. Records are looked up when they are written; one that is not there is deleted.
  bool all_ = false;               // nothing in the file counts any more
  std::set<std::string> dropped_;  // conversations, with all in them
  std::set<std::string> users_, conversations_, messages_;
  std::set<Side> sides_;
  std::vector<SentRecord> keys_;
  std::vector<StoredFile> files_;
  int64_t keys_written_ = 0;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_STORE_STORE_H_
