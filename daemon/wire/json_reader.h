// Reads the properties of a JSON object into wire types. For .cc files of this room.
#ifndef TALKJSD_WIRE_JSON_READER_H_
#define TALKJSD_WIRE_JSON_READER_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/wire/json.h"

namespace talkjsd::wire {

absl::Status TypeError(std::string_view what);
// "`name`: " before the message.
absl::Status InProperty(std::string_view name, const absl::Status& status);

// One value of each type. An error leaves `out` in some valid state.
absl::Status ReadValue(const json::value& value, std::string& out);
// Whole numbers that fit; 1e3 is one, 1.5 and 1e300 are not.
absl::Status ReadValue(const json::value& value, int64_t& out);
absl::Status ReadValue(const json::value& value, double& out);
absl::Status ReadValue(const json::value& value, bool& out);
absl::Status ReadValue(const json::value& value, std::vector<std::string>& out);
absl::Status ReadValue(const json::value& value, CustomMap& out);
absl::Status ReadValue(const json::value& value, CustomPatch& out);
absl::Status ReadValue(const json::value& value, Access& out);
absl::Status ReadValue(const json::value& value, Notify& out);
absl::Status ReadValue(const json::value& value, std::vector<ContentBlock>& out);
absl::Status ReadValue(const json::value& value, Reaction& out);
absl::Status ReadValue(const json::value& value, ReactionDiff& out);
absl::Status ReadValue(const json::value& value, User& out);
absl::Status ReadValue(const json::value& value, Conversation& out);
absl::Status ReadValue(const json::value& value, Message& out);
absl::Status ReadValue(const json::value& value, UserDiff& out);
absl::Status ReadValue(const json::value& value, ConversationDiff& out);
absl::Status ReadValue(const json::value& value, MessageDiff& out);

// Null as nullopt.
template <typename T>
absl::Status ReadValue(const json::value& value, std::optional<T>& out);

// An object as a map; the values as ReadValue reads them.
template <typename T>
absl::Status ReadValue(const json::value& value, std::map<std::string, T>& out) {
  const json::object* object = value.if_object();
  if (object == nullptr) return TypeError("not an object");
  for (const json::key_value_pair& entry : *object) {
    T item{};
    absl::Status status = ReadValue(entry.value(), item);
    if (!status.ok()) return InProperty(entry.key(), status);
    out.insert_or_assign(std::string(entry.key()), std::move(item));
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status ReadValue(const json::value& value, std::optional<T>& out) {
  out.reset();
  return value.is_null() ? absl::OkStatus() : ReadValue(value, out.emplace());
}

// Collects the properties of one object; the first error stays and turns the later calls into
// nothing.
class ObjectReader {
 public:
  explicit ObjectReader(const json::value& value) : object_(value.if_object()) {
    if (object_ == nullptr) status_ = TypeError("not an object");
  }
  explicit ObjectReader(const json::object& object) : object_(&object) {}

  // Must be there and not null.
  template <typename T>
  void Required(std::string_view name, T& out) {
    const json::value* value = Find(name);
    if (value != nullptr) {
      Read(name, *value, out);
    } else if (status_.ok()) {
      status_ = InProperty(name, TypeError("missing"));
    }
  }

  // Absent and null leave `out` as it is.
  template <typename T>
  void OrDefault(std::string_view name, T& out) {
    const json::value* value = Find(name);
    if (value != nullptr && !value->is_null()) Read(name, *value, out);
  }

  // Absent leaves nullopt; null is an error.
  template <typename T>
  void IfPresent(std::string_view name, std::optional<T>& out) {
    const json::value* value = Find(name);
    if (value != nullptr) Read(name, *value, out.emplace());
  }

  // Absent, null and a value are three things.
  template <typename T>
  void ReadPatch(std::string_view name, Patch<T>& out) {
    const json::value* value = Find(name);
    if (value == nullptr) return;
    out.present = true;
    Read(name, *value, out.value);
  }

  const absl::Status& status() const { return status_; }

 private:
  const json::value* Find(std::string_view name) const {
    return status_.ok() ? object_->if_contains(name) : nullptr;
  }

  template <typename T>
  void Read(std::string_view name, const json::value& value, T& out) {
    absl::Status status = ReadValue(value, out);
    if (!status.ok()) status_ = InProperty(name, status);
  }

  const json::object* object_;
  absl::Status status_;
};

// The StatusOr form of ReadValue.
template <typename T>
absl::StatusOr<T> Decode(const json::value& value) {
  T out{};
  absl::Status status = ReadValue(value, out);
  if (!status.ok()) return status;
  return out;
}

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_JSON_READER_H_
