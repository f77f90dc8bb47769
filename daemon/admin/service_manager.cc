#include "daemon/admin/service_manager.h"

#include <systemd/sd-daemon.h>
#include <time.h>

#include <atomic>
#include <utility>

#include "daemon/base/log.h"

namespace talkjsd::admin {

ServiceManager::Options ServiceManager::FromEnvironment() {
  Options options;
  options.notify = [](const std::string& state) { sd_notify(0, state.c_str()); };
  uint64_t microseconds = 0;
  if (sd_watchdog_enabled(0, &microseconds) > 0) {
    options.watchdog = std::chrono::microseconds(microseconds);
  }
  return options;
}

ServiceManager::ServiceManager(Options options) : options_(std::move(options)) {}

ServiceManager::~ServiceManager() { StopWatchdog(); }

void ServiceManager::Ready(std::string_view status) {
  options_.notify("READY=1\nSTATUS=" + std::string(status));
}

void ServiceManager::Reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);  // the clock that systemd compares it with
  const int64_t microseconds = int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  options_.notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds) +
                  "\nSTATUS=reading the configuration");
}

void ServiceManager::Stopping(Duration at_most) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(at_most).count();
  options_.notify("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(micros) +
                  "\nSTATUS=draining");
}

void ServiceManager::Status(std::string_view status) {
  options_.notify("STATUS=" + std::string(status));
}

void ServiceManager::StartWatchdog(std::vector<Probe> probes) {
  if (options_.watchdog == Duration::zero()) return;
  watchdog_ = std::thread([this, probes = std::move(probes)] { Watch(probes); });
}

void ServiceManager::StopWatchdog() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  wake_.NotifyAll();
  if (watchdog_.joinable()) watchdog_.join();
}

void ServiceManager::Watch(const std::vector<Probe>& probes) {
  // Shared with answers, which may come after the watchdog has ended.
  const auto unanswered = std::make_shared<std::atomic<size_t>>(0);
  while (true) {
    if (*unanswered == 0) {
      options_.notify("WATCHDOG=1");
      *unanswered = probes.size();
      for (const Probe& probe : probes) {
        probe([unanswered] { --*unanswered; });
      }
    } else {
      LogWarning("a thread of the daemon does not answer", {{"threads", unanswered->load()}});
    }
    const MonoTime next = SystemClock().Now() + options_.watchdog / 2;
    MutexLock lock(mutex_);
    while (!stopped_ && wake_.WaitUntil(mutex_, next)) {
    }
    if (stopped_) return;
  }
}

}  // namespace talkjsd::admin
