// One emulated TalkJS app: its world, and everything that serves it, without the sockets.
#ifndef TALKJSD_EMULATOR_APP_H_
#define TALKJSD_EMULATOR_APP_H_

#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/emulator/authenticator.h"
#include "daemon/emulator/content.h"
#include "daemon/emulator/files.h"
#include "daemon/emulator/publisher.h"
#include "daemon/emulator/router.h"
#include "daemon/emulator/world.h"
#include "daemon/net/event_loop.h"

namespace talkjsd::emulator {

// Lives on the loop's thread. Loop, clock and random outlive it.
class App {
 public:
  App(net::EventLoop& loop, const Clock& clock, Random& random, std::string app_id,
      Secret secret_key, ContentRules content_rules);
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // To be called after everything that may have changed the world, before the caller is answered:
  // delivers the events and sees to what ends by itself.
  void Settle();

  net::EventLoop& loop() { return loop_; }
  const Clock& clock() const { return clock_; }
  const Authenticator& authenticator() const { return authenticator_; }
  const ContentRules& content_rules() const { return content_rules_; }
  const Router& realtime() const { return realtime_; }
  World& world() { return world_; }
  Publisher& publisher() { return publisher_; }
  FileStore& files() { return files_; }
  const FileStore& files() const { return files_; }

 private:
  net::EventLoop& loop_;
  const Clock& clock_;
  const Authenticator authenticator_;
  const ContentRules content_rules_;
  const Router realtime_ = Router::ForRealtime();
  World world_;
  Publisher publisher_;
  FileStore files_;
  net::Timer typing_end_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_APP_H_
