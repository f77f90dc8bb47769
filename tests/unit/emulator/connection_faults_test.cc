// Faults at the frames of a connection, as its client sees them.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/emulator/app_fixture.h"

namespace talkjsd::emulator {
namespace {

using Texts = std::vector<std::string>;

class ConnectionFaultsTest : public AppTest {
 protected:
  ConnectionFaultsTest() {
    alice = Login("alice");
    alice->Call("SUBSCRIBE", "/users", R"({"ids":["alice"]})");
  }

  // Changes alice's name: a PUBLISH to herself, then the answer, whose number is left out: "ok".
  Texts Rename(std::string_view name) {
    Texts sent = alice->Call("PUT", "/users/alice", "{\"name\":\"" + std::string(name) + "\"}");
    const std::string ok = "[" + std::to_string(alice->next_number - 1) + ",200,{}]";
    std::replace(sent.begin(), sent.end(), ok, kOk);
    return sent;
  }
  std::string Name() { return app.world().FindUser("alice")->shown.name; }
  std::string Edited(int64_t publish, std::string_view name) {
    return "[" + std::to_string(publish) + R"(,"PUBLISH",{"type":"user.edited","userId":"alice",)" +
           R"("diff":{"name":")" + std::string(name) + "\"}}]";
  }
  const std::string kOk{"ok"};

  std::unique_ptr<TestClient> alice;
};

TEST_F(ConnectionFaultsTest, WithoutRulesNothingHappens) {
  EXPECT_EQ(Rename("A"), (Texts{Edited(1, "A"), kOk}));
  EXPECT_EQ(alice->connection.state(), "open");
}

TEST_F(ConnectionFaultsTest, AStatusAtTheRequestKeepsItFromBeingCarriedOut) {
  const int64_t id = AddFault(
      R"({"on":"request","path":"/users/*","method":"PUT","times":1,"action":"status","status":429})");
  const Texts sent = Rename("A");
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0], R"([3,429,{"errorCode":"TOO_MANY_REQUESTS",)"
                     R"("reasons":["fault injected by the emulator"]}])");
  EXPECT_EQ(Name(), "N");
  EXPECT_EQ(Rename("B"), (Texts{Edited(1, "B"), kOk}));
  EXPECT_EQ(Counts(id), "2/1");
}

TEST_F(ConnectionFaultsTest, AStatusAtTheAnswerComesAfterTheEffect) {
  AddFault(R"({"on":"answer","method":"PUT","action":"status","status":500,
               "error_code":"OOPS","reasons":["a","b"]})");
  EXPECT_EQ(Rename("A"),
            (Texts{Edited(1, "A"), R"([3,500,{"errorCode":"OOPS","reasons":["a","b"]}])"}));
  EXPECT_EQ(Name(), "A");
}

TEST_F(ConnectionFaultsTest, LostFramesLeaveNoTrace) {
  AddFault(R"({"on":"request","method":"PUT","nth":1,"action":"lose"})");
  EXPECT_EQ(Rename("A"), Texts{});
  EXPECT_EQ(Name(), "N");
  AddFault(R"({"on":"answer","method":"PUT","nth":1,"action":"lose"})");
  EXPECT_EQ(Rename("B"), Texts{Edited(1, "B")});
  AddFault(R"({"on":"publish","nth":1,"action":"lose"})");
  EXPECT_EQ(Rename("C"), Texts{kOk});
  EXPECT_EQ(Rename("D"), (Texts{Edited(2, "D"), kOk}));
}

TEST_F(ConnectionFaultsTest, OnlyTheEventThatTheRuleNamesIsLost) {
  alice->Call("SUBSCRIBE", "/me/conversations");
  alice->Call("SUBSCRIBE", "/me/conversations/c/messages");
  alice->Call("PUT", "/conversations/c");
  alice->Call("POST", "/conversations/c/participants",
              R"({"actions":[{"id":"alice","method":"PUT","params":{}}]})");
  AddFault(R"({"on":"publish","event":"message.created","action":"lose"})");
  const Texts sent = alice->Call("POST", "/conversations/c/messages",
                                 R"({"content":[{"type":"text","children":["hi"]}]})");
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_NE(sent[0].find("side.edited"), std::string::npos);
  EXPECT_EQ(sent[0].find("message.created"), std::string::npos);
}

TEST_F(ConnectionFaultsTest, Duplicates) {
  const int64_t at_request = AddFault(R"({"on":"request","method":"PUT","action":"duplicate"})");
  // The second time nothing changes.
  EXPECT_EQ(Rename("A"), (Texts{Edited(1, "A"), kOk, kOk}));
  app.faults().Remove(at_request);
  const int64_t at_answer = AddFault(R"({"on":"answer","action":"duplicate"})");
  EXPECT_EQ(Rename("B"), (Texts{Edited(2, "B"), kOk, kOk}));
  app.faults().Remove(at_answer);
  AddFault(R"({"on":"publish","action":"duplicate","nth":1})");
  AddFault(R"({"on":"publish","action":"duplicate","renumber":true})");
  EXPECT_EQ(Rename("C"), (Texts{Edited(3, "C"), Edited(3, "C"), kOk}));
  EXPECT_EQ(Rename("D"), (Texts{Edited(4, "D"), Edited(5, "D"), kOk}));
}

TEST_F(ConnectionFaultsTest, ACorruptFrameIsNoJsonButWholeCharacters) {
  AddFault(R"({"on":"publish","action":"corrupt"})");
  const Texts sent = Rename("\xF0\x9F\x90\x88\xF0\x9F\x90\x88\xF0\x9F\x90\x88\xF0\x9F\x90\x88");
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_FALSE(wire::DecodeServerFrame(sent[0]).ok());
  EXPECT_FALSE(wire::ParseJson(sent[0]).ok());
  EXPECT_EQ(sent[1], kOk);
}

TEST_F(ConnectionFaultsTest, WhatEndsTheConnectionEndsIt) {
  const std::pair<const char*, const char*> cases[] = {
      {R"("request","action":"drop")", "dropped"},
      {R"("request","action":"reset")", "reset"},
      {R"("answer","action":"tear")", "torn"},
      {R"("publish","action":"close","code":4001,"reason":"bye")", "closed 4001 bye"}};
  for (const auto& [rule, end] : cases) {
    alice = Login("alice");
    alice->Call("SUBSCRIBE", "/users", R"({"ids":["alice"]})");
    const int64_t id = AddFault(R"({"user":"alice","times":1,"on":)" + std::string(rule) + "}");
    Rename(rule[1] == 'r' ? "R" : "S");
    Rename("more");
    EXPECT_EQ(alice->end, end);
    EXPECT_EQ(alice->connection.state(), "closing");
    EXPECT_EQ(Counts(id).substr(Counts(id).find('/')), "/1") << rule;
    app.faults().Clear();
  }
}

TEST_F(ConnectionFaultsTest, AStallHoldsFramesUntilResumed) {
  AddFault(R"({"on":"request","method":"PUT","action":"stall","ms":5000,"times":1})");
  EXPECT_EQ(Rename("A"), Texts{});
  EXPECT_EQ(alice->Call("GET", "/ping"), Texts{});
  EXPECT_EQ(alice->connection.state(), "stalled");
  EXPECT_EQ(Name(), "N");
  alice->connection.Resume();
  EXPECT_EQ(alice->Take(), (Texts{Edited(1, "A"), "[3,200,{}]", "[4,200,{}]"}));
  EXPECT_EQ(alice->connection.state(), "open");
}

TEST_F(ConnectionFaultsTest, ADelayedAnswerHoldsWhatIsBehindIt) {
  AddFault(R"({"on":"answer","method":"PUT","action":"delay","ms":5000,"times":1})");
  EXPECT_EQ(Rename("A"), Texts{Edited(1, "A")});
  EXPECT_EQ(Rename("B"), Texts{});
  EXPECT_EQ(Name(), "B");
  alice->connection.Resume();
  EXPECT_EQ(alice->Take(), (Texts{"[3,200,{}]", Edited(2, "B"), "[4,200,{}]"}));
}

TEST_F(ConnectionFaultsTest, ARuleSeesAHeldRequestOnce) {
  const int64_t id = AddFault(R"({"on":"request","method":"PUT","action":"delay","ms":5000})");
  Rename("A");
  alice->connection.Resume();
  EXPECT_EQ(alice->Take(), (Texts{Edited(1, "A"), "[3,200,{}]"}));
  EXPECT_EQ(Counts(id), "1/1");
}

TEST_F(ConnectionFaultsTest, HalfOpenSwallowsBothWays) {
  AddFault(R"({"on":"answer","method":"PUT","action":"half_open","times":1})");
  EXPECT_EQ(Rename("A"), Texts{Edited(1, "A")});
  EXPECT_EQ(Rename("B"), Texts{});
  EXPECT_EQ(alice->connection.state(), "half_open");
  EXPECT_EQ(alice->end, "");
  alice->connection.Resume();
  EXPECT_EQ(alice->Take(), Texts{});
  EXPECT_EQ(Name(), "A");
  EXPECT_EQ(alice->Call("GET", "/ping").size(), 1u);
}

TEST_F(ConnectionFaultsTest, ExpiryBeforeARequestVoidsTheLogin) {
  AddFault(R"({"on":"request","method":"PUT","action":"expire"})");
  EXPECT_EQ(Rename("A"),
            (Texts{R"([1,"PUBLISH",{"type":"session.expired"}])",
                   R"([3,401,{"errorCode":"UNAUTHORIZED","reasons":["not logged in"]}])"}));
  EXPECT_FALSE(alice->connection.logged_in());
  EXPECT_EQ(alice->connection.subscription_count(), 0u);
}

TEST_F(ConnectionFaultsTest, ExpiryAfterAFrameFollowsIt) {
  AddFault(R"({"on":"publish","event":"user.*","action":"expire"})");
  EXPECT_EQ(Rename("A"), (Texts{Edited(1, "A"), kOk}));
  EXPECT_TRUE(alice->connection.logged_in());
  RunPosted();
  EXPECT_EQ(alice->Take(), Texts{R"([2,"PUBLISH",{"type":"session.expired"}])"});
  EXPECT_FALSE(alice->connection.logged_in());
}

TEST_F(ConnectionFaultsTest, ADeferredFaultOfAConnectionThatIsGoneIsForgotten) {
  AddFault(R"({"on":"publish","action":"expire"})");
  Rename("A");
  alice.reset();
  RunPosted();
  EXPECT_TRUE(app.connections().empty());
}

TEST_F(ConnectionFaultsTest, ARestartIsAnnouncedOnce) {
  AddFault(R"({"on":"answer","action":"restart","ms":60000})");
  Rename("A");
  Rename("B");
  alice->Take();
  RunPosted();
  EXPECT_EQ(alice->Take(), Texts{R"([3,"PUBLISH",{"type":"upstream.restarting"}])"});
}

TEST_F(ConnectionFaultsTest, ATokenIsRefused) {
  const int64_t id = AddFault(R"({"user":"bob","action":"refuse_token","times":1})");
  TestClient bob(app, "bob");
  EXPECT_TRUE(bob.Call("POST", "/session/renew", LoginData("bob"))[0].starts_with("[0,401,"));
  EXPECT_FALSE(bob.connection.logged_in());
  EXPECT_TRUE(bob.Call("POST", "/session/renew", LoginData("bob"))[0].starts_with("[1,200,"));
  EXPECT_EQ(Counts(id), "2/1");
}

TEST_F(ConnectionFaultsTest, AFaultAtOpenHoldsTheSocketFromTheStart) {
  FaultAction action;
  action.kind = FaultKind::kHalfOpen;
  Connection connection(app, "bob", true, "");
  connection.SetFaultAtOpen(action);
  class Silent : public net::ServerSocket {
   public:
    void SendText(std::string, Duration) override { ++sent; }
    void SendTorn(std::string) override {}
    size_t QueuedBytes() const override { return 0; }
    void Close(uint16_t, std::string_view) override {}
    void Abort() override {}
    void Reset() override {}
    int sent = 0;
  } socket;
  connection.OnOpen(&socket);
  connection.OnText(wire::EncodeRequest(0, "GET", "/ping", "{}"));
  EXPECT_EQ(socket.sent, 0);
  EXPECT_EQ(connection.state(), "half_open");
  connection.OnClosed();
}

}  // namespace
}  // namespace talkjsd::emulator
