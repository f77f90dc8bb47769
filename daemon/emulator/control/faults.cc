#include <absl/strings/numbers.h>

#include "daemon/emulator/control/control.h"
#include "daemon/emulator/faults/fault_json.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

CallResult AddFault(const ControlCall& call) {
  auto rule = ReadFaultRule(call.body);
  if (!rule.ok()) return rule.status();
  call.app.faults().Add(*std::move(rule));
  return EncodeFaultRule(call.app.faults().entries().back().rule);
}

CallResult ListFaults(const ControlCall& call) {
  json::array faults;
  for (const Faults::Entry& entry : call.app.faults().entries()) {
    faults.push_back(EncodeFaultRule(entry.rule));
  }
  return json::object{{"faults", std::move(faults)}};
}

absl::Status NoSuchFault(const std::string& id) {
  return Refuse(404, "FAULT_NOT_FOUND", "there is no fault rule " + id.substr(0, 50));
}

CallResult GetFault(const ControlCall& call) {
  int64_t id = 0;
  if (absl::SimpleAtoi(call.args[0], &id)) {
    for (const Faults::Entry& entry : call.app.faults().entries()) {
      if (entry.rule.id == id) return EncodeFaultRule(entry.rule);
    }
  }
  return NoSuchFault(call.args[0]);
}

CallResult DeleteFault(const ControlCall& call) {
  int64_t id = 0;
  if (!absl::SimpleAtoi(call.args[0], &id) || !call.app.faults().Remove(id)) {
    return NoSuchFault(call.args[0]);
  }
  return json::object();
}

CallResult ClearFaults(const ControlCall& call) {
  const size_t count = call.app.faults().entries().size();
  call.app.faults().Clear();
  return json::object{{"deleted", count}};
}

}  // namespace

void AddFaultRoutes(ControlRoutes& routes) {
  routes.Add("POST", "faults", "add a fault rule", AddFault);
  routes.Add("GET", "faults", "the fault rules, and how often each matched and fired", ListFaults);
  routes.Add("DELETE", "faults", "delete all fault rules", ClearFaults);
  routes.Add("GET", "faults/*", "one fault rule", GetFault);
  routes.Add("DELETE", "faults/*", "delete one fault rule", DeleteFault);
}

}  // namespace talkjsd::emulator
