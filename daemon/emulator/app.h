// One emulated TalkJS app: its world, and everything that serves it, without the sockets.
#ifndef TALKJSD_EMULATOR_APP_H_
#define TALKJSD_EMULATOR_APP_H_

#include <absl/status/status.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"
#include "daemon/emulator/authenticator.h"
#include "daemon/emulator/calls/router.h"
#include "daemon/emulator/faults/faults.h"
#include "daemon/emulator/model/content.h"
#include "daemon/emulator/model/files.h"
#include "daemon/emulator/model/publisher.h"
#include "daemon/emulator/model/world.h"
#include "daemon/emulator/store/store.h"
#include "daemon/emulator/virtual_clock.h"
#include "daemon/net/event_loop.h"

namespace talkjsd::emulator {

class Connection;

// Lives on the loop's thread. Loop, clock and random outlive it.
class App {
 public:
  App(net::EventLoop& loop, const Clock& clock, Random& random, std::string app_id,
      Secret secret_key, ContentRules content_rules);
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  // Takes up the world that is kept in `directory`, and keeps it there from now on. At most once,
  // before anything else. Errors as those of Store.
  absl::Status Keep(const std::string& directory);
  // What a reset goes back to, checked; nothing without it. Puts it into the world as well.
  absl::Status StartWith(wire::json::object seed);
  // Forgets everything but that.
  absl::Status Reset();

  // To be called after everything that may have changed the world, before the caller is answered:
  // writes the changes down, delivers the events and sees to what ends by itself. While they cannot
  // be written no event leaves either; both are tried again each time.
  void Settle();
  // Why the last Settle could not write.
  const absl::Status& written() const { return written_; }

  // A call of a client, settled. One that `changes` something is refused with 500 if that cannot be
  // written, and not even made if what was before it cannot. `refuse` makes the result of a status.
  template <typename Make, typename Refuse = std::identity>
  auto Perform(bool changes, Make make, Refuse refuse = {}) -> decltype(make()) {
    if (changes && !written_.ok()) Settle();
    if (changes && !written_.ok()) return refuse(CannotWrite());
    auto result = make();
    Settle();
    if (changes && !written_.ok()) return refuse(CannotWrite());
    return result;
  }

  net::EventLoop& loop() { return loop_; }
  // The time of the emulated app; of the wire, which nobody can move; and the means to move it.
  const Clock& clock() const { return clock_; }
  const Clock& wire_clock() const { return clock_.real(); }
  VirtualClock& virtual_clock() { return clock_; }
  const Authenticator& authenticator() const { return authenticator_; }
  const ContentRules& content_rules() const { return content_rules_; }
  const Router& realtime() const { return realtime_; }
  // What TalkJS's components are told (ui_settings.h); the defaults unless set.
  const wire::json::object& ui_settings() const { return ui_settings_; }
  void set_ui_settings(wire::json::object settings) { ui_settings_ = std::move(settings); }
  World& world() { return world_; }
  Publisher& publisher() { return publisher_; }
  FileStore& files() { return files_; }
  const FileStore& files() const { return files_; }
  Faults& faults() { return faults_; }

  // The open realtime sockets, oldest first. Each has an id of its own from AddConnection on.
  const std::map<int64_t, Connection*>& connections() const { return connections_; }
  int64_t AddConnection(Connection& connection);
  void RemoveConnection(int64_t id) { connections_.erase(id); }

 private:
  static absl::Status CannotWrite();

  net::EventLoop& loop_;
  VirtualClock clock_;
  const Authenticator authenticator_;
  const ContentRules content_rules_;
  const Router realtime_ = Router::ForRealtime();
  World world_;
  Publisher publisher_;
  FileStore files_;
  Faults faults_;
  std::map<int64_t, Connection*> connections_;
  int64_t next_connection_id_ = 1;
  VirtualTimer typing_end_;
  std::unique_ptr<Store> store_;  // nullptr: in memory only
  absl::Status written_;
  std::optional<wire::json::object> seed_;
  wire::json::object ui_settings_;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_APP_H_
