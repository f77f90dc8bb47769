// What the daemon tells the service manager that started it (systemd, Type=notify).
#ifndef TALKJSD_ADMIN_SERVICE_MANAGER_H_
#define TALKJSD_ADMIN_SERVICE_MANAGER_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd::admin {

// Thread-safe. Does nothing where no service manager listens.
class ServiceManager {
 public:
  // Posts to a thread of the daemon, which calls `alive` if it lives.
  using Probe = std::function<void(std::function<void()> alive)>;

  struct Options {
    // sd_notify: takes lines such as "READY=1".
    std::function<void(const std::string& state)> notify;
    // How often the manager expects a sign of life; zero: never.
    Duration watchdog = Duration::zero();
  };
  // The real one, as the environment says.
  static Options FromEnvironment();

  explicit ServiceManager(Options options);
  ~ServiceManager();  // StopWatchdog

  void Ready(std::string_view status);
  // A reload begins (Type=notify-reload); it ends with Ready.
  void Reloading();
  // It may take `at_most`, whatever the manager's own limit is (TimeoutStopSec=).
  void Stopping(Duration at_most);
  void Status(std::string_view status);

  // Twice a watchdog interval: asks all probes, and gives a sign of life if all have answered since
  // the last time. A thread that hangs thus has the daemon restarted. Once.
  void StartWatchdog(std::vector<Probe> probes);
  // Probes are not called any more when it returns. Idempotent.
  void StopWatchdog();

 private:
  void Watch(const std::vector<Probe>& probes);

  const Options options_;
  Mutex mutex_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watchdog_;
};

}  // namespace talkjsd::admin

#endif  // TALKJSD_ADMIN_SERVICE_MANAGER_H_
