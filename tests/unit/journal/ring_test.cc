#include "daemon/journal/ring.h"

#include <gtest/gtest.h>

#include "daemon/journal/watcher.h"
#include "tests/unit/journal/journal_testing.h"

namespace talkjsd::journal {
namespace {

class RingTest : public ::testing::Test {
 protected:
  void Append(const std::string& session) {
    ring_.Append(MakeStored(session, ring_.last_sequence() + 1), ring_.GetSession(session));
  }
  void Evict(size_t count) {
    for (size_t i = 0; i < count; ++i) ring_.EvictOldest(&evicted_);
  }
  std::vector<uint64_t> Read(const std::vector<std::string>& ids, uint64_t after,
                             Ring::Limit limit = {}) {
    std::vector<const Ring::Session*> sessions;
    for (const std::string& id : ids) {
      if (const Ring::Session* session = ring_.FindSession(id)) sessions.push_back(session);
    }
    std::vector<EventRef> events;
    complete_ = ids.empty() ? ring_.Read(after, limit, &events)
                            : ring_.Read(sessions, after, limit, &events);
    return Sequences(events);
  }

  Ring ring_{100};
  std::vector<EventRef> evicted_;
  bool complete_ = false;
};

using List = std::vector<uint64_t>;

TEST_F(RingTest, SessionsAreReadAloneAndMergedInOrder) {
  for (const char* session : {"a", "b", "a", "c", "b", "a"}) Append(session);
  EXPECT_EQ(Read({}, 100), (List{101, 102, 103, 104, 105, 106}));
  EXPECT_EQ(Read({"a"}, 100), (List{101, 103, 106}));
  EXPECT_EQ(Read({"a", "b"}, 100), (List{101, 102, 103, 105, 106}));
  EXPECT_EQ(Read({"c", "b", "nobody"}, 102), (List{104, 105}));
  EXPECT_EQ(Read({"a"}, 106), List{});
  EXPECT_EQ(Read({}, 1000), List{});
  EXPECT_TRUE(complete_);
}

TEST_F(RingTest, LimitsEndAReading) {
  for (const char* session : {"a", "b", "a", "b", "a", "b"}) Append(session);
  for (const auto& ids : {std::vector<std::string>{}, {"a", "b"}}) {
    EXPECT_EQ(Read(ids, 100, {.events = 4}), (List{101, 102, 103, 104}));
    EXPECT_FALSE(complete_);
    EXPECT_EQ(Read(ids, 100, {.bytes = 29}), (List{101, 102}));
    EXPECT_FALSE(complete_);
    EXPECT_EQ(Read(ids, 100, {.bytes = 5}), (List{101}));
    EXPECT_EQ(Read(ids, 100, {.bytes = 5, .first_always = false}), List{});
    EXPECT_EQ(Read(ids, 100, {.events = 6}), (List{101, 102, 103, 104, 105, 106}));
    EXPECT_TRUE(complete_);
  }
}

TEST_F(RingTest, EvictsTheOldestOfAll) {
  for (const char* session : {"a", "b", "a", "b"}) Append(session);
  const size_t cost = ring_.cost();
  Evict(2);
  EXPECT_EQ(Sequences(evicted_), (List{101, 102}));
  EXPECT_EQ(ring_.floor(), 102u);
  EXPECT_EQ(ring_.cost(), cost / 2);
  EXPECT_EQ(Read({}, 0), (List{103, 104}));
  EXPECT_EQ(Read({"b"}, 0), (List{104}));
  EXPECT_EQ(ring_.FindSession("a")->complete_after, 101u);
}

TEST_F(RingTest, SessionsWithoutEventsAndWatchersAreForgotten) {
  for (int i = 0; i < 1000; ++i) Append("s" + std::to_string(i));
  EXPECT_EQ(ring_.sessions(), 1000u);
  Watcher watcher;
  Ring::Session* watched = ring_.GetSession("s5");
  ring_.AddWatcher(watched, &watcher);
  Ring::Session* quiet = ring_.GetSession("quiet");
  ring_.AddWatcher(quiet, &watcher);
  Evict(1000);
  EXPECT_EQ(ring_.sessions(), 2u);
  EXPECT_EQ(quiet->complete_after, 100u);
  ring_.RemoveWatcher(quiet, &watcher);
  ring_.RemoveWatcher(watched, &watcher);
  EXPECT_EQ(ring_.sessions(), 0u);
  EXPECT_EQ(ring_.cost(), 0u);
}

}  // namespace
}  // namespace talkjsd::journal
