// Random lives of a session against a small TalkJS: whatever happens in between, every message
// created after the baseline is appended once and in its conversation's order, and the last list of
// unreads is TalkJS's.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "daemon/base/random.h"
#include "tests/unit/session/talkjs_model.h"

namespace talkjsd::session {
namespace {

class Life {
 public:
  explicit Life(uint64_t seed)
      : random_(seed),
        bound_(1 + Pick(4) * Pick(3)),
        conversations_(Pick(3) == 0 ? 45 : 1 + Pick(7)),
        talk_(clock_, bound_) {
    talk_.events_apart = Pick(2) == 0;
    faulty_ = Pick(4) == 0;
    restarts_ = Pick(2) == 0;
    talk_.fault = [this](const upstream::Request& request) -> std::optional<int> {
      if (!faulty_ || request.path == "/users" || Pick(10) != 0) return std::nullopt;
      return 500;
    };
    if (Pick(3) == 0) talk_.unknown_users.insert("bob");
  }

  void Run() {
    for (int i = 0; i < conversations_; ++i) {
      Pass();
      if (Pick(5) != 0) talk_.Join(Name(i));
      for (int j = Pick(4); j > 0 && talk_.conversations().contains(Name(i)); --j) Say(Name(i));
    }
    Pass();
    started_ = true;
    talk_.Connect();
    for (int step = Pick(600); step > 0; --step) {
      Step();
      Watch();
    }
    faulty_ = false;
    if (!talk_.connected()) talk_.Connect();
    talk_.Settle();
    Watch();
    Check();
  }

 private:
  int Pick(int n) { return static_cast<int>(random_.Next() % static_cast<uint64_t>(n)); }
  std::string Name(int i) const { return "c" + std::to_string(i); }
  void Pass() { clock_.Advance(std::chrono::milliseconds(1 + Pick(3))); }

  // Some conversations are busy, most are not.
  std::string Some() {
    return Name(Pick(2) == 0 ? Pick(std::min(conversations_, 3)) : Pick(conversations_));
  }
  TalkModel::Conversation* In(const std::string& id) {
    const auto it = talk_.conversations().find(id);
    return it == talk_.conversations().end() || !it->second.in ? nullptr : &it->second;
  }

  void Say(const std::string& id) {
    static constexpr const char* kPeople[] = {kMe, "alice", "bob", "carol"};
    const bool promised = baseline_ && clock_.WallMillis() > baseline_at_ && In(id) != nullptr;
    const std::string message = talk_.Say(id, kPeople[Pick(4)]);
    if (Pick(4) != 0) clock_.Advance(std::chrono::milliseconds(Pick(20)));
    if (promised) expected_.insert(message);
    if (In(id) == nullptr) forbidden_.insert(message);
    if (!started_) forbidden_.insert(message);
    place_[message] = id;
  }

  void Watch() {
    if (talk_.synced > 0 && !baseline_) {
      baseline_ = true;
      baseline_at_ = clock_.WallMillis();
    }
    for (; seen_ < talk_.appended.size(); ++seen_) {
      const Appended& entry = talk_.appended[seen_];
      if (entry.kind != journal::EventKind::kSent) continue;
      EXPECT_TRUE(sent_.insert(entry.message_id).second) << "twice: " << entry.message_id;
      EXPECT_FALSE(forbidden_.contains(entry.message_id)) << "history: " << entry.message_id;
      // Heard of live, and gone from TalkJS before the conversation had been read back: it comes
      // late.
      if (gone_.contains(entry.message_id)) continue;
      const int64_t number = std::stoll(entry.message_id.substr(4));
      EXPECT_GT(number, last_[entry.conversation_id])
          << "out of order in " << entry.conversation_id << ": " << entry.message_id;
      last_[entry.conversation_id] = std::max(last_[entry.conversation_id], number);
    }
  }

  // TalkJS will not show it any more: it is no loss if it has not come yet.
  void Excuse(const std::string& message) {
    if (!sent_.contains(message)) expected_.erase(message);
  }

  void Step() {
    const int what = Pick(100);
    const std::string id = Some();
    TalkModel::Conversation* in = In(id);
    if (what < 30) {
      talk_.ServerStep();
    } else if (what < 60) {
      talk_.ClientStep();
    } else if (what < 66) {
      clock_.Advance(std::chrono::milliseconds(Pick(600)));
      talk_.WakeStep();
    } else if (what < 70) {
      talk_.RunIdle();
    } else if (what < 82) {
      if (in != nullptr) Say(id);
    } else if (what < 84) {
      if (in != nullptr) {
        for (int i = Pick(3) == 0 ? 300 : Pick(40); i > 0; --i) Say(id);
      }
    } else if (what < 86) {
      for (int i = 0; i < conversations_; ++i) {
        if (In(Name(i)) != nullptr && Pick(3) != 0) Say(Name(i));
      }
    } else if (what < 88) {
      if (in != nullptr) talk_.Read(id);
    } else if (what < 89) {
      if (in != nullptr) talk_.MarkUnread(id);
    } else if (what < 91) {
      if (in != nullptr && !in->posts.empty() && baseline_) DeleteOne(id, *in);
    } else if (what < 92) {
      if (in != nullptr && !in->posts.empty())
        talk_.Edit(id, in->posts.back().message.id, "edited");
    } else if (what < 94) {
      JoinOrLeave(id, in);
    } else if (what < 95) {
      talk_.TakeCheckpoint();
    } else if (what < 96) {
      if (restarts_) Restart();
    } else {
      Connection();
    }
  }

  void Restart() {
    Watch();
    if (Pick(2) == 0) talk_.TakeCheckpoint();
    talk_.Restart();
    // Seconds, or an hour.
    for (int i = Pick(20); i > 0; --i) {
      clock_.Advance(std::chrono::milliseconds(Pick(Pick(3) == 0 ? 400'000 : 300)));
      const std::string id = Some();
      if (In(id) != nullptr) Say(id);
    }
    if (Pick(3) != 0) talk_.Connect();
  }

  void DeleteOne(const std::string& id, const TalkModel::Conversation& in) {
    const auto at = Pick(2) == 0 ? in.posts.size() - 1 : random_.Next() % in.posts.size();
    const std::string message = in.posts[at].message.id;
    Excuse(message);
    gone_.insert(message);
    talk_.Delete(id, message);
  }

  void JoinOrLeave(const std::string& id, TalkModel::Conversation* in) {
    Pass();
    if (in == nullptr) {
      talk_.Join(id);
      Pass();
      return;
    }
    for (const auto& post : in->posts) {
      Excuse(post.message.id);
      gone_.insert(post.message.id);
    }
    talk_.Leave(id);
  }

  void Connection() {
    if (!talk_.connected()) {
      talk_.Connect();
      return;
    }
    talk_.Disconnect(/*announced=*/Pick(3) == 0);
    // A while passes: seconds, or many minutes.
    for (int i = Pick(30); i > 0; --i) {
      clock_.Advance(std::chrono::milliseconds(Pick(Pick(3) == 0 ? 60'000 : 300)));
      const std::string id = Some();
      if (In(id) != nullptr) Say(id);
    }
    talk_.WakeStep();
    if (Pick(3) != 0) talk_.Connect();
  }

  void Check() {
    for (const std::string& message : expected_) {
      EXPECT_TRUE(sent_.contains(message)) << "lost: " << message << " of " << place_[message];
    }
    ASSERT_FALSE(talk_.unreads.empty());
    EXPECT_FALSE(talk_.unreads.back().stale);
    const std::vector<UnreadEntry> expected = talk_.ExpectedUnreads();
    const std::vector<UnreadEntry>& got = talk_.unreads.back().entries;
    EXPECT_EQ(got.size(), expected.size());
    for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
      EXPECT_TRUE(got[i] == expected[i])
          << "unreads " << i << ": got " << got[i].conversation_id << " " << got[i].count << " "
          << got[i].last_message_id << ", TalkJS has " << expected[i].conversation_id << " "
          << expected[i].count << " " << expected[i].last_message_id;
    }
    EXPECT_EQ(talk_.acknowledged, talk_.frames);
  }

  SeededRandom random_;
  ManualClock clock_;
  const int bound_;
  const int conversations_;
  bool faulty_ = false;
  bool restarts_ = false;
  bool started_ = false;
  bool baseline_ = false;
  UnixMillis baseline_at_ = 0;
  TalkModel talk_;
  std::set<std::string> expected_;
  std::set<std::string> forbidden_;
  std::set<std::string> gone_;  // deleted, or said before one left the conversation
  std::map<std::string, std::string> place_;
  size_t seen_ = 0;
  std::set<std::string> sent_;
  std::map<std::string, int64_t> last_;
};

TEST(InboxProperty, EveryMessageOnceAndInOrderAndTheUnreadsAsTalkJSHasThem) {
  uint64_t first = 1;
  uint64_t count = 150;
  if (const char* seed = std::getenv("TALKJSD_SEED")) {
    first = std::strtoull(seed, nullptr, 10);
    count = 1;
  }
  if (const char* lives = std::getenv("TALKJSD_LIVES")) count = std::strtoull(lives, nullptr, 10);
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("replay with TALKJSD_SEED=" + std::to_string(seed));
    Life life(seed);
    life.Run();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace talkjsd::session
