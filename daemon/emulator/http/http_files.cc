#include "daemon/emulator/http/http_files.h"

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>
#include <utility>

#include "daemon/emulator/http/http_request.h"
#include "daemon/emulator/http/multipart.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/json.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr std::string_view kAnyBytes = "application/octet-stream";

// By extension, for uploads that do not say what they are.
constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {"gif", "image/gif"},     {"jpeg", "image/jpeg"},     {"jpg", "image/jpeg"},
    {"m4a", "audio/mp4"},     {"mov", "video/quicktime"}, {"mp3", "audio/mpeg"},
    {"mp4", "video/mp4"},     {"oga", "audio/ogg"},       {"ogg", "audio/ogg"},
    {"ogv", "video/ogg"},     {"pdf", "application/pdf"}, {"png", "image/png"},
    {"svg", "image/svg+xml"}, {"txt", "text/plain"},      {"wav", "audio/wav"},
    {"webm", "video/webm"},   {"webp", "image/webp"},
};

bool IsMediaType(std::string_view text) {
  const auto allowed = [](unsigned char c) { return c >= 0x20 && c < 0x7f; };
  const size_t slash = text.find('/');
  return slash != 0 && slash != std::string_view::npos && slash + 1 < text.size() &&
         std::all_of(text.begin(), text.end(), allowed);
}

std::string TypeOf(const FormPart& part) {
  if (IsMediaType(part.content_type) && part.content_type != kAnyBytes) return part.content_type;
  const std::string_view filename = *part.filename;
  const size_t dot = filename.rfind('.');
  if (dot != std::string_view::npos) {
    const std::string_view extension = filename.substr(dot + 1);
    for (const auto& [known, type] : kTypes) {
      if (absl::EqualsIgnoreCase({extension.data(), extension.size()},
                                 {known.data(), known.size()})) {
        return std::string(type);
      }
    }
  }
  return std::string(kAnyBytes);
}

// --- upload ---

const FormPart* FindPart(const std::vector<FormPart>& parts, std::string_view name) {
  const auto found = std::find_if(parts.begin(), parts.end(),
                                  [&](const FormPart& part) { return part.name == name; });
  return found == parts.end() ? nullptr : &*found;
}

// Sets `measure` if the form has it.
absl::Status ReadMeasure(const std::vector<FormPart>& parts, std::string_view name,
                         std::optional<double>& measure) {
  const FormPart* part = FindPart(parts, name);
  if (part == nullptr) return absl::OkStatus();
  double number = 0;
  const char* const end = part->body.data() + part->body.size();
  const auto [read, error] =
      std::from_chars(part->body.data(), end, number, std::chars_format::fixed);
  if (error != std::errc() || read != end || !std::isfinite(number) || number < 0) {
    return BadRequest(std::string(name) + ": expected a decimal number from 0 on");
  }
  measure = number;
  return absl::OkStatus();
}

absl::Status ReadSubtype(const std::vector<FormPart>& parts, wire::FileBlock& file) {
  const FormPart* part = FindPart(parts, "subtype");
  if (part == nullptr) return absl::OkStatus();
  file.subtype = part->body;
  const bool seen = file.subtype == "image" || file.subtype == "video";
  const bool heard = file.subtype == "audio" || file.subtype == "voice";
  if (!seen && !heard) return BadRequest("subtype: expected image, video, audio or voice");
  absl::Status status;
  if (seen) {
    status = ReadMeasure(parts, "width", file.width);
    if (status.ok()) status = ReadMeasure(parts, "height", file.height);
  }
  if (status.ok() && file.subtype != "image") {
    status = ReadMeasure(parts, "duration", file.duration);
  }
  return status;
}

// Where the client found this server; it will ask there again.
std::string UrlFor(const App& app, const net::ServerRequest& request, const wire::FileBlock& file) {
  // A name of dots would be taken for a way through folders.
  const bool dots = file.filename.find_first_not_of('.') == std::string::npos;
  return "http://" + std::string(request.Header("Host")) +
         wire::JoinPath({"public_api", "v1", app.authenticator().app_id(), "files", file.file_token,
                         dots ? "file" : std::string_view(file.filename)});
}

bool IsHost(std::string_view host) {
  return !host.empty() && std::all_of(host.begin(), host.end(), [](unsigned char c) {
    return std::isalnum(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

absl::StatusOr<std::string> Upload(App& app, const net::ServerRequest& request) {
  // The app's servers upload too.
  if (!app.authenticator().CheckServer(BearerTokenOf(request)).ok()) {
    const auto login = BearerOf(request, app.authenticator());
    if (!login.ok()) return login.status();
  }
  if (!IsHost(request.Header("Host"))) return BadRequest("Host: expected a host, with its port");
  const auto parts = ParseMultipart(request.Header("Content-Type"), request.body);
  if (!parts.ok()) return parts.status();
  const FormPart* part = FindPart(*parts, "file");
  if (part == nullptr || !part->filename) {
    return BadRequest("form: a part named \"file\", with a filename, is missing");
  }
  StoredFile file;
  file.block.filename = *part->filename;
  file.block.size = static_cast<int64_t>(part->body.size());
  absl::Status status = CheckFile(file.block.filename, file.block.size);
  if (status.ok()) status = ReadSubtype(*parts, file.block);
  if (!status.ok()) return status;
  file.block.file_token = app.files().NewToken();
  file.block.url = UrlFor(app, request, file.block);
  file.content_type = TypeOf(*part);
  file.content = std::make_shared<const std::string>(part->body);
  std::string token = file.block.file_token;
  status = app.files().Add(std::move(file));
  if (!status.ok()) return status;
  return token;
}

net::ServerResponse AnswerUpload(App& app, const net::ServerRequest& request) {
  const auto token = Upload(app, request);
  if (!token.ok()) return RefusalResponse(token.status());
  net::ServerResponse response;
  // The name of the realtime protocol, and that of the REST API.
  response.body = json::serialize(json::object{{"fileToken", *token}, {"attachmentToken", *token}});
  return response;
}

// --- download ---

struct ByteRange {
  size_t first = 0;
  size_t size = 0;
};

std::optional<size_t> ReadNumber(std::string_view text) {
  size_t number = 0;
  const auto [read, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || read != text.data() + text.size()) return std::nullopt;
  return number;
}

// The one range that is asked for; nullopt: the whole file (what is not understood is no request
// for a range). A size of 0: there is nothing there.
std::optional<ByteRange> RangeOf(std::string_view header, size_t total) {
  constexpr std::string_view kUnit = "bytes=";
  if (!header.starts_with(kUnit)) return std::nullopt;
  header.remove_prefix(kUnit.size());
  const size_t dash = header.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto first = ReadNumber(header.substr(0, dash));
  const auto last = ReadNumber(header.substr(dash + 1));
  if (dash == 0) {
    if (!last) return std::nullopt;
    const size_t size = std::min(*last, total);
    return ByteRange{total - size, size};
  }
  const bool open_end = dash + 1 == header.size();
  if (!first || (!last && !open_end) || (last && *last < *first)) return std::nullopt;
  if (*first >= total) return ByteRange{};
  return ByteRange{*first, std::min(last.value_or(total - 1), total - 1) - *first + 1};
}

net::ServerResponse AnswerDownload(const App& app, const net::ServerRequest& request,
                                   std::string_view token) {
  const auto file = app.files().Find(token);
  if (!file) return RefusalResponse(Refuse(404, "FILE_NOT_FOUND", "no such file"));
  net::ServerResponse response;
  const size_t total = file->content->size();
  response.headers = {{"Accept-Ranges", "bytes"}, {"X-Content-Type-Options", "nosniff"}};
  // A page that somebody uploaded must not act as one of this server's.
  const std::string type = absl::AsciiStrToLower(file->content_type);
  if (absl::StrContains(type, "html") || absl::StrContains(type, "xml")) {
    response.headers.emplace_back("Content-Security-Policy", "sandbox");
  }
  response.content_type = file->content_type;
  const auto range = RangeOf(request.Header("Range"), total);
  if (!range) {
    response.body = *file->content;
    return response;
  }
  const std::string of_total = "/" + std::to_string(total);
  if (range->size == 0) {
    response.status = 416;
    response.content_type.clear();
    response.headers.emplace_back("Content-Range", "bytes *" + of_total);
    return response;
  }
  response.status = 206;
  response.headers.emplace_back("Content-Range",
                                "bytes " + std::to_string(range->first) + "-" +
                                    std::to_string(range->first + range->size - 1) + of_total);
  response.body = file->content->substr(range->first, range->size);
  return response;
}

}  // namespace

net::ServerResponse AnswerFiles(App& app, const net::ServerRequest& request,
                                const std::vector<std::string>& path) {
  const bool upload = path.size() == 1;
  if (!upload && path.size() != 3) return RefusalResponse(Refuse(404, "NOT_FOUND", "no such path"));
  const std::string& method = request.method;
  if (upload && method == "POST") return AnswerUpload(app, request);
  if (!upload && (method == "GET" || method == "HEAD")) {
    return AnswerDownload(app, request, path[1]);
  }
  return RefusalResponse(Refuse(405, "METHOD_NOT_ALLOWED", "this path does not take that method"));
}

}  // namespace talkjsd::emulator
