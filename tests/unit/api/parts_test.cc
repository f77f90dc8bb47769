// The small parts of the server: connections, the set of calls, the dispatcher.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <future>
#include <set>

#include "daemon/api/access/connections.h"
#include "daemon/api/call_set.h"
#include "daemon/api/dispatcher.h"
#include "daemon/api/streams/stuck_socket.h"
#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

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

class ConnectionTableTest : public testing::Test {
 protected:
  ~ConnectionTableTest() override {
    for (const int fd : open_) ::close(fd);
  }
  // A socket's descriptor.
  int Socket() {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ::close(ends[1]);
    open_.insert(ends[0]);
    return ends[0];
  }
  void Close(int fd) {
    open_.erase(fd);
    ::close(fd);
  }

  ConnectionTable table_;
  std::set<int> open_;
};

TEST_F(ConnectionTableTest, FindsTheLatestOwnerOfADescriptor) {
  const int fd = Socket();
  const std::string peer = PeerOfHandedOver(fd);
  EXPECT_EQ(peer, "fd:" + std::to_string(fd));
  table_.Add(peer, {.fd = fd, .process = net::PeerCredentials{.uid = 1, .gid = 2, .pid = 3}});
  table_.Add(peer, {.listener = 7, .fd = fd, .process = net::PeerCredentials{.uid = 4}});
  ASSERT_TRUE(table_.Find(peer).has_value());
  EXPECT_EQ(table_.Find(peer)->process->uid, 4u);
  EXPECT_EQ(table_.Find(peer)->listener, 7u);
  for (const char* other : {"fd:", "fd:99999", "ipv4:127.0.0.1:8", ""}) {
    EXPECT_FALSE(table_.Find(other).has_value()) << other;
  }
  table_.Add("ipv6:[::1]:80", {.fd = fd});
  EXPECT_TRUE(table_.Find("ipv6:%5B::1%5D:80").has_value()) << "as gRPC writes it";
}

TEST_F(ConnectionTableTest, DropsWhatIsClosedAndWhatHasBecomeAnother) {
  const int first = Socket();
  const int second = Socket();
  table_.Add("first", {.fd = first});
  table_.Add("second", {.fd = second});
  EXPECT_EQ(table_.Count(), 2u);
  Close(first);
  EXPECT_EQ(table_.Count(), 1u);
  EXPECT_FALSE(table_.Find("first").has_value());
  const int third = Socket();
  ASSERT_EQ(::dup2(third, second), second);
  EXPECT_EQ(table_.Count(), 0u);
}

TEST_F(ConnectionTableTest, ASurplusOneBecomesOneOfThoseThatMayBe) {
  const int fd = Socket();
  table_.Add("x", {.fd = fd, .is_surplus = true});
  EXPECT_TRUE(table_.Find("x")->is_surplus);
  table_.ClearSurplus("x");
  EXPECT_FALSE(table_.Find("x")->is_surplus);
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
