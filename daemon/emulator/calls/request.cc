#include "daemon/emulator/calls/request.h"

#include <absl/strings/escaping.h>

#include <algorithm>

#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

absl::Status Wrong(std::string_view name, std::string_view expected) {
  return BadField(name, "expected " + std::string(expected));
}

// Reads properties of one object one after another; the first thing wrong is kept, the rest is then
// skipped.
class Reader {
 public:
  explicit Reader(const json::object& data) : data_(data) {}

  const absl::Status& status() const { return status_; }

  void Text(std::string_view name, std::optional<std::string>& into) {
    const json::value* value = Next(name);
    if (value == nullptr) return;
    if (!value->is_string()) return Fail(name, "text");
    into = std::string(value->get_string());
  }

  void Text(std::string_view name, wire::Patch<std::string>& into) {
    const json::value* value = Next(name);
    if (value == nullptr) return;
    if (value->is_null()) {
      into = wire::Patch<std::string>::Null();
    } else if (value->is_string()) {
      into = wire::Patch<std::string>::Of(std::string(value->get_string()));
    } else {
      Fail(name, "text or null");
    }
  }

  void Texts(std::string_view name, wire::Patch<std::vector<std::string>>& into) {
    const json::value* value = Next(name);
    if (value == nullptr) return;
    if (value->is_null()) {
      into = wire::Patch<std::vector<std::string>>::Null();
      return;
    }
    auto list = TextList(data_, name);
    if (!list.ok()) {
      status_ = list.status();
    } else {
      into = wire::Patch<std::vector<std::string>>::Of(*std::move(list));
    }
  }

  void Custom(wire::Patch<wire::CustomPatch>& into) {
    const json::value* value = Next("custom");
    if (value == nullptr) return;
    auto custom = wire::DecodeCustomPatch(*value);
    if (!custom.ok()) return Fail("custom", "an object of texts and nulls");
    into = *std::move(custom);
  }

  void PushTokens(wire::Patch<std::map<std::string, bool>>& into) {
    const json::value* value = Next("pushTokens");
    if (value == nullptr) return;
    into = wire::Patch<std::map<std::string, bool>>::Null();
    if (value->is_null()) return;
    const json::object* object = value->if_object();
    if (object == nullptr) return Fail("pushTokens", "an object or null");
    into.value.emplace();
    for (const auto& token : *object) {
      const std::string_view key(token.key().data(), token.key().size());
      const json::value& registered = token.value();
      const bool known = key.starts_with("fcm:") || key.starts_with("apns:");
      if (!known || !(registered.is_null() || registered == json::value(true))) {
        return Fail("pushTokens", "\"fcm:...\" or \"apns:...\" with true or null");
      }
      into.value->emplace(key, !registered.is_null());
    }
  }

  template <typename T, typename Decode>
  void Decoded(std::string_view name, wire::Patch<T>& into, Decode decode,
               std::string_view expected) {
    const json::value* value = Next(name);
    if (value == nullptr) return;
    if (value->is_null()) {
      into = wire::Patch<T>::Null();
      return;
    }
    auto decoded = decode(*value);
    if (!decoded.ok()) return Fail(name, expected);
    into = wire::Patch<T>::Of(*std::move(decoded));
  }

  void Content(std::optional<std::vector<wire::ContentBlock>>& into) {
    const json::value* value = Next("content");
    if (value == nullptr) return;
    auto content = wire::DecodeContent(*value);
    if (!content.ok()) {
      status_ = BadField("content", std::string(content.status().message()));
      return;
    }
    into = *std::move(content);
  }

 private:
  const json::value* Next(std::string_view name) const {
    return status_.ok() ? Find(data_, name) : nullptr;
  }
  void Fail(std::string_view name, std::string_view expected) { status_ = Wrong(name, expected); }

  const json::object& data_;
  absl::Status status_;
};

}  // namespace

const json::value* Find(const json::object& data, std::string_view name) {
  return data.if_contains(json::string_view(name.data(), name.size()));
}

absl::StatusOr<std::string> RequiredText(const json::object& data, std::string_view name) {
  const json::value* value = Find(data, name);
  if (value == nullptr || !value->is_string()) return Wrong(name, "text");
  return std::string(value->get_string());
}

absl::StatusOr<std::vector<std::string>> TextList(const json::object& data, std::string_view name) {
  const json::value* value = Find(data, name);
  const json::array* array = value == nullptr ? nullptr : value->if_array();
  if (array == nullptr) return Wrong(name, "a list of texts");
  std::vector<std::string> list;
  for (const json::value& item : *array) {
    if (!item.is_string()) return Wrong(name, "a list of texts");
    list.emplace_back(item.get_string());
  }
  return list;
}

absl::StatusOr<UserWrite> ReadUserWrite(const json::object& data) {
  UserWrite write;
  Reader reader(data);
  reader.Text("name", write.name);
  reader.Custom(write.custom);
  reader.Text("locale", write.locale);
  reader.Text("photoUrl", write.photo_url);
  reader.Text("role", write.role);
  reader.Text("welcomeMessage", write.welcome_message);
  reader.Texts("email", write.email);
  reader.Texts("phone", write.phone);
  reader.PushTokens(write.push_tokens);
  if (!reader.status().ok()) return reader.status();
  return write;
}

absl::StatusOr<ConversationWrite> ReadConversationWrite(const json::object& data) {
  ConversationWrite write;
  Reader reader(data);
  reader.Text("subject", write.subject);
  reader.Text("photoUrl", write.photo_url);
  reader.Texts("welcomeMessages", write.welcome_messages);
  reader.Custom(write.custom);
  if (!reader.status().ok()) return reader.status();
  return write;
}

absl::StatusOr<ParticipantWrite> ReadParticipantWrite(const json::object& data) {
  ParticipantWrite write;
  Reader reader(data);
  reader.Decoded("access", write.access, wire::DecodeAccess, "\"ReadWrite\", \"Read\" or null");
  reader.Decoded("notify", write.notify, wire::DecodeNotify,
                 "true, false, \"MentionsOnly\" or null");
  if (!reader.status().ok()) return reader.status();
  return write;
}

absl::StatusOr<NewMessage> ReadNewMessage(const json::object& data) {
  NewMessage message;
  Reader reader(data);
  std::optional<std::vector<wire::ContentBlock>> content;
  std::optional<std::string> key;
  wire::Patch<wire::CustomPatch> custom;
  wire::Patch<std::string> referenced;
  reader.Content(content);
  reader.Custom(custom);
  reader.Text("referencedMessageId", referenced);
  reader.Text("idempotencyKey", key);
  if (!reader.status().ok()) return reader.status();
  if (!content) return Wrong("content", "a list of blocks");
  message.content = *std::move(content);
  wire::ApplyCustom(custom, message.custom);
  message.referenced_message_id = std::move(referenced.value);
  message.idempotency_key = std::move(key).value_or("");
  return message;
}

absl::StatusOr<MessageWrite> ReadMessageWrite(const json::object& data) {
  MessageWrite write;
  Reader reader(data);
  reader.Content(write.content);
  reader.Custom(write.custom);
  if (!reader.status().ok()) return reader.status();
  return write;
}

absl::StatusOr<size_t> ReadLimit(const json::object& data, size_t preset, size_t bound) {
  const json::value* value = Find(data, "limit");
  if (value == nullptr) return preset;
  if (!value->is_int64() || value->get_int64() < 1) return Wrong("limit", "a number from 1 on");
  return static_cast<size_t>(std::min<int64_t>(value->get_int64(), static_cast<int64_t>(bound)));
}

std::string EncodeCursor(const json::array& parts) {
  return absl::WebSafeBase64Escape(json::serialize(parts));
}

absl::StatusOr<std::optional<json::array>> ReadCursor(const json::object& data) {
  const json::value* value = Find(data, "cursor");
  if (value == nullptr || value->is_null()) return std::optional<json::array>();
  std::string text;
  if (!value->is_string() ||
      !absl::WebSafeBase64Unescape(std::string(value->get_string()), &text)) {
    return Wrong("cursor", "the cursor of an earlier page");
  }
  auto parts = wire::ParseJson(text);
  if (!parts.ok() || !parts->is_array()) return Wrong("cursor", "the cursor of an earlier page");
  return std::optional<json::array>(std::move(parts->get_array()));
}

absl::StatusOr<std::optional<std::pair<UnixMillis, std::string>>> ReadTimeAndId(
    const json::object& data) {
  using Position = std::pair<UnixMillis, std::string>;
  auto parts = ReadCursor(data);
  if (!parts.ok()) return parts.status();
  if (!parts->has_value()) return std::optional<Position>();
  const json::array& list = **parts;
  if (list.size() < 2 || !list[0].is_int64() || !list[1].is_string()) {
    return Wrong("cursor", "the cursor of an earlier page");
  }
  return std::optional<Position>(Position(list[0].get_int64(), list[1].get_string()));
}

json::object EncodePage(json::array items, bool more, const json::array& last) {
  json::object page;
  page["data"] = std::move(items);
  if (more) {
    page["cursor"] = EncodeCursor(last);
  } else {
    page["cursor"] = nullptr;
  }
  return page;
}

}  // namespace talkjsd::emulator
