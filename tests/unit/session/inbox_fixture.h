// What the tests of the inbox share: alice and others talk, time passes between what they say.
#ifndef TALKJSD_TESTS_UNIT_SESSION_INBOX_FIXTURE_H_
#define TALKJSD_TESTS_UNIT_SESSION_INBOX_FIXTURE_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/session/talkjs_model.h"

namespace talkjsd::session {

using Ids = std::vector<std::string>;

class InboxFixture : public testing::Test {
 protected:
  // `bound`: message subscriptions.
  explicit InboxFixture(int bound = 30) : talk_(clock_, bound) { talk_.unknown_users = {"ghost"}; }

  void Pass(Duration span = std::chrono::milliseconds(10)) { clock_.Advance(span); }
  void LogIn() {
    talk_.Connect();
    talk_.Settle();
    ASSERT_EQ(talk_.synced, 1);
  }
  void Join(const std::string& id) {
    Pass();
    talk_.Join(id);
    Pass();
  }
  std::string Say(const std::string& id, const std::string& sender = "alice") {
    Pass();
    return talk_.Say(id, sender);
  }
  Ids SayMany(const std::string& id, int count) {
    Ids ids;
    for (int i = 0; i < count; ++i) ids.push_back(Say(id));
    return ids;
  }
  const Appended& Last() const { return talk_.appended.back(); }
  const std::vector<UnreadEntry>& Unreads() const { return talk_.unreads.back().entries; }
  bool Follows(const std::string& id) const {
    return talk_.ServerSubscriptions().contains("/me/conversations/" + id + "/messages");
  }
  int Lists() const { return talk_.Count("GET /me/conversations "); }
  int Count(journal::EventKind kind) const {
    return static_cast<int>(
        std::count_if(talk_.appended.begin(), talk_.appended.end(),
                      [&](const Appended& entry) { return entry.kind == kind; }));
  }

  ManualClock clock_;
  TalkModel talk_;
};

}  // namespace talkjsd::session

#endif  // TALKJSD_TESTS_UNIT_SESSION_INBOX_FIXTURE_H_
