// Absent, null and a value are three things in what clients write: the field's presence, its name
// in null_fields, and its content.
#ifndef TALKJSD_API_CONVERT_PATCH_H_
#define TALKJSD_API_CONVERT_PATCH_H_

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/wire/types.h"
#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::api {

// Of `field` in a message that has null_fields.
template <typename Message, typename T>
wire::Patch<T> ToPatch(const Message& message, std::string_view field, bool is_set, T value) {
  const auto& nulls = message.null_fields();
  if (std::find(nulls.begin(), nulls.end(), field) != nulls.end()) return wire::Patch<T>::Null();
  return is_set ? wire::Patch<T>::Of(std::move(value)) : wire::Patch<T>{};
}

inline wire::CustomPatch ToCustomPatch(const talkjs::sidecar::v1::CustomUpdate& custom) {
  wire::CustomPatch patch;
  for (const auto& [key, value] : custom.values()) patch[key] = value;
  for (const std::string& key : custom.deleted_keys()) patch[key] = std::nullopt;
  return patch;
}

inline std::vector<std::string> ToVector(const talkjs::sidecar::v1::StringList& list) {
  return {list.values().begin(), list.values().end()};
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CONVERT_PATCH_H_
