// Where the API listens.
#ifndef TALKJSD_API_ACCESS_ADDRESS_H_
#define TALKJSD_API_ACCESS_ADDRESS_H_

#include <absl/status/statusor.h>

#include <cstdint>
#include <string>

#include "daemon/api/access/listener_options.h"

namespace talkjsd::api {

struct Address {
  std::string path;  // of a Unix socket; empty: TCP
  std::string ip;    // without brackets
  uint16_t port = 0;
  bool is_unix() const { return !path.empty(); }
  bool is_loopback() const;
};

// "unix:///run/x.sock", "127.0.0.1:7070", "[::1]:7070", "localhost:7070". INVALID_ARGUMENT
// (INVALID_FIELD) for anything else.
absl::StatusOr<Address> ParseAddress(const std::string& address);

// Whether the listener makes sense: its address, and what goes with it and with its policies.
// INVALID_ARGUMENT (INVALID_FIELD) says what would. Opens no file.
absl::StatusOr<Address> CheckListener(const ListenerOptions& options);

// "127.0.0.1:7070", "[::1]:7070".
std::string FormatTcp(const std::string& ip, uint16_t port);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_ADDRESS_H_
