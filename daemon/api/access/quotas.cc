#include "daemon/api/access/quotas.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "daemon/api/errors.h"

namespace talkjsd::api {
namespace {

// Over so many seconds the rate of opening is averaged.
constexpr double kWindowSeconds = 10;
constexpr Duration kLookInterval = std::chrono::seconds(1);
constexpr int kNoNewStreams = 80;
constexpr int kNoNewSessions = 90;

double Capacity(const Limits& limits) { return limits.streams_opened_per_second * kWindowSeconds; }

// What the last fifth is for: others.
size_t ShareOfOne(const Limits& limits) { return limits.streams - limits.streams / 5; }

}  // namespace

int64_t ResidentBytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t size = 0, resident = 0;
  if (!(statm >> size >> resident)) return 0;
  return resident * ::sysconf(_SC_PAGESIZE);
}

Limits Quotas::limits() const {
  MutexLock lock(mutex_);
  return limits_;
}

void Quotas::SetLimits(const Limits& limits) {
  MutexLock lock(mutex_);
  limits_ = limits;
}

double Quotas::Allowance(const Peer& peer, MonoTime now) const {
  const std::chrono::duration<double> passed = now - peer.as_of;
  return std::min(Capacity(limits_),
                  peer.allowance + passed.count() * limits_.streams_opened_per_second);
}

absl::StatusOr<std::unique_ptr<Quotas::Slot>> Quotas::TakeStream(const std::string& peer) {
  const MonoTime now = clock_.Now();
  MutexLock lock(mutex_);
  if (const absl::Status memory = CheckMemory(kNoNewStreams, "streams"); !memory.ok()) {
    return memory;
  }
  auto [it, is_new] = peers_.try_emplace(peer, Peer{Capacity(limits_), now});
  Peer& entry = it->second;
  entry.allowance = Allowance(entry, now);
  entry.as_of = now;
  if (entry.allowance < 1) {
    return LimitExceeded("streams_opened_per_second",
                         "you open more than " + std::to_string(limits_.streams_opened_per_second) +
                             " streams a second; keep streams open, or raise the limit");
  }
  if (limits_.streams > 0 && entry.open >= ShareOfOne(limits_)) {
    return LimitExceeded("max_streams", "you have " + std::to_string(entry.open) +
                                            " streams open; the rest of the daemon's limit of " +
                                            std::to_string(limits_.streams) +
                                            " is kept for others; close some or raise the limit");
  }
  entry.allowance -= 1;
  ++entry.open;
  return std::make_unique<Slot>(shared_from_this(), peer);
}

void Quotas::Release(const std::string& peer) {
  MutexLock lock(mutex_);
  const auto found = peers_.find(peer);
  if (found != peers_.end() && found->second.open > 0) --found->second.open;
}

absl::Status Quotas::CheckMemory(int percent, std::string_view what) const {
  if (limits_.memory_bytes <= 0 || resident_ < limits_.memory_bytes / 100 * percent) {
    return absl::OkStatus();
  }
  return LimitExceeded("memory_bytes", "the daemon uses over " + std::to_string(percent) +
                                           " % of the memory that it may, and takes no new " +
                                           std::string(what) + "; close some or raise the limit");
}

absl::Status Quotas::CheckMemoryForSession() const {
  MutexLock lock(mutex_);
  return CheckMemory(kNoNewSessions, "sessions");
}

void Quotas::Tick() {
  const MonoTime now = clock_.Now();
  {
    MutexLock lock(mutex_);
    if (now < next_look_) return;
    next_look_ = now + std::chrono::duration_cast<MonoTime::duration>(kLookInterval);
    std::erase_if(peers_, [&](const auto& entry) {
      return entry.second.open == 0 && Allowance(entry.second, now) >= Capacity(limits_);
    });
    if (limits_.memory_bytes <= 0) return;
  }
  const int64_t resident = resident_bytes_();
  MutexLock lock(mutex_);
  resident_ = resident;
}

}  // namespace talkjsd::api
