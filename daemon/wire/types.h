// TalkJS's data as it travels (realtime.md section 8), without a JSON library in sight.
//
// Times are milliseconds since the Unix epoch. Values that TalkJS writes as null are std::nullopt;
// unknown properties are ignored; content blocks and text nodes of an unknown kind keep their JSON.
#ifndef TALKJSD_WIRE_TYPES_H_
#define TALKJSD_WIRE_TYPES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"

namespace talkjsd::wire {

// `custom` of users, conversations and messages.
using CustomMap = std::map<std::string, std::string>;
// `custom` in a diff or a write: nullopt deletes the key.
using CustomPatch = std::map<std::string, std::optional<std::string>>;

// A property of a diff or a write: absent, null, or a value.
template <typename T>
struct Patch {
  bool present = false;
  std::optional<T> value;  // nullopt while present: null

  static Patch Null() { return {true, std::nullopt}; }
  static Patch Of(T v) { return {true, std::move(v)}; }
  friend bool operator==(const Patch&, const Patch&) = default;
};

struct User {
  std::string id;
  std::string name;
  CustomMap custom;
  std::optional<std::string> locale;
  std::optional<std::string> photo_url;
  std::string role;
  std::optional<std::string> welcome_message;
  friend bool operator==(const User&, const User&) = default;
};

enum class Access { kReadWrite, kRead };
enum class Notify { kOff, kOn, kMentionsOnly };

// One user's side of a conversation: "Conversation" in realtime.md 8.2.
struct Conversation {
  std::string id;
  UnixMillis created_at = 0;
  std::optional<std::string> subject;
  std::optional<std::string> photo_url;
  std::vector<std::string> welcome_messages;
  CustomMap custom;
  UnixMillis last_message_at = 0;
  int64_t unread_message_count = 0;
  bool is_unread = false;
  Access access = Access::kReadWrite;
  Notify notify = Notify::kOn;
  UnixMillis read_until = 0;
  UnixMillis everyone_read_until = 0;
  UnixMillis joined_at = 0;
  friend bool operator==(const Conversation&, const Conversation&) = default;
};

struct Participant {
  std::string id;  // the user's
  Access access = Access::kReadWrite;
  Notify notify = Notify::kOn;
  UnixMillis joined_at = 0;
};

// A node of a text block (realtime.md 8.5). Which fields mean something depends on the kind.
struct TextNode {
  enum class Kind {
    kText,  // a plain string: `text`
    kBold,
    kItalic,
    kStrikethrough,
    kBulletList,
    kBulletPoint,
    kCodeSpan,      // `text`
    kAutoLink,      // `url`, `text`
    kLink,          // `url`, `children`
    kActionLink,    // `action`, `params`, `children`
    kActionButton,  // `action`, `params`, `children`
    kMention,       // `id`, `text`
    kCustomEmoji,   // `text`, with colons
    kUnknown,       // `text`: its JSON, an object with a "type"; `children`: what can be read in it
  };
  Kind kind = Kind::kText;
  std::string text;
  std::string url;
  std::string id;
  std::string action;
  CustomMap params;
  std::vector<TextNode> children;
  friend bool operator==(const TextNode&, const TextNode&) = default;
};

struct FileBlock {
  std::string subtype;  // image, video, audio, voice; empty for a generic file
  std::string file_token;
  std::string url;
  std::string filename;
  int64_t size = 0;                // bytes
  std::optional<double> width;     // pixels
  std::optional<double> height;    // pixels
  std::optional<double> duration;  // seconds
  friend bool operator==(const FileBlock&, const FileBlock&) = default;
};

struct ContentBlock {
  enum class Kind { kText, kFile, kLocation, kUnknown };
  Kind kind = Kind::kText;
  std::vector<TextNode> children;  // kText
  FileBlock file;                  // kFile
  double latitude = 0;             // kLocation, degrees
  double longitude = 0;
  std::string unknown_json;  // kUnknown: the block as it came
  friend bool operator==(const ContentBlock&, const ContentBlock&) = default;
};

struct Reaction {
  int64_t count = 0;
  UnixMillis created_at = 0;  // first use of this emoji on the message
  bool current_user_reacted = false;
  friend bool operator==(const Reaction&, const Reaction&) = default;
};

struct Message {
  std::string id;
  bool is_system = false;
  std::optional<std::string> sender_id;  // nullopt exactly for system messages
  CustomMap custom;
  UnixMillis created_at = 0;
  std::optional<UnixMillis> edited_at;
  std::optional<std::string> referenced_message_id;
  std::string origin;  // rest, web, email, import; an open set
  std::vector<ContentBlock> content;
  std::map<std::string, Reaction> reactions;
  friend bool operator==(const Message&, const Message&) = default;
};

// What `side.edited`, `conversation.edited` and an own `participant.edited` may change in a
// Conversation.
struct ConversationDiff {
  Patch<std::string> subject;
  Patch<std::string> photo_url;
  Patch<std::vector<std::string>> welcome_messages;
  Patch<CustomPatch> custom;  // null deletes all
  std::optional<UnixMillis> last_message_at;
  std::optional<int64_t> unread_message_count;
  std::optional<bool> is_unread;
  std::optional<Access> access;
  std::optional<Notify> notify;
  std::optional<UnixMillis> read_until;
  std::optional<UnixMillis> everyone_read_until;

  void ApplyTo(Conversation& conversation) const;
};

struct UserDiff {
  std::optional<std::string> name;
  Patch<std::string> locale;
  Patch<std::string> photo_url;
  std::optional<std::string> role;
  Patch<std::string> welcome_message;
  Patch<CustomPatch> custom;

  void ApplyTo(User& user) const;
};

struct ReactionDiff {
  std::optional<int64_t> count;
  std::optional<UnixMillis> created_at;
  std::optional<bool> current_user_reacted;
};

struct MessageDiff {
  std::optional<std::vector<ContentBlock>> content;
  Patch<UnixMillis> edited_at;
  Patch<CustomPatch> custom;
  // Null: all reactions gone. An emoji with nullopt: that emoji gone.
  Patch<std::map<std::string, std::optional<ReactionDiff>>> reactions;

  void ApplyTo(Message& message) const;
};

void ApplyCustom(const Patch<CustomPatch>& patch, CustomMap& custom);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_TYPES_H_
