// What a person should know about a request that was carried out.
#ifndef TALKJSD_API_CALLS_ADVICE_H_
#define TALKJSD_API_CALLS_ADVICE_H_

#include <string>
#include <string_view>

#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::api {

// Adds a warning, to the answer and to the log, about a user who is given without a role; one that
// is reset to the default is given. `field`: where the user is in the request.
void AdviseOnRole(const std::string& session_id, std::string_view field,
                  const talkjs::sidecar::v1::UserAttributes& user,
                  google::protobuf::RepeatedPtrField<std::string>* warnings);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_ADVICE_H_
