// What several methods ask about sessions.
#ifndef TALKJSD_API_CALLS_SESSIONS_H_
#define TALKJSD_API_CALLS_SESSIONS_H_

#include <string>
#include <vector>

#include "daemon/session/registry.h"

namespace talkjsd::api {

// A session that lives and has a user: SESSION_NOT_FOUND, SESSION_DESTROYED, ME_NOT_SET otherwise.
absl::StatusOr<session::Info> GetUsable(const session::Registry& registry,
                                        const std::string& session_id);

// GetUsable of each.
absl::Status CheckUsable(const session::Registry& registry,
                         const std::vector<std::string>& session_ids);

// How a stream over a session that is gone ends.
absl::Status SessionDestroyed(const std::string& session_id);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_SESSIONS_H_
