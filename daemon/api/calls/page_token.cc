#include "daemon/api/calls/page_token.h"

#include <absl/strings/escaping.h>

#include <algorithm>

#include "daemon/api/calls/request_log.h"
#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr size_t kDigestBytes = 8;

std::string DigestOf(const google::protobuf::MessageLite& list) {
  return ContentDigest(list).substr(0, kDigestBytes);
}

}  // namespace

std::string MakePageToken(const google::protobuf::MessageLite& list, std::string_view cursor) {
  return absl::WebSafeBase64Escape(DigestOf(list).append(cursor));
}

absl::StatusOr<std::string> ReadPageToken(const google::protobuf::MessageLite& list,
                                          std::string_view token) {
  std::string bytes;
  const std::string digest = DigestOf(list);
  if (!absl::WebSafeBase64Unescape(std::string(token), &bytes) || !bytes.starts_with(digest)) {
    return PageTokenInvalid();
  }
  return bytes.substr(digest.size());
}

absl::Status PageTokenInvalid() {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_PAGE_TOKEN_INVALID,
                   "the page_token is not one of this list; give the next_page_token of the page "
                   "before, or start at the first page");
}

int PageSize(int asked, int default_size, int max) {
  return asked == 0 ? default_size : std::min(asked, max);
}

}  // namespace talkjsd::api
