// The control endpoint: what a developer or a test may do to a running emulator, as JSON over HTTP
// under /_emulator/v1/ on the emulator's own port. For .cc files: knows JSON.
//
// It has no access control of its own; it is as reachable as the emulator is. Web pages are kept
// out: a request with an Origin header is refused, and no answer carries CORS headers.
#ifndef TALKJSD_EMULATOR_CONTROL_CONTROL_H_
#define TALKJSD_EMULATOR_CONTROL_CONTROL_H_

#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/app.h"
#include "daemon/emulator/calls/router.h"
#include "daemon/net/http_server.h"
#include "daemon/wire/json.h"

namespace talkjsd::emulator {

// One request. `args` are the decoded segments that the route's pattern leaves open, in order;
// `body` is {} where the request had none.
struct ControlCall {
  App& app;
  std::vector<std::string> args;
  const wire::json::object& body;
};

// Errors are refusals (refusal.h). The world's events leave after the handler has returned.
using ControlHandler = CallResult (*)(const ControlCall& call);

// Immutable once built; thread-safe.
class ControlRoutes {
 public:
  static const ControlRoutes& All();

  // `pattern` is what follows /_emulator/v1/, like "faults/*": "*" matches any one segment.
  // `summary` is what the list of routes says about it.
  void Add(std::string_view method, std::string_view pattern, std::string_view summary,
           ControlHandler handler);

  // 404 for an unknown path, 405 for a known one with another method. `path` without the prefix.
  CallResult Answer(App& app, std::string_view method, const std::vector<std::string>& path,
                    const wire::json::object& body) const;

  // [{"method", "path", "summary"}]
  wire::json::array List() const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> pattern;
    std::string path;
    std::string summary;
    ControlHandler handler;
  };
  std::vector<Route> routes_;
};

// By area.
void AddFaultRoutes(ControlRoutes& routes);
void AddConnectionRoutes(ControlRoutes& routes);
void AddClockRoutes(ControlRoutes& routes);
void AddStateRoutes(ControlRoutes& routes);

// Whether a request is for the control endpoint, by its target.
bool IsForControl(std::string_view target);

net::ServerResponse AnswerControl(App& app, const net::ServerRequest& request);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_CONTROL_CONTROL_H_
