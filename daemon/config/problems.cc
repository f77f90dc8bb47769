#include "daemon/config/problems.h"

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::config {

std::string Places::Find(std::string_view key) const {
  while (true) {
    if (const auto it = places_.find(std::string(key)); it != places_.end()) return it->second;
    const size_t end = key.find_last_of(".[");
    if (end == std::string_view::npos) return "";
    key = key.substr(0, end);
  }
}

void Places::Drop(std::string_view key) {
  std::erase_if(places_, [key](const auto& entry) {
    const std::string_view other = entry.first;
    return other.starts_with(key) &&
           (other.size() == key.size() || other[key.size()] == '.' || other[key.size()] == '[');
  });
}

void Problems::Add(const std::string& place, std::string_view key, std::string_view message) {
  std::string line = place;
  const bool names_key = place.starts_with("--") || place.starts_with("$");
  for (const std::string_view part : {names_key ? std::string_view() : key, message}) {
    if (part.empty()) continue;
    if (!line.empty()) line += ": ";
    line += part;
  }
  lines_.push_back(std::move(line));
}

absl::Status Problems::ToStatus() const {
  if (lines_.empty()) return absl::OkStatus();
  std::string text;
  for (const std::string& line : lines_) text.append(text.empty() ? "" : "\n").append(line);
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD, text);
}

}  // namespace talkjsd::config
