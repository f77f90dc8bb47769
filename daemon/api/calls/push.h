// The push registrations of a session's user.
#ifndef TALKJSD_API_CALLS_PUSH_H_
#define TALKJSD_API_CALLS_PUSH_H_

#include "daemon/api/calls/unary.h"
#include "talkjs/sidecar/v1/session_service.pb.h"

namespace talkjsd::api {

// Each answers `call` after TalkJS's answer. Of validated requests.
void SetPush(session::Registry& registry,
             const talkjs::sidecar::v1::SetPushRegistrationRequest& request,
             const PendingCallRef& call);
void UnsetPush(session::Registry& registry,
               const talkjs::sidecar::v1::UnsetPushRegistrationRequest& request,
               const PendingCallRef& call);
void ClearPush(session::Registry& registry,
               const talkjs::sidecar::v1::ClearPushRegistrationsRequest& request,
               const PendingCallRef& call);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_PUSH_H_
