#include "client/talkjsctl/text.h"

#include <google/protobuf/util/json_util.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace talkjsd::talkjsctl {
namespace {

constexpr size_t kCursorBytes = 17;

// The code point at `text[at]` and its length in bytes; length 0 if the bytes are no UTF-8.
struct CodePoint {
  uint32_t value = 0;
  size_t length = 0;
};

CodePoint Decode(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return {first, 1};
  const size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || at + length > text.size()) return {};
  uint32_t value = first & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return {};
    value = value << 6 | (byte(at + i) & 0x3F);
  }
  const uint32_t smallest = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (value < smallest || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return {};
  return {value, length};
}

bool IsControl(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029 || c == 0x061C ||
         c == 0x200E || c == 0x200F || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF || (c >= 0xE0000 && c < 0xE0080);
}

void AppendEscaped(uint32_t c, std::string* out) {
  char buffer[16];
  switch (c) {
    case '\n':
      *out += "\\n";
      return;
    case '\t':
      *out += "\\t";
      return;
    case '\r':
      *out += "\\r";
      return;
    default:
      std::snprintf(buffer, sizeof(buffer), c < 0x80 ? "\\x%02x" : "\\u{%x}", c);
      *out += buffer;
  }
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return -1;
}

// `bits` per character of `text`; nothing if a character is no digit.
std::optional<std::string> DecodeDigits(std::string_view text, int bits, int (*digit)(char)) {
  std::string out;
  uint32_t pending = 0;
  int pending_bits = 0;
  for (char c : text) {
    const int value = digit(c);
    if (value < 0) return std::nullopt;
    pending = pending << bits | static_cast<uint32_t>(value);
    pending_bits += bits;
    if (pending_bits >= 8) {
      pending_bits -= 8;
      out += static_cast<char>(pending >> pending_bits & 0xFF);
    }
  }
  return out;
}

}  // namespace

std::string Escape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = Decode(text, at);
    if (c.length == 0) {
      char buffer[8];
      std::snprintf(buffer, sizeof(buffer), "\\x%02x", static_cast<unsigned char>(text[at]));
      out += buffer;
      ++at;
      continue;
    }
    if (IsControl(c.value)) {
      AppendEscaped(c.value, &out);
    } else {
      out += text.substr(at, c.length);
    }
    at += c.length;
  }
  return out;
}

size_t DisplayWidth(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string Row(const std::vector<std::string>& cells, const std::vector<size_t>& widths) {
  std::string out;
  for (size_t i = 0; i < cells.size(); ++i) {
    const std::string cell = Escape(cells[i]);
    out += cell;
    if (i + 1 == cells.size()) break;
    const size_t width = DisplayWidth(cell);
    const size_t wanted = i < widths.size() ? widths[i] : 0;
    out.append(wanted > width ? wanted - width : 0, ' ');
    out += "  ";
  }
  return out;
}

std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], DisplayWidth(Escape(row[i])));
    }
  }
  std::string out;
  for (const auto& row : rows) out += Row(row, widths) + "\n";
  return out;
}

std::string FormatTime(bool is_set, const google::protobuf::Timestamp& time) {
  if (!is_set) return "-";
  const time_t seconds = time.seconds();
  struct tm parts = {};
  if (gmtime_r(&seconds, &parts) == nullptr) return "-";
  char date[32];
  strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &parts);
  char text[48];
  std::snprintf(text, sizeof(text), "%s.%03dZ", date, time.nanos() / 1'000'000);
  return text;
}

std::string ToJsonLine(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  options.always_print_primitive_fields = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  // Only a Timestamp outside the years 1 to 9999 cannot be printed.
  if (!status.ok()) return "{}\n";
  return json + "\n";
}

std::string CursorToHex(std::string_view cursor) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned char byte : cursor) {
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::optional<std::string> ParseCursor(std::string_view text) {
  std::optional<std::string> bytes;
  if (text.size() == 2 * kCursorBytes) {
    bytes = DecodeDigits(text, 4, HexDigit);
  } else {
    while (!text.empty() && text.back() == '=') text.remove_suffix(1);
    bytes = DecodeDigits(text, 6, Base64Digit);
  }
  if (!bytes.has_value() || bytes->size() != kCursorBytes) return std::nullopt;
  return bytes;
}

std::string WithoutPrefix(const std::string& name, std::string_view prefix) {
  return name.compare(0, prefix.size(), prefix) == 0 ? name.substr(prefix.size()) : name;
}

}  // namespace talkjsd::talkjsctl
