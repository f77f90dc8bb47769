#include "daemon/api/access/permit.h"

namespace talkjsd::api {

bool SessionFilter::Passes(const std::string& session_id) {
  std::shared_ptr<const ActivePolicy> policy = permit_->policy();
  if (policy->CoversAll()) return true;
  if (policy != policy_) {
    known_.clear();
    policy_ = std::move(policy);
  }
  const auto known = known_.find(session_id);
  if (known != known_.end()) return known->second;
  const absl::StatusOr<session::Info> info = registry_.Get(session_id);
  if (!info.ok()) return false;
  const bool passes = policy_->Covers(info->app_id, info->user_id);
  // A session without a user may still get one.
  if (info->user_id.has_value()) known_[session_id] = passes;
  return passes;
}

}  // namespace talkjsd::api
