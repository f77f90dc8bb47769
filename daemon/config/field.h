// One key's value: read from text and checked by itself.
#ifndef TALKJSD_CONFIG_FIELD_H_
#define TALKJSD_CONFIG_FIELD_H_

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/config/system.h"

namespace talkjsd::config {

struct Scalar {
  std::string text;
  bool quoted = true;   // false: what YAML would read as a number, a truth value or null is refused
                        // where text is wanted
  bool expand = false;  // "${VARIABLE}" at the beginning of a path
};

// Sets the field, or appends to it if it is repeated. What is wrong with the text, as "must be
// ..."; empty: nothing.
std::string SetField(const google::protobuf::FieldDescriptor& field, const Scalar& scalar,
                     const System& system, google::protobuf::Message* message);

// Durations are one value, not a message to look into.
bool IsDuration(const google::protobuf::FieldDescriptor& field);
bool IsPath(const google::protobuf::FieldDescriptor& field);

// Of a number, size (bytes) or duration (milliseconds).
struct Range {
  std::string_view field;  // such as "Limits.sessions"
  int64_t min;
  int64_t max;
  int64_t fallback;  // 0: none
};
// Null for fields that are no such thing.
const Range* RangeOf(const google::protobuf::FieldDescriptor& field);

// A number, size or duration that is not set gets its default.
void FillNumber(const google::protobuf::FieldDescriptor& field, google::protobuf::Message* message);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_FIELD_H_
