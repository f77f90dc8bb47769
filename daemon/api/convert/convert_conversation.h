// Between ConversationService's messages and the rooms' own types.
#ifndef TALKJSD_API_CONVERT_CONVERT_CONVERSATION_H_
#define TALKJSD_API_CONVERT_CONVERT_CONVERSATION_H_

#include <string>
#include <vector>

#include "daemon/upstream/call.h"
#include "daemon/upstream/conversation_query.h"
#include "talkjs/sidecar/v1/conversation_service.pb.h"

namespace talkjsd::api {

// All of validated requests.
upstream::ConversationWrite ToConversationWrite(
    const talkjs::sidecar::v1::ConversationAttributes& attributes);
// The session's user first, whether named or not (session-api.md section 4).
std::vector<upstream::ParticipantWrite> ToParticipantWrites(
    const talkjs::sidecar::v1::GetConversationRequest& request, const std::string& my_user_id);
std::vector<upstream::ConversationMatch> ToQuery(
    const talkjs::sidecar::v1::ConversationFilter& filter);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CONVERT_CONVERT_CONVERSATION_H_
