// Reading a call's data: properties, pages, cursors. Errors are 400 BAD_REQUEST naming the
// property. For .cc files: knows JSON.
#ifndef TALKJSD_EMULATOR_CALLS_REQUEST_H_
#define TALKJSD_EMULATOR_CALLS_REQUEST_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/model/records.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

// nullptr if absent.
const wire::json::value* Find(const wire::json::object& data, std::string_view name);

absl::StatusOr<std::string> RequiredText(const wire::json::object& data, std::string_view name);
absl::StatusOr<std::vector<std::string>> TextList(const wire::json::object& data,
                                                  std::string_view name);

absl::StatusOr<UserWrite> ReadUserWrite(const wire::json::object& data);
absl::StatusOr<ConversationWrite> ReadConversationWrite(const wire::json::object& data);
absl::StatusOr<ParticipantWrite> ReadParticipantWrite(const wire::json::object& data);
absl::StatusOr<NewMessage> ReadNewMessage(const wire::json::object& data);
absl::StatusOr<MessageWrite> ReadMessageWrite(const wire::json::object& data);

// `limit`, at most `bound`; `preset` if absent.
absl::StatusOr<size_t> ReadLimit(const wire::json::object& data, size_t preset, size_t bound);

// A cursor is a JSON array, [time, id or number, ...], in URL-safe base64: opaque to clients,
// checked when it comes back.
std::string EncodeCursor(const wire::json::array& parts);
// nullopt if absent or null.
absl::StatusOr<std::optional<wire::json::array>> ReadCursor(const wire::json::object& data);
absl::StatusOr<std::optional<std::pair<UnixMillis, std::string>>> ReadTimeAndId(
    const wire::json::object& data);

// {"data": [...], "cursor": ...}, the cursor null if nothing follows.
wire::json::object EncodePage(wire::json::array items, bool more, const wire::json::array& last);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_CALLS_REQUEST_H_
