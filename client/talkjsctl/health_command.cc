// talkjsctl health: for health checks of containers and for scripts.
#include <iostream>

#include "client/talkjsctl/commands.h"

namespace talkjsd::talkjsctl {
namespace {

// As gRPC's health protocol has them.
const char* NameOf(client::Health health) {
  switch (health) {
    case client::Health::kServing:
      return "SERVING";
    case client::Health::kNotServing:
      return "NOT_SERVING";
    case client::Health::kUnknown:
      break;
  }
  return "UNKNOWN";
}

}  // namespace

int ShowHealth(const GlobalOptions& global, const std::string& service) {
  client::Client client = MakeClient(global);
  client::Health health = client::Health::kUnknown;
  const client::Status status = client.CheckHealth(service, &health);
  if (!status.ok()) return Fail("cannot read the health", status);
  if (global.json) {
    std::cout << "{\"status\":\"" << NameOf(health) << "\"}\n";
  } else {
    std::cout << NameOf(health) << "\n";
  }
  const int written = FinishOutput();
  return health == client::Health::kServing ? written : kExitRefused;
}

}  // namespace talkjsd::talkjsctl
