#include "daemon/upstream/call.h"

#include <boost/json.hpp>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/wire/frame.h"
#include "daemon/wire/json.h"
#include "daemon/wire/path.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace json = boost::json;
namespace v1 = talkjs::sidecar::v1;
using wire::JoinPath;

struct Known {
  absl::StatusCode code;
  v1::ErrorReason reason;
  const char* advice;
};

// What a final answer means for the caller. Codes are looked at only where they make a difference
// (realtime.md 9 #1).
Known Classify(int status, std::string_view code) {
  using absl::StatusCode;
  switch (status) {
    case 400:
      return {StatusCode::kInvalidArgument, v1::ERROR_REASON_UPSTREAM_REFUSED,
              "correct the request"};
    case 401:
      return {StatusCode::kFailedPrecondition, v1::ERROR_REASON_TOKEN_REFUSED,
              "check the app id and the credentials"};
    case 403:
      if (code == "NOT_A_PARTICIPANT") {
        return {StatusCode::kPermissionDenied, v1::ERROR_REASON_NOT_A_PARTICIPANT,
                "join the conversation first"};
      }
      return {StatusCode::kPermissionDenied, v1::ERROR_REASON_PERMISSION_REFUSED,
              "check the user's access in TalkJS"};
    case 404:
      if (code == "MESSAGE_NOT_FOUND") {
        return {StatusCode::kNotFound, v1::ERROR_REASON_MESSAGE_NOT_FOUND, "check the message id"};
      }
      if (code == "USER_NOT_FOUND") {
        return {StatusCode::kNotFound, v1::ERROR_REASON_USER_NOT_FOUND,
                "create the user first, or check the id"};
      }
      return {StatusCode::kNotFound, v1::ERROR_REASON_CONVERSATION_NOT_FOUND,
              "create the conversation first, or check the id"};
    case 405:
      return {StatusCode::kFailedPrecondition, v1::ERROR_REASON_UPSTREAM_REFUSED,
              "check that TalkJS has this call"};
    case 409:
      return {StatusCode::kAlreadyExists, v1::ERROR_REASON_UPSTREAM_REFUSED, "it exists already"};
    case 402:
      return {StatusCode::kFailedPrecondition, v1::ERROR_REASON_UPSTREAM_REFUSED,
              "check the TalkJS plan"};
    case 429:
      return {StatusCode::kResourceExhausted, v1::ERROR_REASON_UPSTREAM_RATE_LIMITED,
              "slow down and try again"};
    default:
      return {StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE, "try again later"};
  }
}

absl::Status Malformed(std::string_view what, const absl::Status& why) {
  return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR,
                   std::string(what) + ": TalkJS's answer was not understood (" +
                       std::string(MessageOf(why)) + "); report it with this text");
}

json::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool IsAbsence(const Reply& reply) {
  if (reply.status == 404) return true;
  return reply.status == 403 && wire::DecodeErrorData(*reply.data).code == "NOT_A_PARTICIPANT";
}

template <typename T, typename Decode>
absl::StatusOr<Page<T>> ParsePage(const Reply& reply, std::string_view what, Decode decode) {
  const json::object* object = reply.data->if_object();
  const json::value* data = object != nullptr ? object->if_contains("data") : nullptr;
  if (data == nullptr || !data->is_array()) {
    return Malformed(what, absl::InvalidArgumentError("data: not an array"));
  }
  Page<T> page;
  for (const json::value& item : data->get_array()) {
    auto decoded = decode(item);
    if (!decoded.ok()) return Malformed(what, decoded.status());
    page.items.push_back(*std::move(decoded));
  }
  const json::value* cursor = object->if_contains("cursor");
  if (cursor != nullptr && cursor->is_string()) page.cursor = std::string(cursor->get_string());
  // A page without items cannot be followed for ever.
  if (page.items.empty()) page.cursor.reset();
  return page;
}

json::value CustomPatchValue(const wire::Patch<wire::CustomPatch>& patch) {
  if (!patch.value.has_value()) return nullptr;
  json::object object;
  for (const auto& [key, value] : *patch.value) {
    if (value.has_value()) {
      object[key] = *value;
    } else {
      object[key] = nullptr;
    }
  }
  return object;
}

void PutText(json::object& data, const char* name, const wire::Patch<std::string>& patch) {
  if (!patch.present) return;
  if (patch.value.has_value()) {
    data[name] = *patch.value;
  } else {
    data[name] = nullptr;
  }
}

void PutList(json::object& data, const char* name,
             const wire::Patch<std::vector<std::string>>& patch) {
  if (!patch.present) return;
  if (patch.value.has_value()) {
    data[name] = json::array(patch.value->begin(), patch.value->end());
  } else {
    data[name] = nullptr;
  }
}

// The answers to a batch of `count` actions, one each.
absl::StatusOr<std::vector<Reply>> ParseActions(const Reply& reply, size_t count,
                                                std::string_view what) {
  const json::object* object = reply.data->if_object();
  const json::value* responses = object != nullptr ? object->if_contains("responses") : nullptr;
  if (responses == nullptr || !responses->is_array() || responses->get_array().size() != count) {
    return Malformed(what, absl::InvalidArgumentError("responses: not one for each action"));
  }
  std::vector<Reply> replies;
  for (const json::value& response : responses->get_array()) {
    const json::object* entry = response.if_object();
    const json::value* status = entry != nullptr ? entry->if_contains("status") : nullptr;
    if (status == nullptr || !status->is_int64()) {
      return Malformed(what, absl::InvalidArgumentError("status: not an integer"));
    }
    replies.push_back(
        {static_cast<int>(status->get_int64()), std::make_shared<json::value>(response)});
  }
  return replies;
}

bool IsRefusal(const Reply& reply, std::string_view code) {
  return reply.status == 403 && wire::DecodeErrorData(*reply.data).code == code;
}

}  // namespace

absl::Status UpstreamUnavailable(std::string_view message) {
  return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE, message);
}

Request ListConversations(int limit, ConversationFilter filter) {
  json::object data;
  data["limit"] = limit;
  json::object& where = data["filter"].emplace_object();
  if (filter == ConversationFilter::kUnreadOnly) where["isUnread"] = true;
  return {"GET", "/me/conversations", json::serialize(data)};
}

Request ListConversationsAfter(int limit, std::string_view cursor) {
  json::object data;
  data["limit"] = limit;
  data["cursor"] = View(cursor);
  return {"GET", "/me/conversations", json::serialize(data)};
}

absl::StatusOr<Page<wire::Conversation>> ParseConversations(const Reply& reply) {
  constexpr std::string_view kWhat = "listing conversations";
  if (reply.status == 404) return Page<wire::Conversation>{};
  if (reply.status != 200) return ParseDone(reply, kWhat);
  return ParsePage<wire::Conversation>(reply, kWhat, wire::DecodeConversation);
}

Request GetConversation(std::string_view conversation_id) {
  return {"GET", JoinPath({"me", "conversations", conversation_id})};
}

absl::StatusOr<std::optional<wire::Conversation>> ParseConversation(const Reply& reply) {
  constexpr std::string_view kWhat = "reading the conversation";
  if (IsAbsence(reply)) return std::optional<wire::Conversation>();
  if (reply.status != 200) return ParseDone(reply, kWhat);
  auto decoded = wire::DecodeConversation(*reply.data);
  if (!decoded.ok()) return Malformed(kWhat, decoded.status());
  return std::optional<wire::Conversation>(*std::move(decoded));
}

Request MarkRead(std::string_view conversation_id) {
  return {"POST", JoinPath({"me", "conversations", conversation_id, "read"})};
}

Request MarkUnread(std::string_view conversation_id) {
  return {"POST", JoinPath({"me", "conversations", conversation_id, "unread"})};
}

Request CreateConversation(std::string_view conversation_id) {
  return {"POST", JoinPath({"conversations", conversation_id})};
}

Request JoinConversation(std::string_view conversation_id, std::string_view user_id) {
  json::object action;
  action["id"] = View(user_id);
  action["method"] = "POST";
  action["params"].emplace_object();
  json::object data;
  data["actions"].emplace_array().push_back(std::move(action));
  return {"POST", JoinPath({"conversations", conversation_id, "participants"}),
          json::serialize(data)};
}

Request SetConversation(std::string_view conversation_id, const ConversationWrite& write) {
  json::object data;
  PutText(data, "subject", write.subject);
  PutText(data, "photoUrl", write.photo_url);
  PutList(data, "welcomeMessages", write.welcome_messages);
  if (write.custom.present) data["custom"] = CustomPatchValue(write.custom);
  return {"PUT", JoinPath({"conversations", conversation_id}), json::serialize(data)};
}

absl::Status ParseConversationSet(const Reply& reply, const ConversationWrite& write) {
  if (write == ConversationWrite() && IsRefusal(reply, "UNAUTHORIZED_TO_EDIT")) {
    return absl::OkStatus();
  }
  return ParseDone(reply, "writing the conversation");
}

Request SetParticipants(std::string_view conversation_id,
                        const std::vector<ParticipantWrite>& participants) {
  json::object data;
  json::array& actions = data["actions"].emplace_array();
  for (const ParticipantWrite& participant : participants) {
    json::object params;
    if (participant.access.has_value()) params["access"] = wire::EncodeAccess(*participant.access);
    if (participant.notify.has_value()) params["notify"] = wire::EncodeNotify(*participant.notify);
    actions.push_back(
        json::object{{"id", participant.user_id}, {"method", "PUT"}, {"params", params}});
  }
  return {"POST", JoinPath({"conversations", conversation_id, "participants"}),
          json::serialize(data)};
}

absl::Status ParseParticipantsSet(const Reply& reply,
                                  const std::vector<ParticipantWrite>& participants) {
  constexpr std::string_view kWhat = "writing the participants";
  if (reply.status != 200) return ParseDone(reply, kWhat);
  const auto replies = ParseActions(reply, participants.size(), kWhat);
  if (!replies.ok()) return replies.status();
  for (size_t i = 0; i < participants.size(); ++i) {
    const ParticipantWrite& participant = participants[i];
    const bool nothing_to_edit = !participant.access.has_value() && !participant.notify.has_value();
    if (nothing_to_edit && IsRefusal((*replies)[i], "UNAUTHORIZED_TO_EDIT_PARTICIPANT")) continue;
    const absl::Status done =
        ParseDone((*replies)[i], "writing the participant \"" + participant.user_id + "\"");
    if (!done.ok()) return done;
  }
  return absl::OkStatus();
}

Request ListMessages(std::string_view conversation_id, int limit, std::string_view cursor) {
  json::object data;
  data["limit"] = limit;
  if (!cursor.empty()) data["cursor"] = View(cursor);
  return {"GET", JoinPath({"me", "conversations", conversation_id, "messages"}),
          json::serialize(data)};
}

absl::StatusOr<std::optional<Page<wire::Message>>> ParseMessages(const Reply& reply) {
  constexpr std::string_view kWhat = "listing messages";
  if (IsAbsence(reply)) return std::optional<Page<wire::Message>>();
  if (reply.status != 200) return ParseDone(reply, kWhat);
  auto page = ParsePage<wire::Message>(reply, kWhat, wire::DecodeMessage);
  if (!page.ok()) return page.status();
  return std::optional<Page<wire::Message>>(*std::move(page));
}

Request GetMessage(std::string_view conversation_id, std::string_view message_id) {
  return {"GET", JoinPath({"me", "conversations", conversation_id, "messages", message_id})};
}

absl::StatusOr<std::optional<wire::Message>> ParseMessage(const Reply& reply) {
  constexpr std::string_view kWhat = "reading the message";
  if (IsAbsence(reply)) return std::optional<wire::Message>();
  if (reply.status != 200) return ParseDone(reply, kWhat);
  auto decoded = wire::DecodeMessage(*reply.data);
  if (!decoded.ok()) return Malformed(kWhat, decoded.status());
  return std::optional<wire::Message>(*std::move(decoded));
}

Request SendMessage(std::string_view conversation_id, const OutgoingMessage& message) {
  json::object data;
  data["content"] = wire::EncodeContent(message.content);
  if (message.referenced_message_id.has_value()) {
    data["referencedMessageId"] = *message.referenced_message_id;
  }
  if (!message.custom.empty()) data["custom"] = wire::EncodeCustom(message.custom);
  data["idempotencyKey"] = message.idempotency_key;
  return {"POST", JoinPath({"conversations", conversation_id, "messages"}), json::serialize(data)};
}

absl::StatusOr<std::string> ParseSentMessage(const Reply& reply) {
  constexpr std::string_view kWhat = "sending the message";
  if (reply.status != 200) return ParseDone(reply, kWhat);
  const json::object* object = reply.data->if_object();
  const json::value* id = object != nullptr ? object->if_contains("id") : nullptr;
  if (id == nullptr || !id->is_string()) {
    return Malformed(kWhat, absl::InvalidArgumentError("id: not a string"));
  }
  return std::string(id->get_string());
}

Request GetUsers(const std::vector<std::string>& ids) {
  json::object data;
  data["ids"] = json::array(ids.begin(), ids.end());
  data["includePrivateFields"] = false;
  return {"GET", "/users", json::serialize(data)};
}

absl::StatusOr<std::map<std::string, wire::User>> ParseUsers(const Reply& reply) {
  constexpr std::string_view kWhat = "reading users";
  if (reply.status != 200) return ParseDone(reply, kWhat);
  const json::object* object = reply.data->if_object();
  if (object == nullptr) return Malformed(kWhat, absl::InvalidArgumentError("not an object"));
  std::map<std::string, wire::User> users;
  for (const auto& entry : *object) {
    if (entry.value().is_null()) continue;
    auto user = wire::DecodeUser(entry.value());
    if (!user.ok()) return Malformed(kWhat, user.status());
    users.emplace(std::string(entry.key()), *std::move(user));
  }
  return users;
}

Request SetUser(std::string_view user_id, const UserWrite& user) {
  json::object data;
  if (user.name.has_value()) data["name"] = *user.name;
  if (user.custom.present) data["custom"] = CustomPatchValue(user.custom);
  PutText(data, "locale", user.locale);
  PutText(data, "photoUrl", user.photo_url);
  PutText(data, "role", user.role);
  PutText(data, "welcomeMessage", user.welcome_message);
  PutList(data, "email", user.email);
  PutList(data, "phone", user.phone);
  return {"PUT", JoinPath({"users", user_id}), json::serialize(data)};
}

Request SetPushDevice(std::string_view user_id, const PushDevice& device, bool registered) {
  std::string key = device.provider == PushProvider::kFcm ? "fcm:" : "apns:";
  key.append(device.registration_id.Expose());
  json::object data;
  json::value& state = data["pushTokens"].emplace_object()[key];
  if (registered) state = true;
  return {"PUT", JoinPath({"users", user_id}), json::serialize(data)};
}

Request ClearPushDevices(std::string_view user_id) {
  return {"PUT", JoinPath({"users", user_id}), R"({"pushTokens":null})"};
}

absl::Status ParseDone(const Reply& reply, std::string_view what, int also_ok) {
  if (reply.status == 200 || reply.status == also_ok) return absl::OkStatus();
  const wire::ErrorData error = wire::DecodeErrorData(*reply.data);
  const Known known = Classify(reply.status, error.code);
  std::string message(what);
  message += " failed: TalkJS answered " + std::to_string(reply.status);
  if (!error.code.empty()) message += " " + error.code;
  const char* separator = " (";
  for (const std::string& reason : error.reasons) {
    message += separator + reason;
    separator = "; ";
  }
  if (!error.reasons.empty()) message += ")";
  message += "; ";
  message += known.advice;
  absl::Status status = WithMetadata(MakeError(known.code, known.reason, message), "status",
                                     std::to_string(reply.status));
  return error.code.empty() ? status : WithMetadata(std::move(status), "error_code", error.code);
}

absl::Status ParseJoined(const Reply& reply) {
  constexpr std::string_view kWhat = "joining the conversation";
  if (reply.status != 200) return ParseDone(reply, kWhat);
  const auto replies = ParseActions(reply, 1, kWhat);
  if (!replies.ok()) return replies.status();
  return ParseDone(replies->front(), kWhat, 409);
}

}  // namespace talkjsd::upstream
