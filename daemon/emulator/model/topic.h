// What a client can subscribe to (realtime.md 5.1).
#ifndef TALKJSD_EMULATOR_MODEL_TOPIC_H_
#define TALKJSD_EMULATOR_MODEL_TOPIC_H_

#include <optional>
#include <string>
#include <vector>

namespace talkjsd::emulator {

struct Topic {
  enum class Kind {
    kUser,           // /users/{user}
    kOnline,         // /users/{user}/online
    kConversations,  // /me/conversations
    kConversation,   // /me/conversations/{conversation}
    kMessages,       // .../messages
    kParticipants,   // .../participants
    kParticipant,    // .../participants/{user}
    kTyping,         // .../typing
    kReactions,      // .../messages/{message}/reactions/{emoji}
  };
  Kind kind = Kind::kUser;
  std::string user;
  std::string conversation;
  std::string message;
  std::string emoji;  // normalised

  friend bool operator==(const Topic&, const Topic&) = default;
};

// From a path's decoded segments. nullopt: nothing one could subscribe to. "/users" alone stands
// for many topics and is not understood here.
std::optional<Topic> ParseTopic(const std::vector<std::string>& path);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_TOPIC_H_
