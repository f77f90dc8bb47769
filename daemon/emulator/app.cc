#include "daemon/emulator/app.h"

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/store/snapshot.h"
#include "daemon/emulator/ui_settings.h"

namespace talkjsd::emulator {

App::App(net::EventLoop& loop, const Clock& clock, Random& random, std::string app_id,
         Secret secret_key, ContentRules content_rules)
    : loop_(loop),
      clock_(loop, clock),
      authenticator_(std::move(app_id), std::move(secret_key), clock_),
      content_rules_(content_rules),
      world_(clock_, random),
      publisher_(world_),
      files_(random),
      typing_end_(clock_, [this] {
        world_.ExpireTyping();
        Settle();
      }) {
  ui_settings_ = *UiSettings(authenticator_.app_id(), {});
  world_.OnChange([this](const Change& change) {
    if (store_ != nullptr) store_->Note(change);
    publisher_.Publish(change);
  });
}

absl::Status App::Keep(const std::string& directory) {
  auto store = Store::Open(directory);
  if (!store.ok()) return store.status();
  auto records = (*store)->Load();
  if (!records.ok()) return records.status();
  if (absl::Status status = (*store)->LoadFiles(files_); !status.ok()) return status;
  world_.Replace(*std::move(records));
  store_ = *std::move(store);
  files_.OnAdded([this](const StoredFile& file) { store_->NoteFile(file); });
  return absl::OkStatus();
}

absl::Status App::StartWith(wire::json::object seed) {
  // What a reset does: into nothing.
  if (const auto alone = ReadSnapshot(seed, clock_.WallMillis()); !alone.ok()) {
    return alone.status();
  }
  auto records = ReadSeed(seed, world_, clock_.WallMillis());
  if (!records.ok()) return records.status();
  seed_ = std::move(seed);
  world_.Merge(*std::move(records));
  Settle();
  return written_;
}

absl::Status App::Reset() {
  WorldRecords records;
  if (seed_) {
    auto read = ReadSnapshot(*seed_, clock_.WallMillis());
    if (!read.ok()) return read.status();
    records = *std::move(read);
  }
  world_.Replace(std::move(records));
  return absl::OkStatus();
}

int64_t App::AddConnection(Connection& connection) {
  const int64_t id = next_connection_id_++;
  connections_[id] = &connection;
  return id;
}

void App::Settle() {
  typing_end_.Set(world_.NextTypingEnd());
  if (store_ != nullptr) {
    const bool was_written = written_.ok();
    written_ = store_->Write(world_);
    if (was_written && !written_.ok()) {
      LogError("state cannot be written; calls that change something are refused",
               {{"why", MessageOf(written_)}});
    }
    if (!was_written && written_.ok()) LogInfo("state is written again");
    if (!written_.ok()) return;
  }
  publisher_.Flush();
}

absl::Status App::CannotWrite() {
  return Refuse(500, "INTERNAL_ERROR", "the emulator cannot write its --data-dir; see its log");
}

}  // namespace talkjsd::emulator
