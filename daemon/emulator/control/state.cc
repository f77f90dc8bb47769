// Control routes for the state as a whole.
#include "daemon/emulator/control/control.h"
#include "daemon/emulator/store/snapshot.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// What is there now.
json::object Summary(const World& world) {
  size_t conversations = 0, messages = 0;
  world.ForEachConversation([&](const ConversationRecord& conversation) {
    ++conversations;
    messages += conversation.messages.size();
  });
  return json::object{
      {"users", world.users().size()}, {"conversations", conversations}, {"messages", messages}};
}

CallResult Reset(const ControlCall& call) {
  if (absl::Status status = call.app.Reset(); !status.ok()) return status;
  return Summary(call.app.world());
}

CallResult Seed(const ControlCall& call) {
  World& world = call.app.world();
  auto records = ReadSeed(call.body, world, call.app.clock().WallMillis());
  if (!records.ok()) return records.status();
  world.Merge(*std::move(records));
  return Summary(world);
}

CallResult Snapshot(const ControlCall& call) { return EncodeSnapshot(call.app.world()); }

CallResult Restore(const ControlCall& call) {
  World& world = call.app.world();
  auto records = ReadSnapshot(call.body, call.app.clock().WallMillis());
  if (!records.ok()) return records.status();
  world.Replace(*std::move(records));
  return Summary(world);
}

CallResult Clear(const ControlCall& call) {
  if (auto status = call.app.world().ClearConversation(call.args[0]); !status.ok()) return status;
  return Summary(call.app.world());
}

}  // namespace

void AddStateRoutes(ControlRoutes& routes) {
  routes.Add("POST", "reset", "forgets everything, and goes back to the seed of --seed", Reset);
  routes.Add("POST", "seed", "merges the body, a seed, with what is there", Seed);
  routes.Add("GET", "snapshot", "everything, as one document", Snapshot);
  routes.Add("POST", "restore", "puts the body, a snapshot or seed, in place of everything",
             Restore);
  routes.Add("POST", "conversations/*/clear",
             "deletes a conversation's messages, as only TalkJS's own people can", Clear);
}

}  // namespace talkjsd::emulator
