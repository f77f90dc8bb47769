#include <algorithm>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/control/control.h"
#include "daemon/emulator/faults/fault_json.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// So far the clock may run ahead of the real one.
constexpr int64_t kMaxAheadMillis = int64_t{10} * 366 * 24 * 60 * 60 * 1000;

json::object Show(App& app) {
  const VirtualClock& clock = app.virtual_clock();
  return json::object{{"now", clock.WallMillis()},
                      {"ahead_ms", clock.WallMillis() - clock.real().WallMillis()},
                      {"frozen", clock.frozen()}};
}

CallResult GetClock(const ControlCall& call) { return Show(call.app); }

CallResult SetClock(const ControlCall& call) {
  absl::Status status = CheckNames(call.body, {"advance_ms", "freeze"});
  if (!status.ok()) return status;
  VirtualClock& clock = call.app.virtual_clock();
  const int64_t ahead = clock.WallMillis() - clock.real().WallMillis();
  const auto advance =
      ReadWhole(call.body, "advance_ms", 0, std::max<int64_t>(0, kMaxAheadMillis - ahead));
  if (!advance.ok()) return advance.status();
  const auto freeze = ReadFlag(call.body, "freeze");
  if (!freeze.ok()) return freeze.status();
  if (call.body.empty()) return BadRequest("give advance_ms, freeze or both");
  if (*freeze) clock.Freeze();
  clock.Advance(std::chrono::milliseconds(advance->value_or(0)));
  if (!*freeze && Find(call.body, "freeze") != nullptr) clock.Resume();
  return Show(call.app);
}

}  // namespace

void AddClockRoutes(ControlRoutes& routes) {
  routes.Add("GET", "clock", "the app's time, and how far it is ahead of the real one", GetClock);
  routes.Add("POST", "clock", "move on by \"advance_ms\"; \"freeze\": true stops, false goes on",
             SetClock);
}

}  // namespace talkjsd::emulator
