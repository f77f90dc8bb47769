// What leaves a connection when, as far as the client's ACKs decide it.
#include "tests/unit/emulator/app_fixture.h"

namespace talkjsd::emulator {
namespace {

class ConnectionTest : public AppTest {
 protected:
  ConnectionTest() {
    alice = Login("alice");
    bob = Login("bob");
    alice->Call("PUT", "/conversations/c");
    for (const auto& [client, user] :
         {std::pair(alice.get(), "alice"), std::pair(bob.get(), "bob")}) {
      client->Call("POST", "/conversations/c/participants",
                   R"({"actions":[{"id":")" + std::string(user) + R"(","method":"PUT"}]})");
    }
    bob->Call("SUBSCRIBE", "/me/conversations/c/messages");
  }

  // Of a new message; its id.
  std::string Say() {
    alice->Call("POST", "/conversations/c/messages",
                R"({"content":[{"type":"text","children":["x"]}]})");
    return app.world().LookUpConversation("c")->messages.rbegin()->second.message.id;
  }
  void Edit(const std::string& id) {
    alice->Call("PATCH", "/conversations/c/messages/" + id, R"({"custom":{"k":"v"}})");
  }
  // The types of frames that bob was sent since the last call: a PUBLISH by its first event.
  std::string Heard() {
    std::string heard;
    for (const std::string& text : bob->Take()) {
      const auto frame = wire::ParseJson(text).value().as_array();
      if (!heard.empty()) heard.push_back(' ');
      heard += frame[1].is_string() ? std::string(frame[2].at("type").as_string()) : "answer";
    }
    return heard;
  }
  void Acknowledge(int64_t number) { bob->connection.OnText(wire::EncodeAck(number)); }

  std::unique_ptr<TestClient> alice;
  std::unique_ptr<TestClient> bob;
};

TEST_F(ConnectionTest, AnEditWaitsUntilTheClientHasReadTheMessage) {
  Say();
  EXPECT_EQ(Heard(), "message.created");
  Acknowledge(1);
  const std::string id = Say();
  Edit(id);
  EXPECT_EQ(Heard(), "message.created");
  bob->connection.OnText(wire::EncodeRequest(50, "GET", "/ping", "{}"));
  Say();
  EXPECT_EQ(Heard(), "") << "what is later stays behind it";
  Acknowledge(2);
  EXPECT_EQ(Heard(), "message.edited answer message.created");
}

TEST_F(ConnectionTest, NothingWaitsForAClientThatHasReadEverythingOrNeverSaysSo) {
  Edit(Say());
  EXPECT_EQ(Heard(), "message.created message.edited") << "no ACK so far";
  Acknowledge(2);
  const std::string id = Say();
  Acknowledge(3);
  Edit(id);
  EXPECT_EQ(Heard(), "message.created message.edited");
}

TEST_F(ConnectionTest, AnAckOfWhatWasNeverSentCountsForNothing) {
  Say();
  Acknowledge(1);
  Acknowledge(1000);
  Edit(Say());
  EXPECT_EQ(Heard(), "message.created message.created");
  Acknowledge(2);
  EXPECT_EQ(Heard(), "message.edited");
}

TEST_F(ConnectionTest, AClosingHandshakeComesBehindWhatWaits) {
  Say();
  Acknowledge(1);
  Edit(Say());
  Heard();
  bob->connection.Close(4000, "test");
  EXPECT_EQ(Heard(), "message.edited");
  EXPECT_EQ(bob->end, "closed 4000 test");
}

}  // namespace
}  // namespace talkjsd::emulator
