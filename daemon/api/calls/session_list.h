// ListSessions: filters and pages over a list that changes between them.
#ifndef TALKJSD_API_CALLS_SESSION_LIST_H_
#define TALKJSD_API_CALLS_SESSION_LIST_H_

#include <absl/status/statusor.h>

#include <vector>

#include "daemon/session/info.h"
#include "talkjs/sidecar/v1/session_service.pb.h"

namespace talkjsd::api {

// A page of `sessions` (in any order, destroyed ones included). Pages go by creation, then id: what
// is created or destroyed between two of them neither repeats nor hides another. PAGE_TOKEN_INVALID
// for a token of other filters.
absl::StatusOr<talkjs::sidecar::v1::ListSessionsResponse> ListPage(
    const talkjs::sidecar::v1::ListSessionsRequest& request, std::vector<session::Info> sessions);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_SESSION_LIST_H_
