#include "address.h"

#include <unistd.h>

#include <cstdlib>

#include "talkjsd/client.h"

namespace talkjsd::client {
namespace {

constexpr char kSystemSocket[] = "/run/talkjsd/talkjsd.sock";

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

std::string DefaultAddress(const AddressEnvironment& environment) {
  const std::string given = environment.variable("TALKJSD_ADDRESS");
  if (!given.empty()) return NormalizeAddress(given);
  const std::string runtime_dir = environment.variable("XDG_RUNTIME_DIR");
  if (environment.is_root || runtime_dir.empty()) return NormalizeAddress(kSystemSocket);
  const std::string own = runtime_dir + "/talkjsd/talkjsd.sock";
  if (!environment.exists(own) && environment.exists(kSystemSocket)) {
    return NormalizeAddress(kSystemSocket);
  }
  return NormalizeAddress(own);
}

std::string DefaultAddress() {
  AddressEnvironment environment;
  environment.variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  environment.exists = [](const std::string& path) { return access(path.c_str(), F_OK) == 0; };
  environment.is_root = geteuid() == 0;
  return DefaultAddress(environment);
}

std::string NormalizeAddress(std::string_view address) {
  if (StartsWith(address, "/")) return "unix://" + std::string(address);
  return std::string(address);
}

std::string UnixSocketPath(std::string_view address) {
  if (StartsWith(address, "unix://")) return std::string(address.substr(7));
  if (StartsWith(address, "unix:")) return std::string(address.substr(5));
  return "";
}

}  // namespace talkjsd::client
