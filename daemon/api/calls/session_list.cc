#include "daemon/api/calls/session_list.h"

#include <absl/strings/escaping.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>
#include <utility>

#include "daemon/api/calls/request_log.h"
#include "daemon/api/convert/convert.h"
#include "daemon/api/limits.h"
#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

constexpr size_t kFilterDigestBytes = 8;

// The last session of a page: the next one begins after it.
using Position = std::pair<UnixMillis, std::string>;

Position PositionOf(const session::Info& info) { return {info.created_at, info.session_id}; }

std::string FilterDigest(v1::ListSessionsRequest request) {
  request.clear_page_size();
  request.clear_page_token();
  return ContentDigest(request).substr(0, kFilterDigestBytes);
}

// Web-safe base64 of: digest of the filters, creation in decimal, ":", session id.
std::string EncodeToken(const v1::ListSessionsRequest& request, const Position& position) {
  return absl::WebSafeBase64Escape(FilterDigest(request) + std::to_string(position.first) + ":" +
                                   position.second);
}

std::optional<Position> DecodeToken(const v1::ListSessionsRequest& request) {
  std::string bytes;
  const std::string digest = FilterDigest(request);
  if (!absl::WebSafeBase64Unescape(request.page_token(), &bytes) || !bytes.starts_with(digest)) {
    return std::nullopt;
  }
  const char* const end = bytes.data() + bytes.size();
  Position position;
  const auto parsed = std::from_chars(bytes.data() + digest.size(), end, position.first);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != ':') return std::nullopt;
  position.second.assign(parsed.ptr + 1, end);
  return position;
}

bool Matches(const v1::ListSessionsRequest& request, const session::Info& info) {
  if (!request.app_id().empty() && info.app_id != request.app_id()) return false;
  if (!request.user_id().empty() && info.user_id != request.user_id()) return false;
  if (request.states().empty()) return info.state != session::State::kDestroyed;
  return std::find(request.states().begin(), request.states().end(), ToProto(info.state)) !=
         request.states().end();
}

}  // namespace

absl::StatusOr<v1::ListSessionsResponse> ListPage(const v1::ListSessionsRequest& request,
                                                  std::vector<session::Info> sessions) {
  std::erase_if(sessions, [&](const session::Info& info) { return !Matches(request, info); });
  std::sort(sessions.begin(), sessions.end(), [](const session::Info& a, const session::Info& b) {
    return std::tie(a.created_at, a.session_id) < std::tie(b.created_at, b.session_id);
  });
  auto next = sessions.begin();
  if (!request.page_token().empty()) {
    const std::optional<Position> after = DecodeToken(request);
    if (!after.has_value()) {
      return MakeError(absl::StatusCode::kInvalidArgument, v1::ERROR_REASON_PAGE_TOKEN_INVALID,
                       "the page_token is not one of this list; keep the filters from page to "
                       "page, or start at the first page");
    }
    next = std::find_if(sessions.begin(), sessions.end(),
                        [&](const session::Info& info) { return PositionOf(info) > *after; });
  }
  const int page_size =
      request.page_size() == 0 ? kDefaultPageSize : std::min(request.page_size(), kMaxPageSize);
  v1::ListSessionsResponse response;
  for (; next != sessions.end() && response.sessions_size() < page_size; ++next) {
    *response.add_sessions() = ToProto(*next);
  }
  if (next != sessions.end() && next != sessions.begin()) {
    response.set_next_page_token(EncodeToken(request, PositionOf(*(next - 1))));
  }
  return response;
}

}  // namespace talkjsd::api
