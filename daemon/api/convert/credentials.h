// Credentials in requests: their checks, and what they are in the rooms below.
#ifndef TALKJSD_API_CONVERT_CREDENTIALS_H_
#define TALKJSD_API_CONVERT_CREDENTIALS_H_

#include "daemon/api/errors.h"
#include "daemon/session/spec.h"
#include "daemon/upstream/token_broker.h"
#include "talkjs/sidecar/v1/session_service.pb.h"

namespace talkjsd::api {

// Adds to `errors` what the protos' limits forbid.
void CheckCredentials(const talkjs::sidecar::v1::CreateSessionRequest& request,
                      FieldErrors& errors);

// Of a validated request.
session::Credentials ToCredentials(const talkjs::sidecar::v1::CreateSessionRequest& request);

talkjs::sidecar::v1::ProvideTokensResponse ToProto(const upstream::TokenBroker::Outbox& outbox);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CONVERT_CREDENTIALS_H_
