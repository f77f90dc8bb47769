#include "daemon/api/calls/advice.h"

#include <algorithm>

#include "daemon/base/log.h"

namespace talkjsd::api {

void AdviseOnRole(const std::string& session_id, std::string_view field,
                  const talkjs::sidecar::v1::UserAttributes& user,
                  google::protobuf::RepeatedPtrField<std::string>* warnings) {
  const auto& nulls = user.null_fields();
  if (user.has_role() || std::find(nulls.begin(), nulls.end(), "role") != nulls.end()) return;
  *warnings->Add() =
      std::string(field).append(".role is not set; TalkJS advises to give every user a role");
  LogWarning("a user is written without a role; TalkJS advises to give every user one",
             {{"session", session_id}, {"field", field}});
}

}  // namespace talkjsd::api
