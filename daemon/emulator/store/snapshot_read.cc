// Documents into records.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/base/random.h"
#include "daemon/emulator/store/document.h"
#include "daemon/emulator/store/record_json.h"
#include "daemon/emulator/store/snapshot.h"
#include "daemon/wire/ids.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// Times that a document leaves out: conversations are made, and joined, so long before their first
// message; messages come so long one after another, the last one now.
constexpr UnixMillis kBeforeFirstMessage = int64_t{24} * 60 * 60 * 1000;
constexpr UnixMillis kBetweenMessages = 1000;

// Every joining of the app has a millisecond of its own.
class JoinTimes {
 public:
  void Take(UnixMillis time) { next_.emplace(time, time + 1); }
  // The first free one from `time` on.
  UnixMillis Find(UnixMillis time) {
    std::vector<UnixMillis> passed;
    for (auto found = next_.find(time); found != next_.end(); found = next_.find(time)) {
      passed.push_back(time);
      time = found->second;
    }
    for (const UnixMillis one : passed) next_[one] = time + 1;
    Take(time);
    return time;
  }

 private:
  std::unordered_map<UnixMillis, UnixMillis> next_;  // of a taken one: one that may be free
};

// The same for the same conversation, place and content.
std::string MadeUpId(const std::string& conversation_id, size_t index, const json::value& message) {
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  const auto mix = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  };
  mix(conversation_id);
  mix(json::serialize(json::array{index, message}));
  SeededRandom random(hash);
  return wire::MessageId(random);
}

bool Has(const json::value& value, std::string_view name) {
  const json::object* object = value.if_object();
  return object != nullptr && object->contains(json::string_view(name.data(), name.size()));
}

class DocumentReader {
 public:
  // `world`: what the document is merged with, or nullptr.
  DocumentReader(const World* world, UnixMillis now) : world_(world), now_(now) {
    if (world_ == nullptr) return;
    next_number_ = world_->next_message_number();
    world_->ForEachConversation([this](const ConversationRecord& conversation) {
      existing_.emplace(conversation.id, &conversation);
      for (const auto& [id, participant] : conversation.participants) {
        join_times_.Take(participant.joined_at);
      }
    });
  }

  absl::StatusOr<WorldRecords> Read(const json::object& document);

 private:
  using ReadOne = absl::Status (DocumentReader::*)(const std::string& id, const json::value& value,
                                                   const Place& place);
  // Calls `read` for every entry of an object; nullptr is an empty one.
  absl::Status ReadAll(const json::value* all, const Place& place, ReadOne read);
  absl::Status ReadUser(const std::string& id, const json::value& value, const Place& place);
  absl::Status ReadConversation(const std::string& id, const json::value& value,
                                const Place& place);
  absl::Status ReadMessages(const json::value& value, const Place& place,
                            ConversationRecord& conversation);
  absl::StatusOr<MessageKey> ReadMessage(const json::value& value, const Place& place,
                                         UnixMillis time, const std::string& made_up_id,
                                         ConversationRecord& conversation);
  absl::Status CheckMessage(const json::value& value, const Place& place,
                            const MessageRecord& record, const MessageKeys& keys) const;
  absl::Status ReadSides(const json::value* value, const Place& place, bool has_messages,
                         ConversationRecord& conversation);
  absl::Status ReadKeys(const json::value* value, const Place& place);

  absl::Status CheckUser(const std::string& id, const Place& place) const {
    if (records_.users.contains(id)) return absl::OkStatus();
    if (world_ != nullptr && world_->FindUser(id) != nullptr) return absl::OkStatus();
    return place.Wrong("there is no such user: " + id);
  }

  const World* const world_;
  const UnixMillis now_;
  std::unordered_map<std::string_view, const ConversationRecord*> existing_;
  JoinTimes join_times_;
  uint64_t next_number_ = 1;
  WorldRecords records_;
  std::unordered_map<std::string, std::string> conversation_of_;  // by message id, of the document
};

absl::StatusOr<WorldRecords> DocumentReader::Read(const json::object& document) {
  const json::value value(document);
  const Place root;
  ObjectReader reader(value, root);
  int64_t format = 0;
  reader.Number("format", format);
  static_assert(kSnapshotFormat == 1);
  if (reader.ok() && format != kSnapshotFormat) {
    reader.Fail("format", "1, the only format that there is");
  }
  const json::value* users = reader.Take("users");
  const json::value* conversations = reader.Take("conversations");
  const json::value* keys = reader.Take("idempotencyKeys");
  absl::Status status = reader.Finish();
  if (status.ok()) status = ReadAll(users, Place(root, "users"), &DocumentReader::ReadUser);
  if (status.ok()) {
    status =
        ReadAll(conversations, Place(root, "conversations"), &DocumentReader::ReadConversation);
  }
  if (status.ok()) status = ReadKeys(keys, Place(root, "idempotencyKeys"));
  if (!status.ok()) return status;
  return std::move(records_);
}

absl::Status DocumentReader::ReadAll(const json::value* all, const Place& place, ReadOne read) {
  if (all == nullptr) return absl::OkStatus();
  if (!all->is_object()) return place.Wrong("expected an object, by id");
  for (const json::key_value_pair& entry : all->get_object()) {
    const std::string id(entry.key());
    const Place here(place, id);
    if (id.empty()) return here.Wrong("an id cannot be empty");
    if (absl::Status status = (this->*read)(id, entry.value(), here); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status DocumentReader::ReadUser(const std::string& id, const json::value& value,
                                      const Place& place) {
  UserRecord user;
  const UserRecord* old = world_ == nullptr ? nullptr : world_->FindUser(id);
  if (old != nullptr) {
    user = *old;
  } else {
    user.shown.id = user.shown.name = id;
    user.shown.role.assign("default");
    user.created_at = now_;
  }
  if (absl::Status status = ReadRecord(value, place, user); !status.ok()) return status;
  if (old == nullptr || EncodeRecord(user) != EncodeRecord(*old)) {
    records_.users[id] = std::move(user);
  }
  return absl::OkStatus();
}

absl::Status DocumentReader::ReadConversation(const std::string& id, const json::value& value,
                                              const Place& place) {
  const auto found = existing_.find(id);
  const ConversationRecord* old = found == existing_.end() ? nullptr : found->second;
  ConversationRecord conversation;
  if (old != nullptr) conversation = *old;
  conversation.id = id;
  ObjectReader reader(value, place);
  const json::value* messages = reader.Take("messages");
  const json::value* participants = reader.Take("participants");
  const json::value* shut_out = reader.Take("shutOut");
  if (messages != nullptr) {
    absl::Status status = ReadMessages(*messages, Place(place, "messages"), conversation);
    if (!status.ok()) return status;
  }
  if (old == nullptr) {
    const auto& all = conversation.messages;
    const UnixMillis first = all.empty() ? now_ : all.begin()->first.created_at;
    conversation.created_at = std::max<UnixMillis>(0, first - kBeforeFirstMessage);
  }
  ReadAttributes(reader, conversation);
  absl::Status status = reader.Finish();
  if (status.ok()) {
    status =
        ReadSides(participants, Place(place, "participants"), messages != nullptr, conversation);
  }
  if (status.ok() && shut_out != nullptr) {
    const Place here(place, "shutOut");
    status = ReadShutOut(*shut_out, here, conversation);
    for (const auto& [user_id, side] : conversation.shut_out) {
      if (status.ok()) status = CheckUser(user_id, Place(here, user_id));
      if (status.ok() && conversation.participants.contains(user_id)) {
        status = Place(here, user_id).Wrong("the user is a participant");
      }
    }
  }
  if (!status.ok()) return status;
  if (old == nullptr || EncodeRecord(conversation) != EncodeRecord(*old)) {
    records_.conversations[id] = std::move(conversation);
  }
  return absl::OkStatus();
}

// --- messages ---

absl::Status DocumentReader::ReadMessages(const json::value& value, const Place& place,
                                          ConversationRecord& conversation) {
  const json::array* list = value.if_array();
  if (list == nullptr) return place.Wrong("expected a list, oldest first");
  UnixMillis last = conversation.last_joined_at;
  if (!conversation.messages.empty()) {
    last = std::max(last, conversation.messages.rbegin()->first.created_at);
  }
  std::vector<MessageKey> read;
  for (size_t i = 0; i < list->size(); ++i) {
    const json::value& item = (*list)[i];
    const auto behind = static_cast<UnixMillis>(list->size() - i - 1);
    const auto key =
        ReadMessage(item, Place(place, i), std::max(last + 1, now_ - behind * kBetweenMessages),
                    MadeUpId(conversation.id, i, item), conversation);
    if (!key.ok()) return key.status();
    last = key->created_at;
    read.push_back(*key);
  }
  // Once all are there: an answer may stand before its question.
  const MessageKeys keys = KeysOf(conversation);
  for (size_t i = 0; i < list->size(); ++i) {
    absl::Status status =
        CheckMessage((*list)[i], Place(place, i), conversation.messages.at(read[i]), keys);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<MessageKey> DocumentReader::ReadMessage(const json::value& value, const Place& place,
                                                       UnixMillis time,
                                                       const std::string& made_up_id,
                                                       ConversationRecord& conversation) {
  std::string id = made_up_id;
  if (const json::object* object = value.if_object()) {
    const json::value* given = object->if_contains("id");
    if (given != nullptr && given->is_string()) id = std::string(given->get_string());
  }
  const Place id_place(place, "id");
  if (id.empty()) return id_place.Wrong("an id cannot be empty");
  if (!conversation_of_.emplace(id, conversation.id).second) {
    return id_place.Wrong("another message of the document has this id");
  }
  const MessageRecord* old = world_ == nullptr ? nullptr : world_->FindMessage(id);
  if (old != nullptr && old->conversation_id != conversation.id) {
    return id_place.Wrong("a message of another conversation has this id");
  }
  MessageRecord record;
  if (old != nullptr) {
    record = *old;
    conversation.messages.erase(old->key);
  } else {
    record.key = {time, next_number_++};
    record.conversation_id = conversation.id;
    record.message.id = id;
    record.message.origin.assign("rest");
  }
  if (absl::Status status = ReadRecord(value, place, record); !status.ok()) return status;
  const MessageKey key = record.key;
  conversation.messages[key] = std::move(record);
  return key;
}

absl::Status DocumentReader::CheckMessage(const json::value& value, const Place& place,
                                          const MessageRecord& record,
                                          const MessageKeys& keys) const {
  absl::Status status;
  if (record.message.sender_id) {
    status = CheckUser(*record.message.sender_id, Place(place, "senderId"));
  }
  const Place reactions(place, "reactions");
  for (const auto& [emoji, uses] : record.reactions) {
    for (const ReactionRecord& one : uses.users) {
      if (status.ok()) status = CheckUser(one.user_id, Place(reactions, emoji));
    }
  }
  // One that was there before may answer what is gone since.
  const auto& target = record.message.referenced_message_id;
  if (status.ok() && target && Has(value, "referencedMessageId") && !keys.contains(*target)) {
    return Place(place, "referencedMessageId").Wrong("this conversation has no such message");
  }
  return status;
}

// --- sides ---

absl::Status DocumentReader::ReadSides(const json::value* value, const Place& place,
                                       bool has_messages, ConversationRecord& conversation) {
  static const json::value kNobody = json::object();
  const json::value& sides = value == nullptr ? kNobody : *value;
  if (!sides.is_object()) return place.Wrong("expected an object, by user id");
  std::map<std::string, ReadMarks> marks;
  for (const json::key_value_pair& entry : sides.get_object()) {
    const std::string user_id(entry.key());
    const Place here(place, user_id);
    if (absl::Status status = CheckUser(user_id, here); !status.ok()) return status;
    ParticipantRecord& participant = conversation.participants[user_id];
    const bool is_new = participant.user_id.empty();
    participant.user_id = user_id;
    absl::Status status = ReadSide(entry.value(), here, participant, marks[user_id]);
    if (!status.ok()) return status;
    if (is_new && !Has(entry.value(), "joinedAt")) {
      participant.joined_at = join_times_.Find(conversation.created_at);
    } else {
      join_times_.Take(participant.joined_at);
    }
  }
  const MessageKeys keys = KeysOf(conversation);
  for (auto& [user_id, participant] : conversation.participants) {
    if (!has_messages && !marks.contains(user_id)) continue;
    absl::Status status =
        ApplyMarks(conversation, keys, marks[user_id], Place(place, user_id), participant);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

// --- idempotency keys ---

absl::Status DocumentReader::ReadKeys(const json::value* value, const Place& place) {
  if (value == nullptr) return absl::OkStatus();
  if (!value->is_array()) return place.Wrong("expected a list");
  for (const json::value& item : value->get_array()) {
    const Place here(place, records_.sent.size());
    SentRecord record;
    record.sent_at = now_;
    if (absl::Status status = ReadRecord(item, here, record); !status.ok()) return status;
    // Those of the app's own servers have no user.
    if (!record.user_id.empty()) {
      absl::Status status = CheckUser(record.user_id, Place(here, "userId"));
      if (!status.ok()) return status;
    }
    if (!conversation_of_.contains(record.message_id) &&
        (world_ == nullptr || world_->FindMessage(record.message_id) == nullptr)) {
      return Place(here, "messageId").Wrong("there is no such message");
    }
    records_.sent.push_back(std::move(record));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WorldRecords> ReadSnapshot(const json::object& document, UnixMillis now) {
  return DocumentReader(nullptr, now).Read(document);
}

absl::StatusOr<WorldRecords> ReadSeed(const json::object& document, const World& world,
                                      UnixMillis now) {
  return DocumentReader(&world, now).Read(document);
}

}  // namespace talkjsd::emulator
