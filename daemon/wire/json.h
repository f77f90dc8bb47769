// wire types <-> Boost.JSON. Include from .cc files only: the header that knows the JSON library.
//
// Decoding is strict about types and lenient about unknown properties: an error names the property
// ("lastMessageAt: not an integer"). Encoding writes exactly what realtime.md section 8 lists, in
// its order.
#ifndef TALKJSD_WIRE_JSON_H_
#define TALKJSD_WIRE_JSON_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <boost/json.hpp>
#include <string_view>

#include "daemon/wire/types.h"

namespace talkjsd::wire {

namespace json = boost::json;

// Parses untrusted text. Limits: `max_bytes` of text, 32 levels of nesting, valid UTF-8, no
// duplicate handling (the last one wins), nothing after the value.
absl::StatusOr<json::value> ParseJson(std::string_view text, size_t max_bytes = 8 << 20,
                                      json::storage_ptr storage = {});

absl::StatusOr<User> DecodeUser(const json::value& value);
absl::StatusOr<Conversation> DecodeConversation(const json::value& value);
absl::StatusOr<Participant> DecodeParticipant(const json::value& value);
absl::StatusOr<Message> DecodeMessage(const json::value& value);
absl::StatusOr<std::vector<ContentBlock>> DecodeContent(const json::value& value);
absl::StatusOr<ConversationDiff> DecodeConversationDiff(const json::value& value);
absl::StatusOr<UserDiff> DecodeUserDiff(const json::value& value);
absl::StatusOr<MessageDiff> DecodeMessageDiff(const json::value& value);
// Objects of string -> string | null, or null.
absl::StatusOr<Patch<CustomPatch>> DecodeCustomPatch(const json::value& value);
absl::StatusOr<Access> DecodeAccess(const json::value& value);
absl::StatusOr<Notify> DecodeNotify(const json::value& value);

json::object EncodeUser(const User& user);
json::object EncodeConversation(const Conversation& conversation);
json::object EncodeParticipant(const Participant& participant);
json::object EncodeMessage(const Message& message);
json::array EncodeContent(const std::vector<ContentBlock>& content);
// Only what is set.
json::object EncodeConversationDiff(const ConversationDiff& diff);
json::object EncodeUserDiff(const UserDiff& diff);
json::object EncodeMessageDiff(const MessageDiff& diff);
json::object EncodeCustom(const CustomMap& custom);
json::value EncodeAccess(Access access);
json::value EncodeNotify(Notify notify);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_JSON_H_
