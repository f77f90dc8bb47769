// Errors that tell a client which of the documented reasons it met: an absl::Status that carries an
// ErrorReason of the public protos, all the way from the room that found it to
// google.rpc.ErrorInfo.
#ifndef TALKJSD_BASE_ERROR_H_
#define TALKJSD_BASE_ERROR_H_

#include <absl/status/status.h>

#include <map>
#include <string>
#include <string_view>

namespace talkjs::sidecar::v1 {
enum ErrorReason : int;
}

namespace talkjsd {

using ErrorReason = talkjs::sidecar::v1::ErrorReason;

// `message` says what went wrong and what to do next; it must hold no secret.
absl::Status MakeError(absl::StatusCode code, ErrorReason reason, std::string_view message);

// ERROR_REASON_UNSPECIFIED if the status carries none.
ErrorReason ReasonOf(const absl::Status& status);

// Adds what a program may use without parsing the message: an entry of ErrorInfo.metadata. Not for
// an OK status.
absl::Status WithMetadata(absl::Status status, std::string_view key, std::string_view value);
std::map<std::string, std::string> MetadataOf(const absl::Status& status);

// The same status with "`context`: " before its message.
absl::Status WithContext(const absl::Status& status, std::string_view context);

// The status's own text; valid as long as the status.
std::string_view MessageOf(const absl::Status& status);

}  // namespace talkjsd

#endif  // TALKJSD_BASE_ERROR_H_
