#include "daemon/wire/utf8.h"

namespace talkjsd::wire {
namespace {

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

size_t SizeFromFirst(uint8_t first) {
  if (first < 0xC0) return 1;
  if (first < 0xE0) return 2;
  return first < 0xF0 ? 3 : 4;
}

}  // namespace

CodePoint CodePointAt(std::string_view text, size_t at) {
  if (at >= text.size()) return {};
  const auto first = static_cast<uint8_t>(text[at]);
  const size_t size = SizeFromFirst(first);
  if (size == 1 || at + size > text.size()) return {first, 1};
  uint32_t value = first & (0x7F >> size);
  for (size_t i = 1; i < size; ++i) {
    if (!IsContinuation(text[at + i])) return {first, 1};
    value = value << 6 | (static_cast<uint8_t>(text[at + i]) & 0x3F);
  }
  return {value, size};
}

CodePoint CodePointBefore(std::string_view text, size_t at) {
  if (at == 0) return {};
  size_t start = at - 1;
  while (start > 0 && at - start < 4 && IsContinuation(text[start])) --start;
  const CodePoint found = CodePointAt(text, start);
  if (start + found.size == at) return found;
  return {static_cast<uint8_t>(text[at - 1]), 1};
}

bool IsSpace(uint32_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000 || c == 0xFEFF;
}

}  // namespace talkjsd::wire
