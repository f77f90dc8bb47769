// TalkJS's REST API for servers (`/public_api/v1/{appId}/...`): who may call, and what answers.
//
// The calls themselves are in rest_users.cc, rest_conversations.cc, rest_participants.cc,
// rest_messages.cc and rest_presences.cc; they share rest_call.h.
#ifndef TALKJSD_EMULATOR_REST_REST_H_
#define TALKJSD_EMULATOR_REST_REST_H_

#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/app.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// `path` is what follows the app id, `query` what follows the question mark. Every answer is JSON:
// 200, or an error with `errorCode` and `reasons`. Nothing changes when the answer is an error, but
// for the operations of a batch that succeeded. The caller settles the app before he answers.
net::ServerResponse AnswerRest(App& app, const net::ServerRequest& request,
                               const std::vector<std::string>& path, std::string_view query);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_REST_REST_H_
