// How an error leaves the daemon: an absl::Status with a reason becomes a gRPC status with the
// google.rpc details that errors.proto promises.
#ifndef TALKJSD_API_ERRORS_H_
#define TALKJSD_API_ERRORS_H_

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/error.h"

namespace talkjsd::api {

inline constexpr std::string_view kErrorDomain = "talkjs.sidecar";

// ErrorInfo always; BadRequest if the status is of FieldErrors; RetryInfo where a later try can
// succeed. A status without a reason is a fault of ours: it becomes INTERNAL and is logged.
// Messages are cut to what fits into trailers.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The reason without its prefix: "SESSION_NOT_FOUND".
std::string ReasonName(ErrorReason reason);

// The fields of a request that are wrong, collected; then one INVALID_ARGUMENT (INVALID_FIELD) that
// names them all.
class FieldErrors {
 public:
  // `description` says what is wrong and what would be right: "must be 1 to 255 bytes; it has 300".
  void Add(std::string_view field, std::string_view description);
  bool empty() const { return violations_.empty(); }
  // OK if there are none.
  absl::Status ToStatus() const;

 private:
  struct Violation {
    std::string field;
    std::string description;
  };
  std::vector<Violation> violations_;
};

absl::Status InvalidField(std::string_view field, std::string_view description);
// `what` is the method or option: "SessionService.SetMe".
absl::Status NotImplemented(std::string_view what);
absl::Status Draining();
// `limit` is the name of the setting: "max_streams".
absl::Status LimitExceeded(std::string_view limit, std::string_view message);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ERRORS_H_
