#include "daemon/api/address.h"

#include <sys/un.h>

#include <string_view>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

}  // namespace

absl::StatusOr<std::string> ParseUnixAddress(const std::string& address) {
  constexpr std::string_view kScheme = "unix://";
  if (!address.starts_with(kScheme)) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                     "cannot listen on '" + address +
                         "': this version listens on Unix sockets only, as unix:///path");
  }
  std::string path = address.substr(kScheme.size());
  if (path.size() < 2 || path.front() != '/' || path.back() == '/') {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                     "cannot listen on '" + address +
                         "': give an absolute path with three slashes, as unix:///path");
  }
  if (path.size() > kMaxPath) {
    return MakeError(absl::StatusCode::kInvalidArgument,
                     talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                     "cannot listen on '" + address + "': a socket's path has at most " +
                         std::to_string(kMaxPath) + " bytes");
  }
  return path;
}

}  // namespace talkjsd::api
