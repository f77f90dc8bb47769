#include "daemon/api/calls/steps.h"

#include <atomic>
#include <memory>
#include <utility>

#include "daemon/api/limits.h"

namespace talkjsd::api {
namespace {

// Outstanding steps. Answers that never reach TalkJS may come from the caller's thread, beside
// those of the shard.
struct Rest {
  std::atomic<size_t> count;
  std::function<void()> next;
};

}  // namespace

void MakeSteps(session::Registry& registry, const std::string& session_id,
               const PendingCallRef& call, std::vector<Step> steps, std::function<void()> next) {
  if (steps.empty()) return next();
  for (const Step& step : steps) {
    if (step.request.data.size() <= kMaxUpstreamBytes) continue;
    return call->End(InvalidField("request", "must be at most " +
                                                 std::to_string(kMaxUpstreamBytes) +
                                                 " bytes as TalkJS reads it; it has " +
                                                 std::to_string(step.request.data.size())));
  }
  const auto rest = std::make_shared<Rest>();
  rest->count = steps.size();
  rest->next = std::move(next);
  for (Step& step : steps) {
    registry.Call(
        session_id, std::move(step.request), call->TimeLeft(),
        [call, rest, take = std::move(step.take)](const absl::StatusOr<upstream::Reply>& reply) {
          if (!reply.ok()) return call->End(reply.status());
          const absl::Status taken = take(*reply);
          if (!taken.ok()) return call->End(taken);
          if (--rest->count == 0) rest->next();
        });
  }
}

}  // namespace talkjsd::api
