// Who is at the other end of each connection that we accepted.
#ifndef TALKJSD_API_PEERS_H_
#define TALKJSD_API_PEERS_H_

#include <optional>
#include <string_view>
#include <unordered_map>

#include "daemon/base/mutex.h"
#include "daemon/net/unix_listener.h"

namespace talkjsd::api {

// The number in `peer` as grpc::ServerContextBase::peer() has it: "fd:8".
std::optional<int> DescriptorOf(std::string_view peer);

// Thread-safe. A descriptor's number stays taken while a call of its connection lives, so an entry
// is overwritten at accept, found at a call's start, and copied into the call.
class PeerTable {
 public:
  void Set(int fd, net::PeerCredentials peer);
  // `peer` as in DescriptorOf.
  std::optional<net::PeerCredentials> Find(std::string_view peer) const;

 private:
  mutable Mutex mutex_;
  std::unordered_map<int, net::PeerCredentials> by_fd_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_PEERS_H_
