#include "daemon/emulator/http/multipart.h"

#include <absl/strings/match.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "daemon/emulator/refusal.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr size_t kMaxBoundary = 70;

absl::Status Wrong(std::string_view what) { return BadRequest("form: " + std::string(what)); }

bool SameName(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase({a.data(), a.size()}, {b.data(), b.size()});
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// Takes a header's value apart: `form-data; name="a"; filename="b"`.
class HeaderValue {
 public:
  explicit HeaderValue(std::string_view text) : rest_(text) {
    const size_t end = rest_.find(';');
    main_ = Trim(rest_.substr(0, end));
    rest_ = end == std::string_view::npos ? std::string_view() : rest_.substr(end);
  }

  std::string_view main() const { return main_; }

  // The next parameter; false at the end or at something that is none.
  bool Next(std::string_view& name, std::string& value) {
    rest_ = Trim(rest_);
    if (rest_.empty() || rest_.front() != ';') return false;
    rest_.remove_prefix(1);
    const size_t equals = rest_.find('=');
    if (equals == std::string_view::npos) return false;
    name = Trim(rest_.substr(0, equals));
    rest_ = Trim(rest_.substr(equals + 1));
    value.clear();
    if (!rest_.empty() && rest_.front() == '"') return Quoted(value);
    const size_t end = std::min(rest_.find(';'), rest_.size());
    value.append(Trim(rest_.substr(0, end)));
    rest_.remove_prefix(end);
    return true;
  }

 private:
  // A backslash stands for itself but before `"` and `\`: browsers do not escape it, others do.
  bool Quoted(std::string& value) {
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      const bool escape =
          rest_.size() > 1 && rest_[0] == '\\' && (rest_[1] == '"' || rest_[1] == '\\');
      if (escape) rest_.remove_prefix(1);
      value.push_back(rest_.front());
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string_view main_;
  std::string_view rest_;
};

// What browsers write for the characters that would end the name, and nothing else.
std::string DecodeName(std::string_view text) {
  constexpr std::pair<std::string_view, char> kEscapes[] = {
      {"%22", '"'}, {"%0D", '\r'}, {"%0A", '\n'}};
  std::string name;
  while (!text.empty()) {
    const auto* escape = std::find_if(std::begin(kEscapes), std::end(kEscapes),
                                      [&](const auto& e) { return text.starts_with(e.first); });
    const bool found = escape != std::end(kEscapes);
    name.push_back(found ? escape->second : text.front());
    text.remove_prefix(found ? escape->first.size() : 1);
  }
  return name;
}

// filename*=UTF-8''a%20b (RFC 8187): not allowed here, and yet sent.
std::optional<std::string> DecodeExtended(std::string_view text) {
  const size_t quote = text.find('\'');
  if (quote == std::string_view::npos || !SameName(text.substr(0, quote), "utf-8")) {
    return std::nullopt;
  }
  const size_t second = text.find('\'', quote + 1);
  if (second == std::string_view::npos) return std::nullopt;
  return wire::DecodeSegment(text.substr(second + 1));
}

absl::Status ReadDisposition(std::string_view text, FormPart& part) {
  HeaderValue header(text);
  if (!SameName(header.main(), "form-data")) {
    return Wrong("Content-Disposition must be form-data");
  }
  bool has_name = false;
  std::optional<std::string> extended;
  std::string_view name;
  std::string value;
  while (header.Next(name, value)) {
    if (SameName(name, "name")) {
      part.name = DecodeName(value);
      has_name = true;
    } else if (SameName(name, "filename")) {
      part.filename = DecodeName(value);
    } else if (SameName(name, "filename*")) {
      extended = DecodeExtended(value);
    }
  }
  if (extended) part.filename = std::move(extended);
  if (!has_name) return Wrong("a part without a name");
  if (!wire::IsValidUtf8(part.name) || !wire::IsValidUtf8(part.filename.value_or(""))) {
    return Wrong("names and filenames must be UTF-8");
  }
  return absl::OkStatus();
}

// `text`: the part's header, without the empty line behind it.
absl::Status ReadPartHeader(std::string_view text, FormPart& part) {
  bool described = false;
  while (!text.empty()) {
    const size_t end = std::min(text.find(kLineEnd), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + kLineEnd.size(), text.size()));
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return Wrong("a line of a part's header has no colon");
    const std::string_view name = line.substr(0, colon);
    const std::string_view value = Trim(line.substr(colon + 1));
    if (SameName(name, "Content-Disposition")) {
      if (absl::Status status = ReadDisposition(value, part); !status.ok()) return status;
      described = true;
    } else if (SameName(name, "Content-Type")) {
      part.content_type = value;
    }
  }
  return described ? absl::OkStatus() : Wrong("a part without Content-Disposition");
}

absl::StatusOr<std::string> BoundaryOf(std::string_view content_type) {
  HeaderValue header(content_type);
  if (!SameName(header.main(), "multipart/form-data")) {
    return Wrong("the request's Content-Type must be multipart/form-data");
  }
  std::string_view name;
  std::string value;
  while (header.Next(name, value)) {
    if (!SameName(name, "boundary")) continue;
    if (value.empty() || value.size() > kMaxBoundary) break;
    return value;
  }
  return Wrong("the request's Content-Type needs a boundary of 1 to 70 characters");
}

}  // namespace

absl::StatusOr<std::vector<FormPart>> ParseMultipart(std::string_view content_type,
                                                     std::string_view body) {
  const auto boundary = BoundaryOf(content_type);
  if (!boundary.ok()) return boundary.status();
  // A header's value holds no line end, so that a search for this never looks at a byte twice.
  const std::string delimiter = "\r\n--" + *boundary;
  const std::string_view first_delimiter = std::string_view(delimiter).substr(kLineEnd.size());

  // What precedes the first delimiter is to be ignored.
  if (body.starts_with(first_delimiter)) {
    body.remove_prefix(first_delimiter.size());
  } else {
    const size_t first = body.find(delimiter);
    if (first == std::string_view::npos) return Wrong("the boundary is not in the body");
    body.remove_prefix(first + delimiter.size());
  }
  std::vector<FormPart> parts;
  while (!body.starts_with("--")) {
    const size_t line = body.find_first_not_of(" \t");
    if (line == std::string_view::npos || !body.substr(line).starts_with(kLineEnd)) {
      return Wrong("the line of a boundary goes on");
    }
    body.remove_prefix(line + kLineEnd.size());
    if (parts.size() == kMaxFormParts) return Wrong("too many parts");
    const std::string_view head = body.substr(0, kMaxPartHeaderBytes);
    const size_t head_end = head.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return Wrong("a part's header is too long or cut off");
    FormPart& part = parts.emplace_back();
    if (absl::Status status = ReadPartHeader(head.substr(0, head_end), part); !status.ok()) {
      return status;
    }
    // The line end before the delimiter may be the one that ends the header: an empty body.
    body.remove_prefix(head_end + kLineEnd.size());
    const size_t end = body.find(delimiter);
    if (end == std::string_view::npos) return Wrong("cut off: the last boundary is missing");
    part.body = end == 0 ? std::string_view() : body.substr(kLineEnd.size(), end - kLineEnd.size());
    body.remove_prefix(end + delimiter.size());
  }
  return parts;
}

}  // namespace talkjsd::emulator
