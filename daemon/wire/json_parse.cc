// The one translation unit of the program that compiles Boost.JSON itself.
#include <boost/json/src.hpp>
#include <exception>

#include "daemon/wire/json.h"

namespace talkjsd::wire {
namespace {

constexpr size_t kMaxDepth = 32;

absl::Status NotJson(const std::string& what, size_t position) {
  return absl::InvalidArgumentError("not JSON: " + what + " at byte " + std::to_string(position));
}

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

}  // namespace

absl::StatusOr<json::value> ParseJson(std::string_view text, size_t max_bytes,
                                      json::storage_ptr storage) {
  if (text.size() > max_bytes) {
    return absl::InvalidArgumentError("JSON of " + std::to_string(text.size()) +
                                      " bytes; the limit is " + std::to_string(max_bytes));
  }
  json::parse_options options;
  options.max_depth = kMaxDepth;
  try {
    json::parser parser(storage, options);
    json::error_code error;
    size_t used = parser.write_some(text.data(), text.size(), error);
    if (error) return NotJson(error.message(), used);
    while (used < text.size() && IsSpace(text[used])) ++used;
    if (used < text.size()) return NotJson("extra data", used);
    return parser.release();
  } catch (const std::exception& e) {  // limits of the containers
    return absl::InvalidArgumentError(std::string("JSON cannot be held: ") + e.what());
  }
}

}  // namespace talkjsd::wire
