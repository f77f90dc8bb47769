// The TalkJS backend in small: one port that speaks TalkJS's realtime and HTTP protocols for one
// app, in memory or in a directory.
//
//   Emulator emulator({.app_id = "demo", .secret_key = Secret("sk_test_demo")});
//   if (absl::Status status = emulator.Start(); !status.ok()) ...
//   // clients: host = "127.0.0.1:" + std::to_string(emulator.port())
#ifndef TALKJSD_EMULATOR_EMULATOR_H_
#define TALKJSD_EMULATOR_EMULATOR_H_

#include <absl/status/status.h>

#include <cstdint>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/base/secret.h"

namespace talkjsd::emulator {

// Runs on a thread of its own. Start and destruction from one thread; the rest from any.
class Emulator {
 public:
  struct Options {
    std::string host = "127.0.0.1";
    uint16_t port = 0;  // 0 picks one
    std::string app_id = "demo";
    Secret secret_key{"sk_test_demo"};
    // The emulator lets in whoever comes without a signature: anything but loopback takes this to
    // be said.
    bool allow_remote_clients = false;
    bool users_may_send_links = false;  // link and action nodes in messages
    bool rest_rate_limits = false;      // those of TalkJS's REST API; see rest_limits.h
    std::string data_dir;               // where the state is kept; empty: in memory only
    std::string seed_file;              // merged at start, and what a reset goes back to
    std::string ui_settings_file;       // for TalkJS's components; see ui_settings.h
    const Clock* clock = &SystemClock();
    Random* random = &SecureRandom();
  };

  explicit Emulator(Options options);
  ~Emulator();  // closes every socket
  Emulator(const Emulator&) = delete;
  Emulator& operator=(const Emulator&) = delete;

  // Once. INVALID_ARGUMENT for an app id or key that cannot be, a key of a live app, a host that is
  // not loopback, or a seed or settings that are wrong (with the place in them); UNAVAILABLE naming
  // the address if it cannot listen; the errors of Store.
  absl::Status Start();

  uint16_t port() const;  // after Start

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_EMULATOR_H_
