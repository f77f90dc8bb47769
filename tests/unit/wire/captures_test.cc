// Every recorded frame, decoded and encoded again.
#include "tests/unit/wire/captures.h"

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <utility>

#include "daemon/wire/event.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/path.h"
#include "daemon/wire/plaintext.h"

namespace talkjsd::wire {
namespace {

// Frames that no good server sends.
constexpr std::string_view kBroken = "quirks";

// One server answered what is no request with a frame that answers none.
bool AnswersNothing(const CapturedFrame& captured) { return captured.frame.at(0).is_null(); }

template <typename T>
struct Codec {
  absl::StatusOr<T> (*decode)(const json::value&);
  json::object (*encode)(const T&);
};

constexpr Codec<User> kUser{DecodeUser, EncodeUser};
constexpr Codec<Conversation> kConversation{DecodeConversation, EncodeConversation};
constexpr Codec<Participant> kParticipant{DecodeParticipant, EncodeParticipant};
constexpr Codec<Message> kMessageCodec{DecodeMessage, EncodeMessage};

template <typename T>
void ExpectRoundTrip(const Codec<T>& codec, const json::value& value) {
  const absl::StatusOr<T> decoded = codec.decode(value);
  ASSERT_TRUE(decoded.ok()) << decoded.status() << "\n" << value;
  EXPECT_EQ(json::value(codec.encode(*decoded)), value);
}

// A page of a list, or one entity.
template <typename T>
void ExpectPageRoundTrip(const Codec<T>& codec, const json::value& data) {
  const json::value* list = data.as_object().if_contains("data");
  if (list == nullptr) return ExpectRoundTrip(codec, data);
  for (const json::value& item : list->as_array()) ExpectRoundTrip(codec, item);
}

// What the answer to a GET of `path` holds. Returns false for paths whose answers have no type in
// this room.
bool ExpectAnswerRoundTrip(const std::string& path, const json::value& data) {
  const std::vector<std::string> s = SplitPath(path).value();
  if (s.size() == 1 && s[0] == "users") {
    for (const auto& entry : data.as_object()) ExpectRoundTrip(kUser, entry.value());
    return true;
  }
  if (s.size() < 2 || s[0] != "me" || s[1] != "conversations") return false;
  if (s.size() <= 3) {
    ExpectPageRoundTrip(kConversation, data);
    return true;
  }
  if (s.size() > 5 || (s[3] != "participants" && s[3] != "messages")) return false;
  if (s[3] == "participants") {
    ExpectPageRoundTrip(kParticipant, data);
  } else {
    ExpectPageRoundTrip(kMessageCodec, data);
  }
  return true;
}

// What stands in the event for the decoded entity or diff.
struct Reencode {
  const json::object& source;

  json::value operator()(const UserCreated& e) const { return EncodeUser(e.state); }
  json::value operator()(const UserEdited& e) const { return EncodeUserDiff(e.diff); }
  json::value operator()(const SideCreated& e) const { return EncodeConversation(e.state); }
  json::value operator()(const SideEdited& e) const { return EncodeConversationDiff(e.diff); }
  json::value operator()(const MessageCreated& e) const { return EncodeMessage(e.state); }
  json::value operator()(const MessageEdited& e) const { return EncodeMessageDiff(e.diff); }
  json::value operator()(const ParticipantEdited& e) const {
    json::object diff;
    if (e.access) diff["access"] = EncodeAccess(*e.access);
    if (e.notify) diff["notify"] = EncodeNotify(*e.notify);
    return diff;
  }
  json::value operator()(const MessageDeleted& e) const {
    const json::value* last = source.if_contains("newLastMessage");
    EXPECT_EQ(e.new_last_message.present, last != nullptr);
    if (e.new_last_message.value) ExpectRoundTrip(kMessageCodec, *last);
    return nullptr;
  }
  template <typename E>
  json::value operator()(const E&) const {
    return nullptr;  // nothing but ids
  }
};

void ExpectEventRoundTrip(const json::object& object) {
  const absl::StatusOr<Event> event = DecodeEvent(object);
  ASSERT_TRUE(event.ok()) << event.status() << "\n" << object;
  const json::value encoded = std::visit(Reencode{object}, *event);
  if (encoded.is_null()) return;
  const json::value* state = object.if_contains("state");
  EXPECT_EQ(encoded, state != nullptr ? *state : object.at("diff"));
}

TEST(CapturesTest, ServerFramesSurviveDecodingAndEncoding) {
  int frames = 0;
  int refused = 0;
  for (const Capture& capture : AllCaptures()) {
    if (capture.name == kBroken) continue;
    for (const CapturedFrame& captured : capture.frames) {
      if (captured.from_client) continue;
      SCOPED_TRACE(captured.where);
      const absl::StatusOr<ServerFrame> frame = DecodeServerFrame(captured.text);
      if (AnswersNothing(captured)) {
        EXPECT_FALSE(frame.ok());
        ++refused;
        continue;
      }
      ASSERT_TRUE(frame.ok()) << frame.status();
      std::string again;
      if (const auto* response = std::get_if<ResponseFrame>(&*frame)) {
        again = EncodeResponse(response->number, response->status, response->data);
      } else {
        const auto& publish = std::get<PublishFrame>(*frame);
        again = EncodePublish(publish.number, publish.events);
        for (const json::object& event : publish.events) ExpectEventRoundTrip(event);
      }
      EXPECT_EQ(ParseJson(again).value(), captured.frame);
      ++frames;
    }
  }
  EXPECT_GT(frames, 900);
  EXPECT_EQ(refused, 1);
}

TEST(CapturesTest, ClientFramesSurviveDecodingAndEncoding) {
  int frames = 0;
  for (const Capture& capture : AllCaptures()) {
    for (const CapturedFrame& captured : capture.frames) {
      if (!captured.from_client) continue;
      SCOPED_TRACE(captured.where);
      const absl::StatusOr<ClientFrame> frame = DecodeClientFrame(captured.text);
      ASSERT_TRUE(frame.ok()) << frame.status();
      std::string again;
      if (const auto* ack = std::get_if<AckFrame>(&*frame)) {
        again = EncodeAck(ack->number);
      } else {
        const auto& request = std::get<RequestFrame>(*frame);
        again = EncodeRequest(request.number, request.method, request.path,
                              json::serialize(request.data));
        EXPECT_TRUE(SplitPath(request.path).has_value());
      }
      EXPECT_EQ(ParseJson(again).value(), captured.frame);
      ++frames;
    }
  }
  EXPECT_GT(frames, 1000);
}

TEST(CapturesTest, EntitiesInAnswersSurviveDecodingAndEncoding) {
  int answers = 0;
  for (const Capture& capture : AllCaptures()) {
    if (capture.name == kBroken) continue;
    std::map<std::pair<int64_t, int64_t>, std::string> asked;  // (connection, number) -> path
    for (const CapturedFrame& captured : capture.frames) {
      SCOPED_TRACE(captured.where);
      if (AnswersNothing(captured)) continue;
      const json::array& frame = captured.frame.as_array();
      const std::pair<int64_t, int64_t> key{captured.connection, frame.at(0).as_int64()};
      if (captured.from_client) {
        if (frame.at(1) == "GET") asked[key] = std::string(frame.at(2).as_string());
      } else if (frame.at(1) == 200 && asked.contains(key)) {
        if (ExpectAnswerRoundTrip(asked[key], frame.at(2))) ++answers;
      }
    }
  }
  EXPECT_GT(answers, 100);
}

TEST(CapturesTest, BrokenFramesAreSurvived) {
  int events = 0;
  for (const Capture& capture : AllCaptures()) {
    if (capture.name != kBroken) continue;
    for (const CapturedFrame& captured : capture.frames) {
      if (captured.from_client) continue;
      const absl::StatusOr<ServerFrame> frame = DecodeServerFrame(captured.text);
      if (!frame.ok()) continue;
      if (const auto* publish = std::get_if<PublishFrame>(&*frame)) {
        for (const json::object& event : publish->events) events += DecodeEvent(event).ok();
      }
    }
  }
  EXPECT_GT(events, 15);
}

using Contents = std::map<std::string, std::vector<json::value>>;  // message id -> what it held

// Remembers the content of every message anywhere in `value`.
void CollectContents(const json::value& value, Contents& contents) {
  if (const json::array* array = value.if_array()) {
    for (const json::value& item : *array) CollectContents(item, contents);
  }
  const json::object* object = value.if_object();
  if (object == nullptr) return;
  const json::value* id = object->if_contains("id");
  const json::value* content = object->if_contains("content");
  const json::value* edited = object->if_contains("messageId");
  const json::value* diff = object->if_contains("diff");
  if (edited != nullptr && diff != nullptr) {
    id = edited;
    content = diff->as_object().if_contains("content");
  }
  if (id != nullptr && id->is_string() && content != nullptr) {
    contents[std::string(id->as_string())].push_back(*content);
  }
  for (const auto& entry : *object) CollectContents(entry.value(), contents);
}

// Adds every object with a `plaintext`, a message or a translation, that the SDK showed.
void CollectShown(const json::value& value, std::vector<json::object>& shown) {
  if (const json::array* array = value.if_array()) {
    for (const json::value& item : *array) CollectShown(item, shown);
  }
  const json::object* object = value.if_object();
  if (object == nullptr) return;
  if (object->contains("plaintext")) shown.push_back(*object);
  for (const auto& entry : *object) CollectShown(entry.value(), shown);
}

bool HasPlainText(const json::value& content, std::string_view text) {
  const absl::StatusOr<std::vector<ContentBlock>> blocks = DecodeContent(content);
  return blocks.ok() && PlainText(*blocks) == text;
}

TEST(CapturesTest, PlainTextIsWhatTheSdkShowed) {
  std::set<std::string> texts;
  for (const Capture& capture : AllCaptures()) {
    SCOPED_TRACE(capture.name);
    Contents contents;
    for (const CapturedFrame& captured : capture.frames) {
      if (!captured.from_client) CollectContents(captured.frame, contents);
    }
    for (const json::value& body : capture.http_bodies) CollectContents(body, contents);
    std::vector<json::object> shown;
    CollectShown(capture.header, shown);
    for (const json::object& message : shown) {
      const std::string text(message.at("plaintext").as_string());
      texts.insert(text);
      const json::value* id = message.if_contains("id");
      if (id == nullptr) {  // a translation
        EXPECT_TRUE(HasPlainText(message.at("content"), text)) << message;
        continue;
      }
      // Edits give a message several contents; one of them must be the one shown.
      bool found = false;
      for (const json::value& content : contents[std::string(id->as_string())]) {
        found |= HasPlainText(content, text);
      }
      EXPECT_TRUE(found) << message;
    }
  }
  EXPECT_GT(texts.size(), 12u);
  EXPECT_TRUE(texts.contains("aqx.org"));  // with node types that nobody knows
  EXPECT_TRUE(texts.contains("🎙️ (1:05)"));
}

}  // namespace
}  // namespace talkjsd::wire
