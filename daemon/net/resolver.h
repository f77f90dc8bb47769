// For the .cc files of net only: name look-ups that nobody has to wait for.
#ifndef TALKJSD_NET_RESOLVER_H_
#define TALKJSD_NET_RESOLVER_H_

#include <functional>
#include <string>
#include <vector>

#include "daemon/net/asio.h"

namespace talkjsd::net {

struct Resolved {
  std::string error;  // empty if there are addresses
  std::vector<Tcp::endpoint> endpoints;
};

// Calls `done` on `io` later, or never if `io` is gone by then. Look-ups run on threads of their
// own that are never joined: getaddrinfo may hang for half a minute, and neither a timeout nor the
// end of the process may wait for it (Asio's resolver makes both wait). Look-ups of one name that
// is being looked up share its answer. Thread-safe.
void Resolve(asio::io_context& io, const std::string& host, uint16_t port,
             std::function<void(Resolved)> done);

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_RESOLVER_H_
