#include "daemon/emulator/store/store.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/emulator/app.h"
#include "daemon/emulator/store/database.h"
#include "tests/unit/emulator/state_fixture.h"

namespace talkjsd::emulator {
namespace {

using testing::HasSubstr;

class StoreTest : public testing::Test {
 protected:
  StoreTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "store_test.XXXXXX";
    directory = mkdtemp(pattern.data());
  }
  ~StoreTest() override { std::filesystem::remove_all(directory); }

  std::unique_ptr<Store> Open() {
    auto store = Store::Open(directory);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }
  std::string ErrorOfOpening() { return std::string(Store::Open(directory).status().message()); }
  std::string Reloaded() {
    Life life(clock);
    auto records = Open()->Load();
    EXPECT_TRUE(records.ok()) << records.status();
    if (records.ok()) life.world.Replace(*std::move(records));
    return Document(life.world);
  }

  std::string directory;
  ManualClock clock;
};

// While it lives, no file of this process can grow beyond `bytes`: a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(StoreTest, WhatIsLoadedIsWhatWasWritten) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    std::filesystem::remove_all(directory);
    auto store = Open();
    Life life(clock);
    life.world.OnChange([&](const Change& change) { store->Note(change); });
    int step = 0;
    life.each_step = [&] {
      if (++step % 3 == 0) {
        ASSERT_TRUE(store->Write(life.world).ok());
      }
    };
    life.Live(seed, 300, clock);
    ASSERT_TRUE(store->Write(life.world).ok());
    store.reset();
    ASSERT_EQ(Reloaded(), Document(life.world)) << "seed " << seed;
  }
}

TEST_F(StoreTest, ReplacingAndMergingAreWrittenToo) {
  auto store = Open();
  Life life(clock);
  life.world.OnChange([&](const Change& change) { store->Note(change); });
  life.Live(1, 200, clock);
  ASSERT_TRUE(store->Write(life.world).ok());
  const json::object document = EncodeSnapshot(life.world);
  life.Live(2, 100, clock);
  life.world.Replace(ReadSnapshot(document, clock.WallMillis()).value());
  life.Live(3, 20, clock);
  ASSERT_TRUE(store->Write(life.world).ok());
  const auto merged = R"({"format": 1, "users": {"user 1": {"name": "Merged"}, "zoe": {}},
      "conversations": {"c/1": {"subject": "Merged", "participants": {"zoe": {}},
                                "messages": [{"senderId": "zoe", "text": "hello"}]}}})";
  life.world.Merge(ReadSeed(Parse(merged), life.world, clock.WallMillis()).value());
  ASSERT_TRUE(store->Write(life.world).ok());
  store.reset();
  EXPECT_EQ(Reloaded(), Document(life.world));
  EXPECT_THAT(Reloaded(), HasSubstr("Merged"));
}

TEST_F(StoreTest, ADirectoryHasOneEmulator) {
  auto store = Open();
  EXPECT_THAT(ErrorOfOpening(), HasSubstr("another talkjs-emulator uses it"));
  store.reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(StoreTest, ANewerSchemaIsRefusedAndLeftAlone) {
  Open().reset();
  {
    auto database = OpenDatabase(directory + "/state.sqlite");
    ASSERT_TRUE((*database)->Execute("PRAGMA user_version = 2").ok());
  }
  EXPECT_THAT(ErrorOfOpening(),
              HasSubstr("newer talkjs-emulator (schema 2, this one knows up to 1)"));
  EXPECT_EQ((*OpenDatabase(directory + "/state.sqlite"))->QueryInt("PRAGMA user_version").value(),
            2);
}

TEST_F(StoreTest, OtherPeoplesFilesAreRefused) {
  std::ofstream(directory + "/state.sqlite") << std::string(10'000, 'x');
  EXPECT_THAT(ErrorOfOpening(), HasSubstr("no file of talkjs-emulator"));
  std::filesystem::remove(directory + "/state.sqlite");
  {
    auto database = OpenDatabase(directory + "/state.sqlite");
    ASSERT_TRUE((*database)->Execute("CREATE TABLE recipes (id)").ok());
  }
  EXPECT_THAT(ErrorOfOpening(), HasSubstr("database of another program"));
  directory += "/state.sqlite";
  EXPECT_THAT(ErrorOfOpening(), HasSubstr("cannot make the directory"));
  directory = std::filesystem::path(directory).parent_path();
}

TEST_F(StoreTest, ADamagedRowIsNamed) {
  Open().reset();
  {
    auto database = OpenDatabase(directory + "/state.sqlite");
    ASSERT_TRUE((*database)->Execute("INSERT INTO users VALUES ('al', '{\"name\": 1}')").ok());
  }
  const auto loaded = Open()->Load();
  EXPECT_EQ(loaded.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(loaded.status().message()),
              HasSubstr("users: al: $.name: expected text"));
}

TEST_F(StoreTest, AFullDiskAtTheStartIsAnError) {
  const FullDisk full(1000);
  EXPECT_NE(ErrorOfOpening(), "");
}

TEST_F(StoreTest, AFailedWriteLosesNothingAndLeavesNoHalf) {
  auto store = Open();
  Life life(clock);
  life.world.OnChange([&](const Change& change) { store->Note(change); });
  life.Live(1, 50, clock);
  ASSERT_TRUE(store->Write(life.world).ok());
  const std::string written = Document(life.world);
  life.Live(2, 500, clock);
  {
    const FullDisk full(20'000);
    EXPECT_FALSE(store->Write(life.world).ok());
    EXPECT_FALSE(store->Write(life.world).ok());
  }
  store.reset();
  EXPECT_EQ(Reloaded(), written);

  store = Open();
  life.world.Replace(store->Load().value());
  life.Live(3, 500, clock);
  {
    const FullDisk full(20'000);
    EXPECT_FALSE(store->Write(life.world).ok());
  }
  EXPECT_TRUE(store->Write(life.world).ok());
  store.reset();
  EXPECT_EQ(Reloaded(), Document(life.world));
}

TEST_F(StoreTest, AnAppThatCannotWriteRefusesChangesUntilItCan) {
  net::EventLoop loop("test");
  SeededRandom random(1);
  App app(loop, clock, random, "demo", Secret("sk_test_demo"), {});
  ASSERT_TRUE(app.Keep(directory).ok());
  int made = 0;
  const auto add = [&](bool changes, size_t length) {
    const CallResult result = app.Perform(changes, [&]() -> CallResult {
      const std::string id = "user" + std::to_string(++made);
      if (!changes) return json::object();
      EXPECT_TRUE(app.world().PutUser(id, Named(std::string(length, 'x'))).ok());
      return json::object();
    });
    return Verdict(result.status());
  };
  EXPECT_EQ(add(true, 1), "OK");
  Socket watcher(app.publisher(), "watcher");
  watcher.Subscribe("/users/user2");
  {
    const FullDisk full(20'000);
    EXPECT_EQ(add(true, 500'000), "500 INTERNAL_ERROR");
    EXPECT_EQ(add(true, 1), "500 INTERNAL_ERROR");
    EXPECT_EQ(made, 2) << "not even tried while what was before is not written";
    EXPECT_EQ(add(false, 1), "OK") << "reading goes on";
    EXPECT_TRUE(watcher.received.empty()) << "nobody hears of what is not written";
  }
  EXPECT_EQ(add(true, 1), "OK");
  EXPECT_EQ(watcher.TakeTypes(), std::vector<std::string>{"user.created"});
}

}  // namespace
}  // namespace talkjsd::emulator
