// What the tests of the store on disk share.
#ifndef TALKJSD_TESTS_UNIT_JOURNAL_STORE_TESTING_H_
#define TALKJSD_TESTS_UNIT_JOURNAL_STORE_TESTING_H_

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "daemon/journal/sqlite_store.h"
#include "tests/unit/journal/journal_testing.h"

namespace talkjsd::journal {

// A directory that goes with the test.
class TempDir {
 public:
  TempDir() {
    std::string name = std::filesystem::temp_directory_path() / "journal_test.XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// A store in a directory of its own, with files that are full soon.
class StoreFixture : public JournalFixture {
 protected:
  StoreFixture() { options_.directory = dir_ / "journal"; }
  ~StoreFixture() override { journal_ = nullptr; }

  std::unique_ptr<Store> MakeStore() {
    auto store = OpenSqliteStore(options_, metrics_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  // A store with an epoch, ready for AppendTo.
  std::unique_ptr<Store> MakeOpenStore(uint64_t epoch = 1) {
    std::unique_ptr<Store> store = MakeStore();
    if (store == nullptr) return nullptr;
    const auto epochs = store->OpenEpoch(epoch);
    EXPECT_TRUE(epochs.ok()) << epochs.status();
    return store;
  }
  void OpenDisk(Journal::Options options = {}) {
    std::unique_ptr<Store> store = MakeStore();
    ASSERT_NE(store, nullptr);
    Open(options, std::move(store));
  }

  // Appends groups of ten events of about 1 KiB; the sessions take turns.
  static absl::Status TryAppend(Store& store, size_t count, UnixMillis time = 1000,
                                const std::vector<std::string>& sessions = {"a", "b", "c"}) {
    uint64_t next = store.LastSequence() + 1;
    for (size_t left = count; left > 0;) {
      std::vector<EventRef> group;
      for (size_t i = std::min<size_t>(left, 10); i > 0; --i, --left, ++next) {
        group.push_back(MakeStored(sessions[next % sessions.size()], next, time, 1000));
      }
      if (absl::Status stored = store.Append(group); !stored.ok()) return stored;
    }
    return absl::OkStatus();
  }
  static void AppendTo(Store& store, size_t count, UnixMillis time = 1000) {
    const absl::Status stored = TryAppend(store, count, time);
    ASSERT_TRUE(stored.ok()) << stored;
  }
  // All that can be read from `after` on, up to a hole or the end.
  static std::vector<uint64_t> ReadFrom(const Store& store, uint64_t after,
                                        const std::vector<std::string>& sessions = {},
                                        size_t chunk = 100) {
    std::vector<uint64_t> all;
    for (;;) {
      uint64_t scanned = 0;
      const auto events = store.Read(sessions, after, chunk, &scanned);
      EXPECT_TRUE(events.ok()) << events.status();
      if (!events.ok() || (events->empty() && scanned == after)) return all;
      EXPECT_LE(events->size(), chunk);
      for (const EventRef& event : *events) all.push_back(event->cursor.sequence);
      EXPECT_TRUE(events->empty() || events->back()->cursor.sequence <= scanned);
      after = scanned;
    }
  }
  std::vector<std::filesystem::path> Files() const {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(options_.directory)) {
      if (entry.path().extension() == ".segment") files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  // Zeroes over the middle of a file.
  static void Damage(const std::filesystem::path& path, double from = 0.4, double to = 0.6) {
    const auto size = static_cast<double>(std::filesystem::file_size(path));
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size * from));
    const std::string zeroes(static_cast<size_t>(size * (to - from)), '\0');
    file << zeroes;
  }

  TempDir dir_;
  SqliteStoreOptions options_{.directory = {},
                              .retention = {.age = std::chrono::hours(24), .bytes = 64 << 20},
                              .durability = Durability::kOs,
                              .segment_bytes = 64 << 10,
                              .vfs = {}};
};

}  // namespace talkjsd::journal

#endif  // TALKJSD_TESTS_UNIT_JOURNAL_STORE_TESTING_H_
