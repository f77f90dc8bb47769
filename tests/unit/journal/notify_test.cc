// Waiting readers are called: once, in time, and never after their end.
#include <gtest/gtest.h>

#include <thread>

#include "tests/unit/journal/journal_testing.h"

namespace talkjsd::journal {
namespace {

class NotifyTest : public JournalFixture {};

TEST_F(NotifyTest, CallsAtOnceWhenSomethingIsThere) {
  OpenMemory();
  Append("a");
  const auto reader = Reading(Sessions({"a"}), Earliest());
  int calls = 0;
  reader->NotifyWhenReady([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST_F(NotifyTest, CallsOnceAndOnlyForItsSessions) {
  OpenMemory();
  const auto reader = Reading(Sessions({"a", "b"}), Now());
  std::atomic<int> calls = 0;
  reader->NotifyWhenReady([&] { ++calls; });
  Append("c", 5);
  EXPECT_EQ(calls, 0);
  std::vector<NewEvent> both = MakeEvents("a", 2);
  both.push_back(MakeEvent("b"));
  Append(std::move(both));
  EXPECT_EQ(calls, 1);
  Append("a");
  EXPECT_EQ(calls, 1);
}

TEST_F(NotifyTest, ANewCallReplacesTheEarlierOne) {
  OpenMemory();
  const auto reader = Reading({}, Now());
  std::atomic<int> first = 0, second = 0;
  reader->NotifyWhenReady([&] { ++first; });
  reader->NotifyWhenReady([&] { ++second; });
  Append("a");
  EXPECT_EQ(first, 0);
  EXPECT_EQ(second, 1);
  ReadAll(*reader);
  reader->NotifyWhenReady([&] { ++first; });
  reader->NotifyWhenReady(nullptr);
  Append("a");
  EXPECT_EQ(first, 0);
}

TEST_F(NotifyTest, AReaderBehindRetentionIsReady) {
  OpenMemory({}, {.age = std::chrono::hours(1), .bytes = 1});
  const auto reader = Reading({}, Earliest());
  Append("a", 3);
  Settle();
  int calls = 0;
  reader->NotifyWhenReady([&] { ++calls; });
  EXPECT_EQ(calls, 1);
}

TEST_F(NotifyTest, TheCallMayWaitAgainAndEndItsReader) {
  OpenMemory();
  auto reader = Reading({}, Now());
  std::promise<size_t> got;
  reader->NotifyWhenReady([&] {
    EXPECT_EQ(ReadAll(*reader).size(), 1u);
    reader->NotifyWhenReady([&] {
      const size_t count = ReadAll(*reader).size();
      reader.reset();
      got.set_value(count);
    });
  });
  Append("a");
  Append("a", 2);
  EXPECT_EQ(got.get_future().get(), 2u);
}

TEST_F(NotifyTest, AfterTheReadersEndNobodyIsCalled) {
  OpenMemory();
  std::atomic<bool> done = false;
  std::thread appender([&] {
    while (!done) Append("a");
  });
  for (int i = 0; i < 300; ++i) {
    auto counter = std::make_unique<int>(0);
    auto reader = Reading(i % 2 == 0 ? Selection{} : Sessions({"a"}), Now());
    reader->NotifyWhenReady([counter = counter.get()] { ++*counter; });
    if (i % 3 == 0) std::this_thread::yield();
    reader.reset();
    EXPECT_LE(*counter, 1);
  }
  done = true;
  appender.join();
}

TEST_F(NotifyTest, IsNeverLost) {
  OpenMemory({.ring_bytes = 20'000});
  constexpr size_t kEach = 4000;
  const struct {
    Selection selection;
    size_t events;
  } kStreams[] = {{{}, 2 * kEach},
                  {Sessions({"s0"}), kEach},
                  {Sessions({"s1"}), kEach},
                  {Sessions({"s0", "s1", "s2"}), 2 * kEach}};
  std::vector<std::unique_ptr<Reader>> readers;
  for (const auto& stream : kStreams) readers.push_back(Reading(stream.selection, Now()));
  std::vector<std::thread> threads;
  for (size_t i = 0; i < readers.size(); ++i) {
    threads.emplace_back([&, i] {
      Waiter waiter;
      uint64_t last = 0;
      for (size_t got = 0; got < kStreams[i].events;) {
        const auto batch = readers[i]->Read(64, kNoLimit);
        ASSERT_TRUE(batch.ok());
        for (const EventRef& event : batch->events) {
          ASSERT_LT(last, event->cursor.sequence);
          last = event->cursor.sequence;
        }
        got += batch->events.size();
        if (batch->events.empty()) {
          ASSERT_TRUE(waiter.Await(*readers[i])) << "after " << got;
        }
      }
    });
  }
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      SeededRandom random(static_cast<uint64_t>(t) + 1);
      const std::string session = "s" + std::to_string(t);
      for (size_t sent = 0; sent < kEach;) {
        const size_t count = std::min<size_t>(kEach - sent, 1 + random.Next() % 5);
        // Every few events all readers have caught up: that is where a call could be lost.
        if (random.Next() % 4 == 0) {
          Append(session, count);
        } else {
          journal_->Append(MakeEvents(session, count));
        }
        sent += count;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace talkjsd::journal
