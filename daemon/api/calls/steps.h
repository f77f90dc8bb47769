// The calls to TalkJS that one call of the API makes.
#ifndef TALKJSD_API_CALLS_STEPS_H_
#define TALKJSD_API_CALLS_STEPS_H_

#include <functional>
#include <string>
#include <vector>

#include "daemon/api/calls/unary.h"
#include "daemon/session/registry.h"

namespace talkjsd::api {

struct Step {
  upstream::Request request;
  // Looks at TalkJS's answer and takes out of it what is wanted. On the session's shard.
  std::function<absl::Status(const upstream::Reply&)> take;
};

// Makes the requests as the session's user, in their order and without waiting between them. When
// all have been answered and taken, calls `next` on the session's shard; the first trouble ends
// `call` instead, and so does a request of more than kMaxUpstreamBytes, before any is made. No
// steps: `next` at once. `registry` outlives the calls.
void MakeSteps(session::Registry& registry, const std::string& session_id,
               const PendingCallRef& call, std::vector<Step> steps, std::function<void()> next);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_STEPS_H_
