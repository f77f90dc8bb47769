// The connections that were let in: who is at the other end of each.
#ifndef TALKJSD_API_ACCESS_CONNECTIONS_H_
#define TALKJSD_API_ACCESS_CONNECTIONS_H_

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/base/mutex.h"
#include "daemon/net/acceptor.h"

namespace talkjsd::api {

struct Connection {
  size_t listener = 0;
  int fd = -1;
  std::optional<net::PeerCredentials> process;  // of a Unix socket
  // It came when there were as many as may be.
  bool is_surplus = false;
};

// How grpc::ServerContextBase::peer() will name a connection: "fd:8" if it is handed over as it is,
// else by its address, "ipv4:127.0.0.1:40312". Empty: the other end is gone.
std::string PeerOfHandedOver(int fd);
std::string PeerOfAddress(int fd);

// Thread-safe. gRPC owns the descriptors and closes them. A descriptor stays open as long as a call
// of its connection lives, and so does its entry; an entry whose descriptor is closed, or another
// file's by now, is dropped at the next count.
class ConnectionTable {
 public:
  // Before the connection is given to gRPC. Overwrites what had the same name.
  void Add(const std::string& peer, Connection connection);
  std::optional<Connection> Find(std::string_view peer) const;
  // It is one of those that may be.
  void ClearSurplus(std::string_view peer);
  // With those that are closed and not dropped yet.
  size_t size() const;
  // Drops those that are closed and counts the rest.
  size_t Count();

 private:
  struct Entry {
    Connection connection;
    ino_t inode = 0;
  };
  mutable Mutex mutex_;
  std::unordered_map<std::string, Entry> by_peer_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_CONNECTIONS_H_
