// What one call may do: whose it is, and the policy that let it in.
#ifndef TALKJSD_API_ACCESS_PERMIT_H_
#define TALKJSD_API_ACCESS_PERMIT_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/api/access/bearer_tokens.h"
#include "daemon/api/access/methods.h"
#include "daemon/api/access/policy.h"
#include "daemon/api/access/quotas.h"
#include "daemon/base/mutex.h"
#include "daemon/session/registry.h"

namespace talkjsd::api {

// Which sessions a request is about.
struct Subject {
  std::vector<std::string> session_ids;  // that exist, or should
  // Of a session to be, or of one that gets its user.
  std::optional<std::string> app_id;
  std::optional<std::string> user_id;
  // All sessions, by a name that others may use as well: only for those who may use all.
  bool needs_all = false;
};

// Thread-safe. A stream keeps it; the policy may be replaced while it runs.
class Permit {
 public:
  Permit(size_t listener, Identity identity, std::optional<BearerTokens::Match> bearer,
         const Method& method, std::shared_ptr<const ActivePolicy> policy, uint64_t generation)
      : listener_(listener),
        identity_(std::move(identity)),
        bearer_(std::move(bearer)),
        method_(method),
        generation_(generation),
        policy_(std::move(policy)) {}

  size_t listener() const { return listener_; }
  const Identity& identity() const { return identity_; }
  const std::optional<BearerTokens::Match>& bearer() const { return bearer_; }
  const Method& method() const { return method_; }
  // Of the policies and tokens, when it was given.
  uint64_t generation() const { return generation_; }

  std::shared_ptr<const ActivePolicy> policy() const {
    MutexLock lock(mutex_);
    return policy_;
  }
  void SetPolicy(std::shared_ptr<const ActivePolicy> policy) {
    MutexLock lock(mutex_);
    policy_ = std::move(policy);
  }
  bool MayUse(const session::Info& info) const {
    return policy()->Covers(info.app_id, info.user_id);
  }

  // The right and the subject that were granted, to be looked at again when policies change.
  struct Grant {
    Right right;
    Subject subject;
  };
  void SetGrant(Grant grant) {
    MutexLock lock(mutex_);
    grant_ = std::move(grant);
  }
  std::optional<Grant> grant() const {
    MutexLock lock(mutex_);
    return grant_;
  }
  // Of a stream: its place among those of its peer.
  void SetSlot(std::unique_ptr<Quotas::Slot> slot) {
    MutexLock lock(mutex_);
    slot_ = std::move(slot);
  }

 private:
  const size_t listener_;
  const Identity identity_;
  const std::optional<BearerTokens::Match> bearer_;
  const Method& method_;
  const uint64_t generation_;
  mutable Mutex mutex_;
  std::shared_ptr<const ActivePolicy> policy_ ABSL_GUARDED_BY(mutex_);
  std::optional<Grant> grant_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<Quotas::Slot> slot_ ABSL_GUARDED_BY(mutex_);
};

using PermitRef = std::shared_ptr<Permit>;

// Which sessions a stream over all of them shows. One thread at a time.
class SessionFilter {
 public:
  // `registry` outlives it.
  SessionFilter(const session::Registry& registry, PermitRef permit)
      : registry_(registry), permit_(std::move(permit)) {}

  // A session that is not known (any more) is shown only to those who may use all.
  bool Passes(const std::string& session_id);
  // Whether nothing is left out.
  bool PassesAll() const { return permit_->policy()->CoversAll(); }

 private:
  const session::Registry& registry_;
  const PermitRef permit_;
  std::shared_ptr<const ActivePolicy> policy_;  // that known_ is of
  std::map<std::string, bool> known_;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_PERMIT_H_
