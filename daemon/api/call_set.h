// The calls in progress that somebody must be able to end: what a drain goes through, and what
// limits count.
#ifndef TALKJSD_API_CALL_SET_H_
#define TALKJSD_API_CALL_SET_H_

#include <absl/status/status.h>

#include <functional>
#include <list>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/api/access/permit.h"
#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd::api {

class LiveCall {
 public:
  virtual ~LiveCall() = default;
  // Ends the call with this status as soon as that is possible; nothing if it has ended. From any
  // thread.
  virtual void End(const absl::Status& status) = 0;
  // Whether it ends with this session.
  virtual bool IsOverAlone(const std::string&) const { return false; }

  // What it may do; null: it is too short to be looked at again. Set before it is added to a set.
  void SetPermit(PermitRef permit) { permit_ = std::move(permit); }
  const PermitRef& permit() const { return permit_; }

 private:
  PermitRef permit_;
};

// Thread-safe. Holds a reference to each call until it is removed.
class CallSet {
 public:
  // `limit` is the name of the setting that `max` is; 0 = no limit.
  CallSet(std::string_view limit, size_t max) : limit_(limit), max_(max) {}

  // UNAVAILABLE (DRAINING) after Drain, RESOURCE_EXHAUSTED (LIMIT_EXCEEDED) beyond the maximum.
  absl::Status Add(std::shared_ptr<LiveCall> call);
  // For calls that are added from now on.
  void SetMax(size_t max);
  // Nothing if it is not in the set.
  void Remove(const LiveCall* call);

  size_t size() const;
  std::vector<std::shared_ptr<LiveCall>> All() const;

  // Calls `gone` once, when every call that is over this session alone has left the set, at once if
  // there is none; or at the first Tick after `deadline`. Not under a lock.
  void WhenGone(const std::string& session_id, MonoTime deadline, std::function<void()> gone);
  void Tick(MonoTime now);

  // Refuses new calls and ends those in progress.
  void Drain();
  // False if some are left at `deadline` (of the system's clock).
  bool WaitUntilEmpty(MonoTime deadline);

 private:
  const std::string_view limit_;
  mutable Mutex mutex_;
  size_t max_ ABSL_GUARDED_BY(mutex_);
  CondVar emptied_;
  struct Wait {
    std::set<const LiveCall*> left;
    MonoTime deadline;
    std::function<void()> gone;
  };
  std::list<Wait> waits_ ABSL_GUARDED_BY(mutex_);
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  std::unordered_map<const LiveCall*, std::shared_ptr<LiveCall>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALL_SET_H_
