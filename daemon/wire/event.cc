#include "daemon/wire/event.h"

#include <array>
#include <utility>

#include "daemon/wire/json_reader.h"

namespace talkjsd::wire {
namespace {

// `state` of a created entity. An id that the state lacks is taken from the event's own property
// `id_name`.
template <typename T>
absl::Status ReadState(const json::object& event, std::string_view id_name, T& out) {
  const json::value* state = event.if_contains("state");
  const json::object* object = state == nullptr ? nullptr : state->if_object();
  if (object == nullptr) return InProperty("state", TypeError("missing or not an object"));
  absl::Status status;
  const json::value* id = event.if_contains(id_name);
  if (id != nullptr && !object->contains("id")) {
    json::object complete(*object);
    complete["id"] = *id;
    status = ReadValue(json::value(std::move(complete)), out);
  } else {
    status = ReadValue(*state, out);
  }
  return status.ok() ? status : InProperty("state", status);
}

absl::Status ReadEvent(const json::object& event, UserCreated& out) {
  return ReadState(event, "userId", out.state);
}

absl::Status ReadEvent(const json::object& event, UserEdited& out) {
  ObjectReader reader(event);
  reader.Required("userId", out.user_id);
  reader.Required("diff", out.diff);
  return reader.status();
}

absl::Status ReadEvent(const json::object& event, SideCreated& out) {
  return ReadState(event, "conversationId", out.state);
}

absl::Status ReadEvent(const json::object& event, SideEdited& out) {
  ObjectReader reader(event);
  reader.Required("conversationId", out.conversation_id);
  reader.Required("diff", out.diff);
  return reader.status();
}

absl::Status ReadEvent(const json::object& event, SideDeleted& out) {
  ObjectReader reader(event);
  reader.Required("conversationId", out.conversation_id);
  return reader.status();
}

absl::Status ReadEvent(const json::object& event, MessageCreated& out) {
  ObjectReader reader(event);
  reader.Required("conversationId", out.conversation_id);
  if (!reader.status().ok()) return reader.status();
  return ReadState(event, "messageId", out.state);
}

absl::Status ReadEvent(const json::object& event, MessageEdited& out) {
  ObjectReader reader(event);
  reader.Required("conversationId", out.conversation_id);
  reader.Required("messageId", out.message_id);
  reader.Required("diff", out.diff);
  return reader.status();
}

absl::Status ReadEvent(const json::object& event, MessageDeleted& out) {
  ObjectReader reader(event);
  reader.Required("conversationId", out.conversation_id);
  reader.Required("messageId", out.message_id);
  reader.ReadPatch("newLastMessage", out.new_last_message);
  return reader.status();
}

absl::Status ReadEvent(const json::object& event, ConversationCleared& out) {
  ObjectReader reader(event);
  reader.Required("conversationId", out.conversation_id);
  return reader.status();
}

struct MembershipDiff {
  std::optional<Access> access;
  std::optional<Notify> notify;
};

absl::Status ReadValue(const json::value& value, MembershipDiff& out) {
  ObjectReader reader(value);
  reader.IfPresent("access", out.access);
  reader.IfPresent("notify", out.notify);
  return reader.status();
}

absl::Status ReadEvent(const json::object& event, ParticipantEdited& out) {
  ObjectReader reader(event);
  MembershipDiff diff;
  reader.Required("conversationId", out.conversation_id);
  reader.Required("userId", out.user_id);
  reader.Required("diff", diff);
  out.access = diff.access;
  out.notify = diff.notify;
  return reader.status();
}

absl::Status ReadEvent(const json::object&, SessionExpired&) { return absl::OkStatus(); }
absl::Status ReadEvent(const json::object&, UpstreamRestarting&) { return absl::OkStatus(); }

template <typename T>
absl::StatusOr<Event> DecodeAs(const json::object& event) {
  T out;
  if (absl::Status status = ReadEvent(event, out); !status.ok()) return status;
  return Event(std::move(out));
}

struct EventType {
  std::string_view name;
  absl::StatusOr<Event> (*decode)(const json::object&);
};

constexpr std::array<EventType, 13> kEventTypes = {{
    {"message.created", DecodeAs<MessageCreated>},
    {"side.edited", DecodeAs<SideEdited>},
    {"conversation.edited", DecodeAs<SideEdited>},
    {"message.edited", DecodeAs<MessageEdited>},
    {"message.deleted", DecodeAs<MessageDeleted>},
    {"side.created", DecodeAs<SideCreated>},
    {"side.deleted", DecodeAs<SideDeleted>},
    {"conversation.cleared", DecodeAs<ConversationCleared>},
    {"participant.edited", DecodeAs<ParticipantEdited>},
    {"user.created", DecodeAs<UserCreated>},
    {"user.edited", DecodeAs<UserEdited>},
    {"session.expired", DecodeAs<SessionExpired>},
    {"upstream.restarting", DecodeAs<UpstreamRestarting>},
}};

}  // namespace

absl::StatusOr<Event> DecodeEvent(const json::object& event) {
  ObjectReader reader(event);
  std::string type;
  reader.Required("type", type);
  if (!reader.status().ok()) return reader.status();
  for (const EventType& known : kEventTypes) {
    if (type != known.name) continue;
    absl::StatusOr<Event> decoded = known.decode(event);
    if (!decoded.ok()) return InProperty(type, decoded.status());
    return decoded;
  }
  return Event(OtherEvent{std::move(type)});
}

}  // namespace talkjsd::wire
