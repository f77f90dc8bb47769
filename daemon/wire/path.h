// Paths of realtime frames and of HTTP requests (realtime.md 2.6).
#ifndef TALKJSD_WIRE_PATH_H_
#define TALKJSD_WIRE_PATH_H_

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talkjsd::wire {

// JavaScript's encodeURIComponent of UTF-8 text.
std::string EncodeSegment(std::string_view text);

// nullopt for a broken escape or for bytes that are not UTF-8.
std::optional<std::string> DecodeSegment(std::string_view text);

// "/" + the segments, each encoded, joined by "/".
std::string JoinPath(std::initializer_list<std::string_view> segments);

// Splits at "/" first, decodes afterwards. nullopt unless the path starts with "/" and every
// segment decodes.
// "/" has no segments; an empty segment ("//") is kept.
std::optional<std::vector<std::string>> SplitPath(std::string_view path);

bool IsValidUtf8(std::string_view text);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_PATH_H_
