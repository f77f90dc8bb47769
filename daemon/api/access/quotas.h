// What is counted against the limits: streams of each peer, and the process's memory.
#ifndef TALKJSD_API_ACCESS_QUOTAS_H_
#define TALKJSD_API_ACCESS_QUOTAS_H_

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "daemon/api/access/listener_options.h"
#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd::api {

// Bytes of this process that are in memory; 0 if the system does not tell.
int64_t ResidentBytes();

// Thread-safe. Errors are RESOURCE_EXHAUSTED (LIMIT_EXCEEDED) with the name of the limit.
class Quotas : public std::enable_shared_from_this<Quotas> {
 public:
  Quotas(const Limits& limits, const Clock& clock,
         std::function<int64_t()> resident_bytes = ResidentBytes)
      : clock_(clock), resident_bytes_(std::move(resident_bytes)), limits_(limits) {}

  Limits limits() const;
  void SetLimits(const Limits& limits);

  // One stream of a peer, until it is destroyed.
  class Slot {
   public:
    Slot(std::shared_ptr<Quotas> quotas, std::string peer)
        : quotas_(std::move(quotas)), peer_(std::move(peer)) {}
    ~Slot() { quotas_->Release(peer_); }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

   private:
    const std::shared_ptr<Quotas> quotas_;
    const std::string peer_;
  };
  // For a stream of the peer (PeerKey): refused when it opens too many in a time, when it has more
  // than its share open, or when memory is short.
  absl::StatusOr<std::unique_ptr<Slot>> TakeStream(const std::string& peer);
  // For a new session.
  absl::Status CheckMemoryForSession() const;

  // From time to time: looks at the memory once a second, and forgets peers that are idle.
  void Tick();

 private:
  struct Peer {
    double allowance = 0;  // streams that it may open at once
    MonoTime as_of;
    size_t open = 0;
  };
  void Release(const std::string& peer);
  absl::Status CheckMemory(int percent, std::string_view what) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // What the peer may open now.
  double Allowance(const Peer& peer, MonoTime now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const std::function<int64_t()> resident_bytes_;
  mutable Mutex mutex_;
  Limits limits_ ABSL_GUARDED_BY(mutex_);
  std::unordered_map<std::string, Peer> peers_ ABSL_GUARDED_BY(mutex_);
  int64_t resident_ ABSL_GUARDED_BY(mutex_) = 0;
  MonoTime next_look_ ABSL_GUARDED_BY(mutex_){};
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_QUOTAS_H_
