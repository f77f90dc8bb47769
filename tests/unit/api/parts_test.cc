// The small parts of the server: addresses, peers, the set of calls, the dispatcher.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <set>

#include "daemon/api/address.h"
#include "daemon/api/call_set.h"
#include "daemon/api/dispatcher.h"
#include "daemon/api/peers.h"
#include "daemon/api/stuck_socket.h"
#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

TEST(AddressTest, TakesUnixPathsOnly) {
  EXPECT_EQ(*ParseUnixAddress("unix:///run/x.sock"), "/run/x.sock");
  for (const char* address : {"", "unix://", "unix:///", "unix://x.sock", "unix:/run/x.sock",
                              "127.0.0.1:80", "tcp://127.0.0.1:80", "unix:///run/"}) {
    const auto refused = ParseUnixAddress(address);
    EXPECT_TRUE(absl::IsInvalidArgument(refused.status())) << address;
    EXPECT_EQ(std::string(MessageOf(refused.status())).find('\n'), std::string::npos);
  }
}

TEST(StuckSocketTest, IsOneThatHoldsTheSameBytesForTooLong) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
  StuckSocket socket(ends[0]);
  const auto at = [](int seconds) { return MonoTime(std::chrono::seconds(seconds)); };
  const Duration limit = std::chrono::seconds(80);
  EXPECT_FALSE(socket.Look(at(0), limit)) << "nothing waits in it";
  EXPECT_FALSE(socket.Look(at(100), limit));
  const std::string bytes(1000, 'x');
  EXPECT_EQ(::write(ends[0], bytes.data(), bytes.size()), 1000);
  EXPECT_FALSE(socket.Look(at(200), limit));
  EXPECT_FALSE(socket.Look(at(279), limit));
  EXPECT_TRUE(socket.Look(at(280), limit));
  EXPECT_EQ(::write(ends[0], bytes.data(), bytes.size()), 1000);
  EXPECT_FALSE(socket.Look(at(281), limit)) << "something has moved";
  EXPECT_FALSE(socket.Look(at(300), limit));
  socket.Forget();
  EXPECT_FALSE(socket.Look(at(400), limit));
  EXPECT_TRUE(socket.Look(at(480), limit));
  std::array<char, 4096> read{};
  EXPECT_EQ(::read(ends[1], read.data(), read.size()), 2000);
  EXPECT_FALSE(socket.Look(at(481), limit));
  socket.Cut();
  EXPECT_EQ(::read(ends[1], read.data(), read.size()), 0);
  for (const int end : ends) ::close(end);
}

TEST(PeerTableTest, FindsTheLatestOwnerOfADescriptor) {
  PeerTable peers;
  peers.Set(8, {.uid = 1, .gid = 2, .pid = 3});
  peers.Set(8, {.uid = 4, .gid = 5, .pid = 6});
  ASSERT_TRUE(peers.Find("fd:8").has_value());
  EXPECT_EQ(peers.Find("fd:8")->uid, 4u);
  for (const char* peer : {"fd:9", "fd:", "fd:8x", "ipv4:127.0.0.1:8", ""}) {
    EXPECT_FALSE(peers.Find(peer).has_value()) << peer;
  }
}

class FakeCall : public LiveCall {
 public:
  explicit FakeCall(std::string session_id = "") : session_id_(std::move(session_id)) {}
  void End(const absl::Status& status) override { end = status; }
  bool IsOverAlone(const std::string& id) const override { return id == session_id_; }
  absl::Status end;

 private:
  const std::string session_id_;
};

TEST(CallSetTest, CountsAgainstItsLimitAndNamesIt) {
  CallSet calls("max_streams", 1);
  const auto first = std::make_shared<FakeCall>();
  const auto second = std::make_shared<FakeCall>();
  ASSERT_TRUE(calls.Add(first).ok());
  const absl::Status refused = calls.Add(second);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_LIMIT_EXCEEDED);
  EXPECT_EQ(MetadataOf(refused)["limit"], "max_streams");
  calls.Remove(first.get());
  EXPECT_TRUE(calls.Add(second).ok());
}

TEST(CallSetTest, ADrainEndsAllAndRefusesNewOnes) {
  CallSet calls("", 0);
  const auto call = std::make_shared<FakeCall>();
  ASSERT_TRUE(calls.Add(call).ok());
  calls.Drain();
  EXPECT_EQ(ReasonOf(call->end), v1::ERROR_REASON_DRAINING);
  EXPECT_EQ(ReasonOf(calls.Add(std::make_shared<FakeCall>())), v1::ERROR_REASON_DRAINING);
  EXPECT_FALSE(calls.WaitUntilEmpty(SystemClock().Now()));
  calls.Remove(call.get());
  EXPECT_TRUE(calls.WaitUntilEmpty(SystemClock().Now()));
}

TEST(CallSetTest, TellsWhenTheCallsOverASessionAreGone) {
  CallSet calls("", 0);
  const auto first = std::make_shared<FakeCall>("alice");
  const auto second = std::make_shared<FakeCall>("alice");
  const auto other = std::make_shared<FakeCall>("bob");
  for (const auto& call : {first, second, other}) ASSERT_TRUE(calls.Add(call).ok());
  const MonoTime now = SystemClock().Now();
  const MonoTime deadline = now + std::chrono::seconds(1);
  std::string told;
  calls.WhenGone("nobody", deadline, [&] { told.append("n"); });
  EXPECT_EQ(told, "n");
  calls.WhenGone("alice", deadline, [&] { told.append("a"); });
  calls.WhenGone("bob", deadline, [&] { told.append("b"); });
  calls.Remove(first.get());
  calls.Tick(now);
  EXPECT_EQ(told, "n");
  calls.Remove(second.get());
  EXPECT_EQ(told, "na");
  calls.Tick(deadline);
  EXPECT_EQ(told, "nab") << "one that does not end is not waited for";
  calls.Remove(other.get());
  EXPECT_EQ(told, "nab");
}

class Work : public Runnable {
 public:
  explicit Work(std::function<void()> run) : run_(std::move(run)) {}
  void Run() override { run_(); }

 private:
  std::function<void()> run_;
};

TEST(DispatcherTest, RunsEverythingThatIsPostedWhileItLives) {
  constexpr int kItems = 10'000;
  std::atomic<int> runs = 0;
  std::promise<void> done;
  Dispatcher dispatcher(2, std::chrono::hours(1), [] {});
  for (int i = 0; i < kItems; ++i) {
    dispatcher.Post(std::make_shared<Work>([&] {
      if (++runs == kItems) done.set_value();
    }));
  }
  done.get_future().wait();
  EXPECT_EQ(runs, kItems);
}

TEST(DispatcherTest, TicksWhileNothingIsPosted) {
  std::atomic<int> ticks = 0;
  std::promise<void> third;
  Dispatcher dispatcher(2, std::chrono::milliseconds(1), [&] {
    if (++ticks == 3) third.set_value();
  });
  third.get_future().wait();
}

TEST(DispatcherTest, DropsWorkAfterStop) {
  Dispatcher dispatcher(1, std::chrono::hours(1), [] {});
  dispatcher.Stop();
  const auto work = std::make_shared<Work>([] { FAIL() << "ran"; });
  dispatcher.Post(work);
  EXPECT_EQ(work.use_count(), 1);
}

}  // namespace
}  // namespace talkjsd::api
