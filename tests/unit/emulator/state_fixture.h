// Worlds that have grown by chance, to be taken apart and put together again.
#ifndef TALKJSD_TESTS_UNIT_EMULATOR_STATE_FIXTURE_H_
#define TALKJSD_TESTS_UNIT_EMULATOR_STATE_FIXTURE_H_

#include <string>
#include <vector>

#include "daemon/emulator/store/snapshot.h"
#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::emulator {

inline std::string Document(const World& world) { return json::serialize(EncodeSnapshot(world)); }

inline json::object Parse(std::string_view text) {
  return wire::ParseJson(text, text.size())->as_object();
}

// A world of its own that does by chance what users do. Equal seeds and equal beginnings give equal
// worlds.
class Life {
 public:
  explicit Life(const Clock& clock) : world(clock, random_) {}

  void Live(uint64_t seed, int steps, ManualClock& clock) {
    random_ = SeededRandom(seed);
    for (int i = 0; i < steps; ++i) {
      Step();
      if (Draw(3) == 0) clock.Advance(std::chrono::milliseconds(Draw(5000)));
      if (each_step) each_step();
    }
  }

 private:
  SeededRandom random_{1};

 public:
  World world;
  std::function<void()> each_step;

 private:
  uint64_t Draw(uint64_t bound) { return random_.Next() % bound; }
  std::string User() { return "user " + std::to_string(Draw(6)); }
  std::string Conversation() { return "c/" + std::to_string(Draw(4)); }
  // Some message of the conversation, in its order; empty if there is none.
  std::string Message(const std::string& conversation) {
    const ConversationRecord* record = world.LookUpConversation(conversation);
    if (record == nullptr || record->messages.empty()) return "";
    auto found = record->messages.begin();
    std::advance(found, static_cast<long>(Draw(record->messages.size())));
    return found->second.message.id;
  }

  void Step() {
    const std::string user = User(), c = Conversation();
    switch (Draw(12)) {
      case 0:
        return WriteUser(user);
      case 1:
        return WriteConversation(c);
      case 2:
      case 3: {
        ParticipantWrite write;
        if (Draw(4) == 0) write.notify = wire::Patch<wire::Notify>::Of(wire::Notify::kMentionsOnly);
        return Ignore(
            world.WriteParticipant(user, c, user, World::JoinMode::kCreateOrUpdate, write));
      }
      case 4:
        if (Draw(3) == 0) Ignore(world.RemoveParticipant(user, c, user));
        return;
      case 5:
        return Ignore(world.MarkRead(user, c));
      case 6:
        return Ignore(world.MarkUnread(user, c));
      case 7:
        return Ignore(Draw(2) == 0 ? world.DeleteMessage(user, c, Message(c)) : EditSome(user, c));
      case 8:
        return Ignore(Draw(3) == 0 ? world.RemoveReaction(user, c, Message(c), "👍")
                                   : world.AddReaction(user, c, Message(c), "👍"));
      case 9:
        return Ignore(world.MarkTyping(user, c));
      default:
        return Send(user, c);
    }
  }

  void WriteUser(const std::string& user) {
    UserWrite write = Named("Name " + std::to_string(Draw(100)));
    if (Draw(2) == 0) write.locale = wire::Patch<std::string>::Of("nl-NL");
    if (Draw(2) == 0) write.email = wire::Patch<std::vector<std::string>>::Of({"a@example.com"});
    if (Draw(2) == 0) {
      write.push_tokens = wire::Patch<std::map<std::string, bool>>::Of({{"fcm:1", Draw(2) == 0}});
    }
    if (Draw(2) == 0) write.custom = wire::Patch<wire::CustomPatch>::Of({{"k\n", "v"}});
    Ignore(world.PutUser(user, write));
  }
  void WriteConversation(const std::string& c) {
    ConversationWrite write;
    if (Draw(2) == 0) write.subject = wire::Patch<std::string>::Of("S" + std::to_string(Draw(9)));
    if (Draw(2) == 0) write.welcome_messages = wire::Patch<std::vector<std::string>>::Of({"hi"});
    Ignore(world.PutConversation(c, write));
  }
  void Send(const std::string& user, const std::string& c) {
    NewMessage message = TextMessage("text " + std::to_string(Draw(1000)));
    if (Draw(3) == 0) message.idempotency_key = "key " + std::to_string(Draw(1'000'000));
    if (Draw(4) == 0) message.referenced_message_id = Message(c);
    Ignore(world.SendMessage(user, c, std::move(message)).status());
  }
  absl::Status EditSome(const std::string& user, const std::string& c) {
    MessageWrite write;
    write.custom = wire::Patch<wire::CustomPatch>::Of({{"edited", "yes"}});
    return world.EditMessage(user, c, Message(c), write);
  }
  // Much of what chance wants is refused.
  static void Ignore(const absl::Status&) {}
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_TESTS_UNIT_EMULATOR_STATE_FIXTURE_H_
