#include "daemon/api/calls/sessions.h"

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {

namespace v1 = talkjs::sidecar::v1;

absl::StatusOr<session::Info> GetUsable(const session::Registry& registry,
                                        const std::string& session_id) {
  absl::StatusOr<session::Info> info = registry.GetAlive(session_id);
  if (!info.ok()) return WithMetadata(info.status(), "session_id", session_id);
  if (!info->user_id.has_value()) {
    return WithMetadata(
        MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_ME_NOT_SET,
                  "the session " + session_id + " has no user yet; call SetMe first"),
        "session_id", session_id);
  }
  return info;
}

absl::Status CheckUsable(const session::Registry& registry,
                         const std::vector<std::string>& session_ids) {
  for (const std::string& id : session_ids) {
    const absl::StatusOr<session::Info> info = GetUsable(registry, id);
    if (!info.ok()) return info.status();
  }
  return absl::OkStatus();
}

absl::Status SessionDestroyed(const std::string& session_id) {
  return WithMetadata(
      MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_SESSION_DESTROYED,
                "the session " + session_id + " was destroyed; create a new one"),
      "session_id", session_id);
}

}  // namespace talkjsd::api
