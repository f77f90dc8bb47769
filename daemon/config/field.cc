#include "daemon/config/field.h"

#include <google/protobuf/duration.pb.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "daemon/config/text_rules.h"
#include "daemon/config/units.h"

namespace talkjsd::config {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int64_t kSecond = 1000;
constexpr int64_t kMinute = 60 * kSecond;
constexpr int64_t kDay = 24 * 60 * kMinute;
constexpr int64_t kKiB = 1 << 10;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = 1 << 30;
constexpr int64_t kTiB = 1024 * kGiB;

constexpr Range kRanges[] = {
    {"Config.drain_timeout", kSecond, 5 * kMinute, 5 * kSecond},
    {"Config.shards", 1, 64, 1},
    {"Config.message_subscriptions_per_session", 1, 1000, 30},
    {"State.journal_retention_age", kMinute, 3650 * kDay, 7 * kDay},
    {"State.journal_retention_bytes", 16 * kMiB, kTiB, kGiB},
    {"Limits.sessions", 1, 1'000'000, 10'000},
    {"Limits.streams", 1, 1'000'000, 10'000},
    {"Limits.streams_opened_per_second", 1, 10'000, 100},
    {"Limits.connections", 1, 1'000'000, 1000},
    {"Limits.request_bytes", 64 * kKiB, 64 * kMiB, 4 * kMiB},
    {"Limits.idle_handshake", kSecond, 5 * kMinute, 20 * kSecond},
    {"Limits.memory_bytes", 64 * kMiB, kTiB, 0},
};

bool IsBytes(const FieldDescriptor& field) { return field.name().ends_with("_bytes"); }

std::string Between(const std::string& min, const std::string& max) {
  return "from " + min + " to " + max;
}

std::string NumberHelp(const Range& range) {
  return "must be a number " + Between(std::to_string(range.min), std::to_string(range.max));
}

std::string SizeHelp(const Range& range) {
  return "must be a number with KiB, MiB, GiB or TiB, " +
         Between(FormatBytes(range.min), FormatBytes(range.max)) + ", such as " +
         FormatBytes(range.fallback == 0 ? range.min : range.fallback);
}

std::string DurationHelp(const Range& range) {
  return "must be a number with ms, s, m, h or d, " +
         Between(FormatMillis(range.min), FormatMillis(range.max)) + ", such as " +
         FormatMillis(range.fallback);
}

bool InRange(const std::optional<int64_t>& number, const Range& range) {
  return number.has_value() && *number >= range.min && *number <= range.max;
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return number;
}

void PutMillis(int64_t millis, const FieldDescriptor& field, Message* message) {
  google::protobuf::Duration duration;
  duration.set_seconds(millis / 1000);
  duration.set_nanos(static_cast<int32_t>(millis % 1000) * 1'000'000);
  message->GetReflection()->MutableMessage(message, &field)->CopyFrom(duration);
}

void PutNumber(int64_t number, const FieldDescriptor& field, Message* message) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT32) {
    message->GetReflection()->SetInt32(message, &field, static_cast<int32_t>(number));
  } else {
    message->GetReflection()->SetInt64(message, &field, number);
  }
}

std::string SetNumber(const FieldDescriptor& field, const std::string& text, Message* message) {
  const Range& range = *RangeOf(field);
  if (IsDuration(field)) {
    const std::optional<int64_t> millis = ParseMillis(text);
    if (!InRange(millis, range)) return DurationHelp(range);
    PutMillis(*millis, field, message);
    return "";
  }
  const std::optional<int64_t> number = IsBytes(field) ? ParseBytes(text) : ParseNumber(text);
  if (!InRange(number, range)) return IsBytes(field) ? SizeHelp(range) : NumberHelp(range);
  PutNumber(*number, field, message);
  return "";
}

// "LOG_LEVEL_DEBUG" of an enum whose zero is "LOG_LEVEL_UNSPECIFIED": "debug".
std::string EnumText(const google::protobuf::EnumValueDescriptor& value) {
  const std::string& zero = value.type()->FindValueByNumber(0)->name();
  std::string text = value.name().substr(zero.size() - std::string_view("UNSPECIFIED").size());
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::string SetEnum(const FieldDescriptor& field, const std::string& text, Message* message) {
  const google::protobuf::EnumDescriptor& type = *field.enum_type();
  std::string help = "must be ";
  for (int i = 1; i < type.value_count(); ++i) {
    const std::string name = EnumText(*type.value(i));
    if (text == name) {
      message->GetReflection()->SetEnum(message, &field, type.value(i));
      return "";
    }
    help.append(i == 1 ? "" : i + 1 == type.value_count() ? " or " : ", ").append(name);
  }
  return help;
}

std::string SetBool(const FieldDescriptor& field, const Scalar& scalar, Message* message) {
  if (scalar.text != "true" && scalar.text != "false") return "must be true or false";
  message->GetReflection()->SetBool(message, &field, scalar.text == "true");
  return "";
}

// Replaces "${NAME}" at the beginning.
std::string Expand(const System& system, std::string* path) {
  if (!path->starts_with("${")) return "";
  const size_t end = path->find('}');
  if (end == std::string::npos) return "has \"${\" without \"}\"";
  const std::string name = path->substr(2, end - 2);
  const std::string value = system.environment(name.c_str());
  if (value.empty()) return "the environment variable " + name + " is not set";
  *path = value + path->substr(end + 1);
  return "";
}

std::string SetText(const FieldDescriptor& field, const Scalar& scalar, const System& system,
                    Message* message) {
  std::string text = scalar.text;
  if (!scalar.quoted && (text == "true" || text == "false")) {
    return "must be text; put it in quotes if it is meant so";
  }
  if (text.empty()) return "must not be empty; leave the key out for the default";
  const bool has_control =
      std::any_of(text.begin(), text.end(), [](unsigned char c) { return c < ' ' || c == 0x7f; });
  if (has_control) return "must not have control characters";
  if (IsPath(field)) {
    std::string problem = scalar.expand ? Expand(system, &text) : "";
    if (!problem.empty()) return problem;
    if (text.front() != '/') return "must be an absolute path: begin with /";
  }
  std::string problem = CheckText(field, text);
  if (!problem.empty()) return problem;
  if (field.is_repeated()) {
    message->GetReflection()->AddString(message, &field, text);
  } else {
    message->GetReflection()->SetString(message, &field, text);
  }
  return "";
}

}  // namespace

bool IsDuration(const FieldDescriptor& field) {
  return field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE &&
         field.message_type() == google::protobuf::Duration::descriptor();
}

bool IsPath(const FieldDescriptor& field) {
  return field.name().ends_with("_file") || field.name() == "directory";
}

const Range* RangeOf(const FieldDescriptor& field) {
  const std::string name = field.containing_type()->name() + "." + field.name();
  const auto* const range = std::find_if(std::begin(kRanges), std::end(kRanges),
                                         [&](const Range& entry) { return entry.field == name; });
  return range == std::end(kRanges) ? nullptr : range;
}

std::string SetField(const FieldDescriptor& field, const Scalar& scalar, const System& system,
                     Message* message) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_BOOL:
      return SetBool(field, scalar, message);
    case FieldDescriptor::CPPTYPE_ENUM:
      return SetEnum(field, scalar.text, message);
    case FieldDescriptor::CPPTYPE_STRING:
      return SetText(field, scalar, system, message);
    default:
      return SetNumber(field, scalar.text, message);
  }
}

void FillNumber(const FieldDescriptor& field, Message* message) {
  const Range* const range = RangeOf(field);
  if (range == nullptr || range->fallback == 0) return;
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  if (reflection.HasField(*message, &field)) return;
  if (IsDuration(field)) {
    PutMillis(range->fallback, field, message);
  } else {
    PutNumber(range->fallback, field, message);
  }
}

}  // namespace talkjsd::config
