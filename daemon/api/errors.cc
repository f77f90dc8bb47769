#include "daemon/api/errors.h"

#include <absl/strings/cord.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "daemon/base/log.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr std::string_view kReasonPrefix = "ERROR_REASON_";
constexpr char kBadRequestPayload[] = "type.googleapis.com/google.rpc.BadRequest";

// Trailers travel as metadata, of which clients take 8 KiB by default, and the message is in them
// twice.
constexpr size_t kMaxMessageBytes = 1000;
constexpr size_t kMaxViolations = 10;
constexpr size_t kMaxViolationBytes = 160;

// Cuts at a character's start, so that what is left is UTF-8.
std::string Cut(std::string_view text, size_t max) {
  if (text.size() <= max) return std::string(text);
  size_t end = max - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return std::string(text.substr(0, end)) + "...";
}

// When a client that does nothing else should try again; nullopt: the same call would fail again.
std::optional<std::chrono::seconds> RetryDelay(const absl::Status& status) {
  switch (ReasonOf(status)) {
    case v1::ERROR_REASON_DRAINING:
    case v1::ERROR_REASON_UPSTREAM_TIMEOUT:
      return std::chrono::seconds(1);
    case v1::ERROR_REASON_LIMIT_EXCEEDED:
      return std::chrono::seconds(10);
    default:
      break;
  }
  if (absl::IsUnavailable(status) || absl::IsResourceExhausted(status)) {
    return std::chrono::seconds(5);
  }
  return std::nullopt;
}

}  // namespace

std::string ReasonName(ErrorReason reason) {
  const std::string& name = v1::ErrorReason_Name(reason);
  return name.starts_with(kReasonPrefix) ? name.substr(kReasonPrefix.size()) : name;
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  if (ReasonOf(status) == v1::ERROR_REASON_UNSPECIFIED) {
    LogError("error without a reason", {{"status", status.ToString()}});
    return ToGrpcStatus(MakeError(absl::StatusCode::kInternal, v1::ERROR_REASON_INTERNAL,
                                  "the daemon has a fault; its log has more"));
  }
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(Cut(MessageOf(status), kMaxMessageBytes));

  google::rpc::ErrorInfo info;
  info.set_reason(ReasonName(ReasonOf(status)));
  info.set_domain(std::string(kErrorDomain));
  for (const auto& [key, value] : MetadataOf(status)) (*info.mutable_metadata())[key] = value;
  details.add_details()->PackFrom(info);

  if (const auto bytes = status.GetPayload(kBadRequestPayload); bytes.has_value()) {
    google::rpc::BadRequest bad_request;
    if (bad_request.ParseFromString(std::string(*bytes))) {
      details.add_details()->PackFrom(bad_request);
    }
  }
  if (const auto delay = RetryDelay(status); delay.has_value()) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(delay->count());
    details.add_details()->PackFrom(retry);
  }
  // The canonical codes of Abseil and gRPC have the same numbers.
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), details.message(),
                      details.SerializeAsString());
}

void FieldErrors::Add(std::string_view field, std::string_view description) {
  violations_.push_back({std::string(field), std::string(description)});
}

absl::Status FieldErrors::ToStatus() const {
  if (violations_.empty()) return absl::OkStatus();
  const size_t shown = std::min(violations_.size(), kMaxViolations);
  google::rpc::BadRequest bad_request;
  std::string message;
  for (size_t i = 0; i < shown; ++i) {
    const Violation& violation = violations_[i];
    auto* entry = bad_request.add_field_violations();
    entry->set_field(violation.field);
    entry->set_description(Cut(violation.description, kMaxViolationBytes));
    if (i > 0) message += "; ";
    message.append(violation.field).append(" ").append(violation.description);
  }
  if (shown < violations_.size()) {
    message += "; and " + std::to_string(violations_.size() - shown) + " more";
  }
  absl::Status status =
      MakeError(absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_INVALID_FIELD, message);
  status.SetPayload(kBadRequestPayload, absl::Cord(bad_request.SerializeAsString()));
  return status;
}

absl::Status InvalidField(std::string_view field, std::string_view description) {
  FieldErrors errors;
  errors.Add(field, description);
  return errors.ToStatus();
}

absl::Status NotImplemented(std::string_view what) {
  return MakeError(absl::StatusCode::kUnimplemented, v1::ERROR_REASON_NOT_IMPLEMENTED,
                   std::string(what) +
                       " is not in this version of talkjsd; do without it or upgrade the daemon");
}

absl::Status Draining() {
  return MakeError(absl::StatusCode::kUnavailable, v1::ERROR_REASON_DRAINING,
                   "the daemon is shutting down; reconnect in a second, cursors stay valid");
}

absl::Status LimitExceeded(std::string_view limit, std::string_view message) {
  return WithMetadata(
      MakeError(absl::StatusCode::kResourceExhausted, v1::ERROR_REASON_LIMIT_EXCEEDED, message),
      "limit", limit);
}

}  // namespace talkjsd::api
