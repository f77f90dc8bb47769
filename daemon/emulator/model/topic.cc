#include "daemon/emulator/model/topic.h"

#include "daemon/emulator/model/emoji.h"

namespace talkjsd::emulator {

std::optional<Topic> ParseTopic(const std::vector<std::string>& path) {
  using Kind = Topic::Kind;
  Topic topic;
  const size_t n = path.size();
  if (n >= 2 && path[0] == "users") {
    topic.user = path[1];
    topic.kind = Kind::kUser;
    if (n == 2) return topic;
    topic.kind = Kind::kOnline;
    if (n == 3 && path[2] == "online") return topic;
    return std::nullopt;
  }
  if (n < 2 || path[0] != "me" || path[1] != "conversations") return std::nullopt;
  topic.kind = Kind::kConversations;
  if (n == 2) return topic;
  topic.conversation = path[2];
  topic.kind = Kind::kConversation;
  if (n == 3) return topic;
  const std::string& part = path[3];
  if (n == 4 && part == "messages") {
    topic.kind = Kind::kMessages;
  } else if (n == 4 && part == "participants") {
    topic.kind = Kind::kParticipants;
  } else if (n == 4 && part == "typing") {
    topic.kind = Kind::kTyping;
  } else if (n == 5 && part == "participants") {
    topic.kind = Kind::kParticipant;
    topic.user = path[4];
  } else if (n == 7 && part == "messages" && path[5] == "reactions") {
    topic.kind = Kind::kReactions;
    topic.message = path[4];
    topic.emoji = NormalizeEmoji(path[6]);
  } else {
    return std::nullopt;
  }
  return topic;
}

}  // namespace talkjsd::emulator
