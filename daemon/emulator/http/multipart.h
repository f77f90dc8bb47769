// Reads a multipart/form-data body (RFC 7578, in the dialects of browsers, Node, curl and Python).
#ifndef TALKJSD_EMULATOR_HTTP_MULTIPART_H_
#define TALKJSD_EMULATOR_HTTP_MULTIPART_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talkjsd::emulator {

struct FormPart {
  std::string name;
  std::optional<std::string> filename;  // absent: an ordinary field
  std::string content_type;             // as sent; empty if absent
  std::string_view body;                // a view into what was parsed
};

inline constexpr size_t kMaxFormParts = 32;
inline constexpr size_t kMaxPartHeaderBytes = 8 << 10;

// The parts in their order. `content_type` is the request's header. BAD_REQUEST naming what is
// wrong for anything that is not a complete form: names and filenames must be UTF-8, every part
// has a name. Time is linear in the size of the body; nothing of it is copied.
absl::StatusOr<std::vector<FormPart>> ParseMultipart(std::string_view content_type,
                                                     std::string_view body);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_HTTP_MULTIPART_H_
