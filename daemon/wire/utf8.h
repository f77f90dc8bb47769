// Code points in UTF-8 text.
#ifndef TALKJSD_WIRE_UTF8_H_
#define TALKJSD_WIRE_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace talkjsd::wire {

struct CodePoint {
  uint32_t value = 0;
  size_t size = 0;  // bytes; 0 beyond the end of the text
};

// The code point that starts at `at`. A byte that starts none stands for itself.
CodePoint CodePointAt(std::string_view text, size_t at);
// The code point that ends before `at`.
CodePoint CodePointBefore(std::string_view text, size_t at);

// As JavaScript's \s sees it.
bool IsSpace(uint32_t code_point);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_UTF8_H_
