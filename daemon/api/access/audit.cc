#include "daemon/api/access/audit.h"

#include <algorithm>

#include "daemon/base/log.h"

namespace talkjsd::api {
namespace {

constexpr double kBurst = 20;
constexpr double kLinesPerSecond = 5;

}  // namespace

bool Audit::MayWrite(int* left_out) {
  const MonoTime now = clock_.Now();
  MutexLock lock(mutex_);
  const std::chrono::duration<double> passed = now - as_of_;
  allowance_ = std::min(kBurst, allowance_ + passed.count() * kLinesPerSecond);
  as_of_ = now;
  if (allowance_ < 1) {
    ++left_out_;
    return false;
  }
  allowance_ -= 1;
  *left_out = left_out_;
  left_out_ = 0;
  return true;
}

void Audit::Refused(const Identity& identity, const Refusal& refusal) {
  int left_out = 0;
  if (!MayWrite(&left_out)) return;
  const std::string method =
      std::string(refusal.method.service).append("/").append(refusal.method.name);
  if (identity.process.has_value()) {
    LogWarning("access denied", {{"method", method},
                                 {"uid", identity.process->uid},
                                 {"gid", identity.process->gid},
                                 {"pid", identity.process->pid},
                                 {"listener", refusal.listener},
                                 {"policy", refusal.policy},
                                 {"session", refusal.session},
                                 {"why", refusal.why},
                                 {"left_out", left_out}});
  } else {
    LogWarning("access denied", {{"method", method},
                                 {"peer", PeerKey(identity)},
                                 {"from", identity.address},
                                 {"listener", refusal.listener},
                                 {"policy", refusal.policy},
                                 {"session", refusal.session},
                                 {"why", refusal.why},
                                 {"left_out", left_out}});
  }
}

void LogPeer(std::string_view event, std::string_view session_id, const Identity& identity) {
  if (identity.process.has_value()) {
    LogInfo(
        event,
        {{"session", session_id}, {"uid", identity.process->uid}, {"pid", identity.process->pid}});
  } else {
    LogInfo(event, {{"session", session_id}, {"peer", PeerKey(identity)}});
  }
}

}  // namespace talkjsd::api
