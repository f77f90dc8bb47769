// What can be found wrong with a session before TalkJS is asked.
#ifndef TALKJSD_SESSION_CHECK_H_
#define TALKJSD_SESSION_CHECK_H_

#include <absl/status/status.h>

#include "daemon/base/clock.h"
#include "daemon/session/info.h"

namespace talkjsd::session {

// INVALID_ARGUMENT with the reasons that Registry::Create lists. Messages name the field and hold
// no secret.
absl::Status CheckCreate(const Spec& spec, UnixMillis now);

// Of an id that is to be the session's user.
absl::Status CheckUserId(const std::string& user_id);

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_CHECK_H_
