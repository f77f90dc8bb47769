// Calls about messages, reactions and translations (realtime.md 6.5, 6.7 and 6.8).
#include <algorithm>
#include <cctype>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/calls/router.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/model/emoji.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/markup.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// What a user sends or edits, made ready to be kept.
absl::Status Accept(const Call& call, std::vector<wire::ContentBlock>& content) {
  if (auto status = ResolveFileTokens(call.files, content); !status.ok()) return status;
  return CheckContent(content, call.content_rules);
}

CallResult SendMessage(const Call& call) {
  auto message = ReadNewMessage(call.data);
  if (!message.ok()) return message.status();
  if (auto status = Accept(call, message->content); !status.ok()) return status;
  const auto id = call.world.SendMessage(call.caller, call.args[0], *std::move(message));
  if (!id.ok()) return id.status();
  return json::object{{"id", *id}};
}

CallResult EditMessage(const Call& call) {
  auto write = ReadMessageWrite(call.data);
  if (!write.ok()) return write.status();
  if (write->content) {
    if (auto status = Accept(call, *write->content); !status.ok()) return status;
  }
  const auto status = call.world.EditMessage(call.caller, call.args[0], call.args[1], *write);
  if (!status.ok()) return status;
  return json::object();
}

CallResult DeleteMessage(const Call& call) {
  const auto status = call.world.DeleteMessage(call.caller, call.args[0], call.args[1]);
  if (!status.ok()) return status;
  return json::object();
}

CallResult GetMessage(const Call& call) {
  const auto record = call.world.GetMessage(call.caller, call.args[0], call.args[1]);
  if (!record.ok()) return record.status();
  return wire::EncodeMessage(call.world.MessageFor(call.caller, **record));
}

CallResult ListMessages(const Call& call) {
  const auto limit = ReadLimit(call.data, kMessagePage, kMaxMessagePage);
  if (!limit.ok()) return limit.status();
  const auto cursor = ReadCursor(call.data);
  if (!cursor.ok()) return cursor.status();
  std::optional<MessageKey> before;
  if (cursor->has_value()) {
    const json::array& parts = **cursor;
    if (parts.size() != 2 || !parts[0].is_int64() || !parts[1].is_int64()) {
      return BadRequest("cursor: expected the cursor of an earlier page");
    }
    before = MessageKey{parts[0].get_int64(), static_cast<uint64_t>(parts[1].get_int64())};
  }
  const auto page = call.world.ListMessages(call.caller, call.args[0], *limit, before);
  if (!page.ok()) return page.status();
  json::array items;
  json::array last;
  for (const MessageRecord* record : page->items) {
    items.push_back(wire::EncodeMessage(call.world.MessageFor(call.caller, *record)));
    last = {record->key.created_at, static_cast<int64_t>(record->key.number)};
  }
  return EncodePage(std::move(items), page->more, last);
}

// A stand-in for a translation that tests can predict: the language, in bold, before the text, as
// markup. What is no text stays as it is.
json::object Translate(const std::vector<wire::ContentBlock>& content,
                       const std::string& language) {
  const bool text = content.size() == 1 && content.front().kind == wire::ContentBlock::Kind::kText;
  if (!text) return json::object{{"content", wire::EncodeContent(content)}};
  std::string markup("*");
  markup.append(language).append("* ").append(wire::MarkupOf(content.front().children));
  return json::object{{"markup", markup}};
}

// Of "en-US" only "en" counts, but Chinese is written in two ways.
std::string LanguageOf(const std::string& code) {
  return code == "zh-TW" ? code : code.substr(0, code.find('-'));
}

bool IsLanguage(std::string_view text) {
  return !text.empty() && std::isalpha(static_cast<unsigned char>(text.front())) != 0 &&
         std::all_of(text.begin(), text.end(),
                     [](unsigned char c) { return std::isalnum(c) || c == '-' || c == '_'; });
}

CallResult TranslateMessages(const Call& call) {
  const auto ids = TextList(call.data, "ids");
  if (!ids.ok()) return ids.status();
  if (ids->size() > kMaxTranslatedMessages) return BadRequest("ids: at most 100");
  const auto language = RequiredText(call.data, "lang");
  if (!language.ok()) return language.status();
  if (!IsLanguage(*language)) return BadRequest("lang: expected a language, such as fr");
  const auto side = call.world.GetConversation(call.caller, call.args[0]);
  if (!side.ok()) return side.status();
  json::object translations;
  for (const std::string& id : *ids) {
    const auto record = call.world.GetMessage(call.caller, call.args[0], id);
    if (!record.ok()) {
      translations[id] = nullptr;
      continue;
    }
    translations[id] = Translate((*record)->message.content, LanguageOf(*language));
  }
  return json::object{{"data", std::move(translations)}};
}

// Both take conversation, message, emoji, user; the user can only be the caller himself.
absl::Status CheckReaction(const Call& call) {
  if (call.args[3] != call.caller) {
    return Refuse(403, "UNAUTHORIZED_TO_REACT", "one can only react as oneself");
  }
  if (!IsReactionName(call.args[2])) return BadRequest("not an emoji");
  return absl::OkStatus();
}

CallResult AddReaction(const Call& call) {
  if (auto status = CheckReaction(call); !status.ok()) return status;
  const auto status =
      call.world.AddReaction(call.caller, call.args[0], call.args[1], NormalizeEmoji(call.args[2]));
  if (!status.ok()) return status;
  return json::object();
}

CallResult RemoveReaction(const Call& call) {
  if (auto status = CheckReaction(call); !status.ok()) return status;
  const auto status = call.world.RemoveReaction(call.caller, call.args[0], call.args[1],
                                                NormalizeEmoji(call.args[2]));
  if (!status.ok()) return status;
  return json::object();
}

CallResult ListReactions(const Call& call) {
  const auto limit = ReadLimit(call.data, kReactionPage, kMaxReactionPage);
  if (!limit.ok()) return limit.status();
  const auto after = ReadTimeAndId(call.data);
  if (!after.ok()) return after.status();
  const auto page = call.world.ListReactions(call.caller, call.args[0], call.args[1],
                                             NormalizeEmoji(call.args[2]), *limit, *after);
  if (!page.ok()) return page.status();
  json::array items;
  json::array last;
  for (const ReactionRecord& reaction : page->items) {
    items.push_back(json::object{{"userId", reaction.user_id}, {"createdAt", reaction.created_at}});
    last = {reaction.created_at, reaction.user_id};
  }
  return EncodePage(std::move(items), page->more, last);
}

}  // namespace

void AddMessageCalls(Router& router) {
  router.Add("POST", "conversations/*/messages", SendMessage);
  router.Add("PATCH", "conversations/*/messages/*", EditMessage);
  router.Add("DELETE", "conversations/*/messages/*", DeleteMessage);
  router.Add("GET", "me/conversations/*/messages", ListMessages);
  router.Add("GET", "me/conversations/*/messages/*", GetMessage);
  router.Add("GET", "me/conversations/*/translate", TranslateMessages);
  router.Add("PUT", "conversations/*/messages/*/reactions/*/*", AddReaction);
  router.Add("DELETE", "conversations/*/messages/*/reactions/*/*", RemoveReaction);
  router.Add("GET", "me/conversations/*/messages/*/reactions/*", ListReactions);
}

}  // namespace talkjsd::emulator
