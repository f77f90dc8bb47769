#include "daemon/wire/json_reader.h"

#include <cmath>
#include <limits>

namespace talkjsd::wire {

absl::Status TypeError(std::string_view what) {
  return absl::InvalidArgumentError(std::string(what));
}

absl::Status InProperty(std::string_view name, const absl::Status& status) {
  std::string message(name);
  message += ": ";
  message.append(status.message().data(), status.message().size());
  return absl::InvalidArgumentError(message);
}

absl::Status ReadValue(const json::value& value, std::string& out) {
  const json::string* text = value.if_string();
  if (text == nullptr) return TypeError("not a string");
  out.assign(text->data(), text->size());
  return absl::OkStatus();
}

absl::Status ReadValue(const json::value& value, int64_t& out) {
  if (const int64_t* number = value.if_int64()) {
    out = *number;
    return absl::OkStatus();
  }
  // JSON knows one kind of number: some writers print whole ones as 1.7e12. Up to 2^53 that is
  // exact.
  constexpr double kExact = 9007199254740992.0;
  const double* number = value.if_double();
  if (number == nullptr || !(std::abs(*number) <= kExact) || std::trunc(*number) != *number) {
    return TypeError("not an integer");
  }
  out = static_cast<int64_t>(*number);
  return absl::OkStatus();
}

absl::Status ReadValue(const json::value& value, double& out) {
  if (value.is_double()) {
    out = value.get_double();
  } else if (value.is_int64()) {
    out = static_cast<double>(value.get_int64());
  } else if (value.is_uint64()) {
    out = static_cast<double>(value.get_uint64());
  } else {
    return TypeError("not a number");
  }
  return std::isfinite(out) ? absl::OkStatus() : TypeError("not a finite number");
}

absl::Status ReadValue(const json::value& value, bool& out) {
  const bool* flag = value.if_bool();
  if (flag == nullptr) return TypeError("neither true nor false");
  out = *flag;
  return absl::OkStatus();
}

absl::Status ReadValue(const json::value& value, std::vector<std::string>& out) {
  const json::array* array = value.if_array();
  if (array == nullptr) return TypeError("not an array");
  out.reserve(array->size());
  for (const json::value& item : *array) {
    if (absl::Status status = ReadValue(item, out.emplace_back()); !status.ok()) {
      return InProperty("item " + std::to_string(out.size() - 1), status);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadValue(const json::value& value, CustomMap& out) {
  return ReadValue<std::string>(value, out);
}

absl::Status ReadValue(const json::value& value, CustomPatch& out) {
  return ReadValue<std::optional<std::string>>(value, out);
}

absl::Status ReadValue(const json::value& value, Access& out) {
  const json::string* text = value.if_string();
  if (text != nullptr && *text == "ReadWrite") {
    out = Access::kReadWrite;
  } else if (text != nullptr && *text == "Read") {
    out = Access::kRead;
  } else {
    return TypeError("neither \"ReadWrite\" nor \"Read\"");
  }
  return absl::OkStatus();
}

absl::Status ReadValue(const json::value& value, Notify& out) {
  if (const bool* flag = value.if_bool()) {
    out = *flag ? Notify::kOn : Notify::kOff;
    return absl::OkStatus();
  }
  const json::string* text = value.if_string();
  if (text == nullptr || *text != "MentionsOnly") {
    return TypeError("neither true, false nor \"MentionsOnly\"");
  }
  out = Notify::kMentionsOnly;
  return absl::OkStatus();
}

}  // namespace talkjsd::wire
