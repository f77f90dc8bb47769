// A world on a manual clock, with a publisher and sockets that write down what they are sent.
#ifndef TALKJSD_TESTS_UNIT_EMULATOR_WORLD_FIXTURE_H_
#define TALKJSD_TESTS_UNIT_EMULATOR_WORLD_FIXTURE_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/emulator/model/publisher.h"
#include "daemon/emulator/model/topic.h"
#include "daemon/emulator/model/world.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/json.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {

namespace json = boost::json;

inline UserWrite Named(std::string name) {
  UserWrite write;
  write.name = std::move(name);
  return write;
}

inline NewMessage TextMessage(std::string text, std::string key = "") {
  NewMessage message;
  message.content.resize(1);
  message.content[0].children.resize(1);
  message.content[0].children[0].text = std::move(text);
  message.idempotency_key = std::move(key);
  return message;
}

// "OK", or what the client would be told: "403 NOT_A_PARTICIPANT".
inline std::string Verdict(const absl::Status& status) {
  if (status.ok()) return "OK";
  const Refusal refusal = RefusalOf(status);
  return std::to_string(refusal.status) + " " + refusal.code;
}

// A string's characters; the JSON text of anything else.
inline std::string Text(const json::value& value) {
  return value.is_string() ? std::string(value.get_string()) : json::serialize(value);
}

class Socket : public Subscriber {
 public:
  Socket(Publisher& publisher, std::string user)
      : Subscriber(std::move(user)), publisher_(publisher) {
    publisher_.Add(*this);
  }
  ~Socket() override { publisher_.Remove(*this); }

  void Subscribe(std::string_view path) {
    publisher_.Subscribe(*this, ParseTopic(*wire::SplitPath(path)).value());
  }
  void Unsubscribe(std::string_view path) {
    publisher_.Unsubscribe(*this, ParseTopic(*wire::SplitPath(path)).value());
  }

  void Deliver(const std::vector<EventText>& events) override {
    ++frames;
    if (builds_on_fresh()) ++frames_apart;
    for (const EventText& text : events) {
      received.push_back(wire::ParseJson(*text)->as_object());
    }
  }

  // The types received since the last call, in order.
  std::vector<std::string> TakeTypes() {
    std::vector<std::string> types;
    for (const json::object& event : std::exchange(received, {})) {
      types.emplace_back(event.at("type").as_string());
    }
    return types;
  }
  // The only event received since the last call.
  json::object TakeOne() {
    const auto events = std::exchange(received, {});
    EXPECT_EQ(events.size(), 1u);
    return events.empty() ? json::object() : events.front();
  }

  std::vector<json::object> received;
  int frames = 0;
  int frames_apart = 0;  // which must not share a read with the one before

 private:
  Publisher& publisher_;
};

class WorldTest : public testing::Test {
 protected:
  WorldTest() {
    world.OnChange([this](const Change& change) { publisher.Publish(change); });
    for (const char* user : {"alice", "bob", "carol"}) {
      EXPECT_TRUE(world.PutUser(user, Named(user)).ok());
    }
    EXPECT_TRUE(world.CreateConversation("c", {}).ok());
  }

  absl::Status Join(std::string_view user, const ParticipantWrite& write = {},
                    std::string_view conversation = "c") {
    const absl::Status status =
        world.WriteParticipant(user, conversation, user, World::JoinMode::kCreateOrUpdate, write);
    publisher.Flush();
    return status;
  }
  std::string Send(std::string_view user, std::string text = "hi",
                   std::string_view conversation = "c") {
    const auto id = world.SendMessage(user, conversation, TextMessage(std::move(text)));
    publisher.Flush();
    return id.ok() ? *id : Verdict(id.status());
  }
  wire::Conversation Side(std::string_view user, std::string_view conversation = "c") {
    return world.GetConversation(user, conversation).value();
  }
  void Tick(int64_t millis = 1) { clock.Advance(std::chrono::milliseconds(millis)); }

  ManualClock clock;
  SeededRandom random{1};
  World world{clock, random};
  Publisher publisher{world};
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_TESTS_UNIT_EMULATOR_WORLD_FIXTURE_H_
