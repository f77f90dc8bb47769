// The REST API's calls about messages and reactions, and the import of old messages.
#include <algorithm>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/content.h"
#include "daemon/emulator/model/emoji.h"
#include "daemon/emulator/model/files.h"
#include "daemon/emulator/refusal.h"
#include "daemon/emulator/rest/call.h"
#include "daemon/emulator/rest/json.h"
#include "daemon/wire/markup.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// --- reading ---

// nullptr if absent, null or empty.
const json::value* Given(const json::object& item, std::string_view name) {
  const json::value* value = Find(item, name);
  if (value == nullptr || value->is_null()) return nullptr;
  if (value->is_string() && value->get_string().empty()) return nullptr;
  if (value->is_array() && value->get_array().empty()) return nullptr;
  return value;
}

absl::StatusOr<std::optional<std::string>> GivenText(const json::object& item,
                                                     std::string_view name) {
  const json::value* value = Given(item, name);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return BadField(name, "expected text");
  return std::optional<std::string>(std::string(value->get_string()));
}

absl::StatusOr<std::vector<wire::ContentBlock>> ReadLocation(const json::value& location) {
  const json::array* pair = location.if_array();
  const bool numbers =
      pair != nullptr && pair->size() == 2 && pair->front().is_number() && pair->back().is_number();
  if (!numbers) return BadField("location", "expected [latitude, longitude]");
  std::vector<wire::ContentBlock> content(1);
  content[0].kind = wire::ContentBlock::Kind::kLocation;
  content[0].latitude = pair->front().to_number<double>();
  content[0].longitude = pair->back().to_number<double>();
  return content;
}

struct Content {
  std::vector<wire::ContentBlock> blocks;
  std::string markup;
};

// Blocks as they come from outside, made ready to be kept.
absl::Status Accept(const FileStore& files, std::vector<wire::ContentBlock>& blocks,
                    std::string_view field) {
  absl::Status status = ResolveFileTokens(files, blocks);
  if (status.ok()) status = CheckContent(blocks, ContentRules{.users_may_send_links = true});
  return status.ok() ? status : BadField(field, RefusalOf(status).reason);
}

// Exactly one of text, content, attachmentToken and location; nullopt if there is none of them.
absl::StatusOr<std::optional<Content>> ReadContent(const FileStore& files,
                                                   const json::object& item) {
  constexpr std::string_view kNames[] = {"text", "content", "attachmentToken", "location"};
  std::string_view name;
  for (const std::string_view candidate : kNames) {
    if (Given(item, candidate) == nullptr) continue;
    if (!name.empty()) {
      return BadField(candidate, "give only one of text, content, attachmentToken, location");
    }
    name = candidate;
  }
  if (name.empty()) return std::optional<Content>();
  const json::value& value = *Find(item, name);
  Content content;
  if (name == "content") {
    auto blocks = wire::DecodeContent(value);
    if (!blocks.ok()) return BadField(name, std::string(blocks.status().message()));
    content.blocks = *std::move(blocks);
  } else if (name == "location") {
    auto blocks = ReadLocation(value);
    if (!blocks.ok()) return blocks.status();
    content.blocks = *std::move(blocks);
  } else if (!value.is_string()) {
    return BadField(name, "expected text");
  } else if (name == "text") {
    content.markup = std::string(value.get_string());
    content.blocks.resize(1);
    content.blocks[0].children = wire::ParseMarkup(content.markup, wire::MarkupMode::kFull);
    return std::optional<Content>(std::move(content));
  } else {
    content.blocks.resize(1);
    content.blocks[0].kind = wire::ContentBlock::Kind::kFile;
    content.blocks[0].file.file_token = std::string(value.get_string());
  }
  if (auto status = Accept(files, content.blocks, name); !status.ok()) return status;
  return std::optional<Content>(std::move(content));
}

absl::Status ReadSender(const json::object& item, bool import, ServerMessage& message) {
  auto sender = GivenText(item, "sender");
  if (!sender.ok()) return sender.status();
  message.sender_id = *std::move(sender);
  const auto type = GivenText(item, "type");
  if (!type.ok()) return type.status();
  if (!*type && !import) return BadField("type", "is required: UserMessage or SystemMessage");
  const bool system = *type == "SystemMessage";
  if (system && import) return BadField("type", "only UserMessage can be imported");
  if (*type && !system && *type != "UserMessage") {
    return BadField("type", "expected UserMessage or SystemMessage");
  }
  if (system && message.sender_id) return BadField("type", "must be UserMessage with a sender");
  if (!system && !message.sender_id) return BadField("sender", "is required");
  for (const char* name : {"location", "referencedMessageId"}) {
    if (system && Given(item, name) != nullptr) {
      return BadField(name, "is for user messages only");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadImported(const json::object& item, ServerMessage& message) {
  const json::value* time = Given(item, "timestamp");
  if (time == nullptr) time = Given(item, "createdAt");
  if (time == nullptr) return BadField("timestamp", "is required");
  if (!time->is_int64() || time->get_int64() < 0) {
    return BadField("timestamp", "expected milliseconds since the epoch");
  }
  message.created_at = time->get_int64();
  if (Given(item, "readBy") == nullptr) return absl::OkStatus();
  const auto readers = TextList(item, "readBy");
  if (!readers.ok()) return readers.status();
  message.read_by = {readers->begin(), readers->end()};
  return absl::OkStatus();
}

absl::StatusOr<ServerMessage> ReadItem(const FileStore& files, const json::value& value,
                                       bool import) {
  if (!value.is_object()) return BadRequest("expected objects");
  const json::object& item = value.get_object();
  ServerMessage message;
  if (auto status = ReadSender(item, import, message); !status.ok()) return status;
  auto content = ReadContent(files, item);
  if (!content.ok()) return content.status();
  if (!content->has_value()) {
    return BadField("text", "one of text, content, attachmentToken, location is required");
  }
  message.message.content = std::move((*content)->blocks);
  message.message.markup = std::move((*content)->markup);
  if (const json::value* custom = Given(item, "custom")) {
    const auto patch = wire::DecodeCustomPatch(*custom);
    if (!patch.ok()) return BadField("custom", "expected an object of texts");
    wire::ApplyCustom(*patch, message.message.custom);
  }
  if (import) {
    if (auto status = ReadImported(item, message); !status.ok()) return status;
    return message;
  }
  auto referenced = GivenText(item, "referencedMessageId");
  if (!referenced.ok()) return referenced.status();
  message.message.referenced_message_id = *std::move(referenced);
  const auto key = GivenText(item, "idempotencyKey");
  if (!key.ok()) return key.status();
  message.message.idempotency_key = key->value_or("");
  if (message.message.idempotency_key.size() > kMaxIdempotencyKey) {
    return BadField("idempotencyKey", "255 characters at most");
  }
  return message;
}

// --- writing ---

// All items of the body, or the first thing wrong with them: nothing is stored then.
absl::StatusOr<std::vector<ServerMessage>> ReadItems(const RestCall& call, bool import) {
  const auto list = BodyList(call, kMaxRestMessages);
  if (!list.ok()) return list.status();
  if (!call.world().HasConversation(call.args[0])) return ConversationNotFound();
  std::vector<ServerMessage> messages;
  for (const json::value& item : **list) {
    auto message = ReadItem(call.app.files(), item, import);
    absl::Status status = message.status();
    if (message.ok()) status = call.world().CheckMessage(call.args[0], *message);
    if (!status.ok()) {
      const Refusal refusal = RefusalOf(status);
      if (refusal.field.empty()) return status;
      std::string_view reason = refusal.reason;
      reason.remove_prefix(refusal.field.size() + 2);
      return BadField(std::to_string(messages.size()) + "." + refusal.field, reason);
    }
    messages.push_back(*std::move(message));
  }
  return messages;
}

RestResult Store(const RestCall& call, bool import) {
  auto messages = ReadItems(call, import);
  if (!messages.ok()) return messages.status();
  json::array ids;
  for (ServerMessage& message : *messages) {
    const auto id = import ? call.world().ImportMessage(call.args[0], std::move(message))
                           : call.world().PostMessage(call.args[0], std::move(message));
    if (!id.ok()) return id.status();
    ids.push_back(json::object{{"id", *id}});
  }
  return json::value(std::move(ids));
}

RestResult PostMessages(const RestCall& call) { return Store(call, false); }

RestResult ImportMessages(const RestCall& call) { return Store(call, true); }

RestResult EditMessage(const RestCall& call) {
  const auto body = BodyObject(call);
  if (!body.ok()) return body.status();
  auto write = ReadMessageWrite(**body);
  if (!write.ok()) return write.status();
  for (const char* name : {"attachmentToken", "location"}) {
    if (Find(**body, name) != nullptr) return BadField(name, "cannot be edited");
  }
  auto content = ReadContent(call.app.files(), **body);
  if (!content.ok()) return content.status();
  write->content.reset();
  if (content->has_value()) {
    write->content = std::move((*content)->blocks);
    write->markup = std::move((*content)->markup);
  } else if (Find(**body, "text") != nullptr || Find(**body, "content") != nullptr) {
    return BadField("text", "a message cannot be made empty; DELETE it instead");
  }
  if (!write->content && !write->custom.present) {
    const bool exists = call.world().LookUpMessage(call.args[0], call.args[1]) != nullptr;
    return Done(exists ? absl::OkStatus() : MessageNotFound());
  }
  return Done(call.world().EditAnyMessage(call.args[0], call.args[1], *write));
}

RestResult DeleteMessage(const RestCall& call) {
  return Done(call.world().DeleteAnyMessage(call.args[0], call.args[1]));
}

// --- reading ---

RestResult GetMessage(const RestCall& call) {
  const ConversationRecord* conversation = call.world().LookUpConversation(call.args[0]);
  if (conversation == nullptr) return ConversationNotFound();
  const MessageRecord* record = call.world().LookUpMessage(call.args[0], call.args[1]);
  if (record == nullptr) return MessageNotFound();
  return json::value(EncodeRestMessage(call.world(), *conversation, *record));
}

RestResult ListMessages(const RestCall& call) {
  const ConversationRecord* conversation = call.world().LookUpConversation(call.args[0]);
  if (conversation == nullptr) return ConversationNotFound();
  const auto limit = LimitOf(call);
  if (!limit.ok()) return limit.status();
  const auto ascending = IsAscending(call);
  if (!ascending.ok()) return ascending.status();
  if (TextOf(call, "orderBy").value_or("createdAt") != "createdAt") {
    return BadField("orderBy", "expected createdAt");
  }
  const auto& messages = conversation->messages;
  auto begin = messages.begin();
  auto end = messages.end();
  if (const auto id = TextOf(call, "startingAfter")) {
    const MessageRecord* last = call.world().LookUpMessage(call.args[0], *id);
    if (last == nullptr) return BadField("startingAfter", "is not a message of the conversation");
    if (*ascending) {
      begin = messages.upper_bound(last->key);
    } else {
      end = messages.lower_bound(last->key);
    }
  }
  json::array items;
  while (begin != end && items.size() < *limit) {
    const MessageRecord& record = *ascending ? (begin++)->second : (--end)->second;
    items.push_back(EncodeRestMessage(call.world(), *conversation, record));
  }
  return EncodeList(std::move(items));
}

// --- reactions: conversation, message, emoji, user ---

RestResult SetReaction(const RestCall& call, bool present) {
  if (!IsReactionName(call.args[2])) return BadRequest("not an emoji");
  return Done(call.world().SetReaction(call.args[0], call.args[1], NormalizeEmoji(call.args[2]),
                                       call.args[3], present));
}

RestResult AddReaction(const RestCall& call) { return SetReaction(call, true); }

RestResult RemoveReaction(const RestCall& call) { return SetReaction(call, false); }

}  // namespace

void AddRestMessages(RestRouter& router) {
  router.Add("POST", "conversations/*/messages", PostMessages);
  router.Add("GET", "conversations/*/messages", ListMessages);
  router.Add("GET", "conversations/*/messages/*", GetMessage);
  router.Add("PUT", "conversations/*/messages/*", EditMessage);
  router.Add("PATCH", "conversations/*/messages/*", EditMessage);
  router.Add("DELETE", "conversations/*/messages/*", DeleteMessage);
  router.Add("PUT", "conversations/*/messages/*/reactions/*/*", AddReaction);
  router.Add("DELETE", "conversations/*/messages/*/reactions/*/*", RemoveReaction);
  router.Add("POST", "import/conversations/*/messages", ImportMessages);
  router.Add("POST", "import/conversation/*/messages", ImportMessages);
}

}  // namespace talkjsd::emulator
