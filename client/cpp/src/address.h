// Where a daemon of this machine listens. The rules are at DefaultAddress() in talkjsd/client.h.
#ifndef TALKJSD_CLIENT_ADDRESS_H_
#define TALKJSD_CLIENT_ADDRESS_H_

#include <functional>
#include <string>
#include <string_view>

namespace talkjsd::client {

// What the rules look at, so that tests can be any user.
struct AddressEnvironment {
  std::function<std::string(const char*)> variable;     // empty = not set
  std::function<bool(const std::string& path)> exists;  // false also when it cannot be seen
  bool is_root = false;
};

std::string DefaultAddress(const AddressEnvironment& environment);

// `address` as gRPC wants it: an absolute path becomes unix://path, everything else stays.
std::string NormalizeAddress(std::string_view address);

// The path of a Unix socket's address in gRPC's form; empty if it is none.
std::string UnixSocketPath(std::string_view address);

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_ADDRESS_H_
