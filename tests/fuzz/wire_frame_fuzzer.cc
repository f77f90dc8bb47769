// libFuzzer target: frames of both directions and the events in them. No input may crash a decoder,
// and what was decoded must survive being encoded and decoded again.
//
// The unit tests of wire run it over the recorded frames; tests/fuzz/run fuzzes, beginning with the
// same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <type_traits>
#include <variant>

#include "daemon/wire/event.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/json.h"
#include "daemon/wire/plaintext.h"

namespace talkjsd::wire {
namespace {

void Require(bool condition) {
  if (!condition) std::abort();
}

void CheckMessage(const Message& message) {
  const absl::StatusOr<Message> again = DecodeMessage(EncodeMessage(message));
  Require(again.ok() && *again == message);
  PlainText(message.content);
}

template <typename E>
void CheckEvent(const E& event) {
  if constexpr (std::is_same_v<E, UserCreated>) {
    const absl::StatusOr<User> again = DecodeUser(EncodeUser(event.state));
    Require(again.ok() && *again == event.state);
  } else if constexpr (std::is_same_v<E, SideCreated>) {
    const absl::StatusOr<Conversation> again = DecodeConversation(EncodeConversation(event.state));
    Require(again.ok() && *again == event.state);
  } else if constexpr (std::is_same_v<E, MessageCreated>) {
    CheckMessage(event.state);
  } else if constexpr (std::is_same_v<E, MessageDeleted>) {
    if (event.new_last_message.value) CheckMessage(*event.new_last_message.value);
  } else if constexpr (std::is_same_v<E, UserEdited>) {
    const json::object encoded = EncodeUserDiff(event.diff);
    const absl::StatusOr<UserDiff> again = DecodeUserDiff(encoded);
    Require(again.ok() && EncodeUserDiff(*again) == encoded);
  } else if constexpr (std::is_same_v<E, SideEdited>) {
    const json::object encoded = EncodeConversationDiff(event.diff);
    const absl::StatusOr<ConversationDiff> again = DecodeConversationDiff(encoded);
    Require(again.ok() && EncodeConversationDiff(*again) == encoded);
  } else if constexpr (std::is_same_v<E, MessageEdited>) {
    const json::object encoded = EncodeMessageDiff(event.diff);
    const absl::StatusOr<MessageDiff> again = DecodeMessageDiff(encoded);
    Require(again.ok() && EncodeMessageDiff(*again) == encoded);
    Message message;
    event.diff.ApplyTo(message);
    PlainText(message.content);
  }
}

void CheckServerFrame(std::string_view text) {
  const absl::StatusOr<ServerFrame> frame = DecodeServerFrame(text);
  if (!frame.ok()) return;
  if (const auto* response = std::get_if<ResponseFrame>(&*frame)) {
    DecodeErrorData(response->data);
    EncodeResponse(response->number, response->status, response->data);
    return;
  }
  const auto& publish = std::get<PublishFrame>(*frame);
  EncodePublish(publish.number, publish.events);
  for (const json::object& object : publish.events) {
    const absl::StatusOr<Event> event = DecodeEvent(object);
    if (event.ok()) std::visit([](const auto& e) { CheckEvent(e); }, *event);
  }
}

void CheckClientFrame(std::string_view text) {
  const absl::StatusOr<ClientFrame> frame = DecodeClientFrame(text);
  if (!frame.ok()) return;
  const auto* request = std::get_if<RequestFrame>(&*frame);
  if (request == nullptr) return;
  const absl::StatusOr<ClientFrame> again = DecodeClientFrame(EncodeRequest(
      request->number, request->method, request->path, json::serialize(request->data)));
  // Numbers past the range of double are written as what is read as an error.
  Require(!again.ok() || std::get<RequestFrame>(*again).path == request->path);
  // The content of a message being sent.
  if (const json::value* content = request->data.if_contains("content")) {
    const absl::StatusOr<std::vector<ContentBlock>> blocks = DecodeContent(*content);
    if (blocks.ok()) PlainText(*blocks);
  }
}

}  // namespace
}  // namespace talkjsd::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  talkjsd::wire::CheckServerFrame(text);
  talkjsd::wire::CheckClientFrame(text);
  return 0;
}
