// Letters and digits of ASCII, whatever the locale says.
#ifndef TALKJSD_WIRE_ASCII_H_
#define TALKJSD_WIRE_ASCII_H_

#include <algorithm>
#include <string>
#include <string_view>

namespace talkjsd::wire {

inline bool IsDigit(char c) { return c >= '0' && c <= '9'; }
inline bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
inline char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

inline std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), ToLower);
  return lower;
}

// `prefix` in lower case.
inline bool StartsWithIgnoringCase(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() &&
         std::equal(prefix.begin(), prefix.end(), text.begin(),
                    [](char expected, char c) { return expected == ToLower(c); });
}

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_ASCII_H_
