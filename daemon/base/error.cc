#include "daemon/base/error.h"

#include <absl/strings/cord.h>
#include <absl/strings/numbers.h>

#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd {
namespace {

// Debian builds Abseil without the std aliases: this file is where std and absl string views meet.
absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

constexpr absl::string_view kReasonPayload = "talkjs.sidecar/reason";
constexpr std::string_view kMetadataPayload = "talkjs.sidecar/metadata/";

}  // namespace

absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message) {
  absl::Status status(code, ToAbsl(message));
  status.SetPayload(kReasonPayload, absl::Cord(std::to_string(static_cast<int>(reason))));
  return status;
}

ErrorReason ReasonOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kReasonPayload);
  int value = 0;
  if (!payload.has_value() || !absl::SimpleAtoi(std::string(*payload), &value)) {
    return talkjs::sidecar::v1::ERROR_REASON_UNSPECIFIED;
  }
  return static_cast<ErrorReason>(value);
}

absl::Status WithMetadata(absl::Status status, std::string_view key, std::string_view value) {
  status.SetPayload(std::string(kMetadataPayload).append(key), absl::Cord(ToAbsl(value)));
  return status;
}

std::map<std::string, std::string> MetadataOf(const absl::Status& status) {
  std::map<std::string, std::string> metadata;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& value) {
    const std::string_view name(url.data(), url.size());
    if (name.starts_with(kMetadataPayload)) {
      metadata.emplace(name.substr(kMetadataPayload.size()), std::string(value));
    }
  });
  return metadata;
}

absl::Status WithContext(const absl::Status& status, std::string_view context) {
  std::string message(context);
  message.append(": ").append(MessageOf(status));
  absl::Status result(status.code(), message);
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& value) { result.SetPayload(url, value); });
  return result;
}

std::string_view MessageOf(const absl::Status& status) {
  return {status.message().data(), status.message().size()};
}

}  // namespace talkjsd
