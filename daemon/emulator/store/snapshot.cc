#include "daemon/emulator/store/snapshot.h"

#include <map>
#include <string>

#include "daemon/emulator/store/record_json.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// An answer to a message that is gone looks like no answer.
void DropDanglingReferences(const World& world, json::array& messages) {
  for (json::value& message : messages) {
    json::value& target = message.as_object()["referencedMessageId"];
    if (target.is_string() && world.FindMessage(std::string(target.get_string())) == nullptr) {
      target = nullptr;
    }
  }
}

}  // namespace

json::object EncodeSnapshot(const World& world) {
  std::map<std::string, json::object> users;
  for (const auto& [id, user] : world.users()) users[id] = EncodeRecord(user);
  std::map<std::string, json::object> conversations;
  world.ForEachConversation([&](const ConversationRecord& conversation) {
    json::object& encoded = conversations[conversation.id] = EncodeRecord(conversation);
    DropDanglingReferences(world, encoded["messages"].as_array());
  });
  json::array keys;
  for (const SentRecord& sent : world.SentKeys()) {
    if (world.FindMessage(sent.message_id) != nullptr) keys.push_back(EncodeRecord(sent));
  }
  json::object document{{"format", kSnapshotFormat}};
  document["users"] = json::object(users.begin(), users.end());
  document["conversations"] = json::object(conversations.begin(), conversations.end());
  document["idempotencyKeys"] = std::move(keys);
  return document;
}

}  // namespace talkjsd::emulator
