#include "daemon/session/unreads_board.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace talkjsd::session {
namespace {

UnreadsBoard::Encoded List(const char* text) { return std::make_shared<const std::string>(text); }

std::vector<std::string> Texts(const std::vector<UnreadsBoard::Encoded>& lists) {
  std::vector<std::string> texts;
  for (const auto& list : lists) texts.push_back(*list);
  return texts;
}

TEST(UnreadsBoardTest, GivesTheNewestListOfEachSessionOldestChangeFirst) {
  UnreadsBoard board;
  board.Put("a", List("a1"));
  board.Put("b", List("b1"));
  board.Put("a", List("a2"));
  uint64_t version = 0;
  EXPECT_THAT(Texts(board.NewerThan({}, &version)), testing::ElementsAre("b1", "a2"));
  EXPECT_THAT(Texts(board.NewerThan({}, &version)), testing::IsEmpty());
}

TEST(UnreadsBoardTest, GivesOnlyTheSessionsAskedFor) {
  UnreadsBoard board;
  board.Put("a", List("a1"));
  board.Put("b", List("b1"));
  uint64_t version = 0;
  EXPECT_THAT(Texts(board.NewerThan({"b", "unknown"}, &version)), testing::ElementsAre("b1"));
  board.Put("a", List("a2"));
  EXPECT_THAT(Texts(board.NewerThan({"b"}, &version)), testing::IsEmpty());
}

TEST(UnreadsBoardTest, ForgetsARemovedSession) {
  UnreadsBoard board;
  board.Put("a", List("a1"));
  board.Remove("a");
  uint64_t version = 0;
  EXPECT_THAT(board.NewerThan({}, &version), testing::IsEmpty());
}

TEST(UnreadsBoardTest, NotifiesAtOnceWhenSomethingIsNewerAlready) {
  UnreadsBoard board;
  board.Put("a", List("a1"));
  int calls = 0;
  board.NotifyWhenNewer(0, {"a"}, [&] { ++calls; });
  EXPECT_EQ(calls, 1);
  board.Put("a", List("a2"));
  EXPECT_EQ(calls, 1) << "a waiter is called once";
}

TEST(UnreadsBoardTest, NotifiesOnceAtTheNextChangeOfAWantedSession) {
  UnreadsBoard board;
  int one = 0;
  int all = 0;
  board.NotifyWhenNewer(0, {"a"}, [&] { ++one; });
  board.NotifyWhenNewer(0, {}, [&] { ++all; });
  board.Put("b", List("b1"));
  EXPECT_EQ(one, 0);
  EXPECT_EQ(all, 1);
  board.Put("a", List("a1"));
  board.Put("a", List("a2"));
  EXPECT_EQ(one, 1);
  EXPECT_EQ(all, 1);
}

TEST(UnreadsBoardTest, DoesNotNotifyForChangesBeforeTheVersion) {
  UnreadsBoard board;
  board.Put("a", List("a1"));
  uint64_t version = 0;
  board.NewerThan({}, &version);
  int calls = 0;
  const uint64_t handle = board.NotifyWhenNewer(version, {}, [&] { ++calls; });
  EXPECT_EQ(calls, 0);
  board.Cancel(handle);
  board.Put("a", List("a2"));
  EXPECT_EQ(calls, 0);
}

TEST(UnreadsBoardTest, CancelEndsCallsAlsoWhileAnotherThreadPuts) {
  UnreadsBoard board;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    while (!stop) board.Put("a", List("a"));
  });
  for (int i = 0; i < 1000; ++i) {
    auto alive = std::make_unique<std::atomic<int>>(0);
    const uint64_t handle = board.NotifyWhenNewer(UINT64_MAX - 1, {"a"}, [&alive] { ++*alive; });
    board.Cancel(handle);
    alive.reset();
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace talkjsd::session
