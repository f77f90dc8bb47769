// How a call to the daemon ended.
#ifndef TALKJSD_CLIENT_STATUS_H_
#define TALKJSD_CLIENT_STATUS_H_

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talkjsd::client {

// gRPC's canonical codes, with gRPC's numbers.
enum class Code : int {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "NOT_FOUND" for kNotFound; "UNKNOWN" for a number that is no code. Valid for ever.
std::string_view CodeName(Code code);

// A field of a request that the daemon did not accept.
struct FieldViolation {
  std::string field;        // its path in the request, such as "user.name"
  std::string description;  // what is wrong with it
};

// The outcome of a call or the end of a stream: a plain value.
struct Status {
  Code code = Code::kOk;
  // The name of a value of ErrorReason without its prefix, such as "SESSION_NOT_FOUND". Empty
  // without an error, and when the error is not the daemon's own: no connection, a deadline that
  // passed here. Newer daemons may send reasons that this header's protos do not know.
  std::string reason;
  // What went wrong and what to do next, for a person. Holds no secret.
  std::string message;
  // What the reason comes with: "session_id", "earliest_cursor", "limit", ... (errors.proto).
  std::map<std::string, std::string> metadata;
  // With INVALID_FIELD: which fields.
  std::vector<FieldViolation> field_violations;
  // How long to wait before a retry, where the daemon says so.
  std::optional<std::chrono::milliseconds> retry_delay;

  bool ok() const { return code == Code::kOk; }

  // No daemon answered: it does not run, the address is wrong, or the way to it is barred. Errors
  // that a daemon itself answered with have a reason and are never "unreachable".
  bool unreachable() const { return code == Code::kUnavailable && reason.empty(); }

  // "NOT_FOUND (SESSION_NOT_FOUND): ...", for logs.
  std::string ToString() const;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_STATUS_H_
