#include "daemon/api/access/connections.h"

#include <absl/strings/str_replace.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace talkjsd::api {
namespace {

// gRPC writes the brackets of IPv6 addresses as a URI has them.
std::string Plain(std::string_view peer) {
  return absl::StrReplaceAll(absl::string_view(peer.data(), peer.size()),
                             {{"%5B", "["}, {"%5D", "]"}});
}

// Sockets have numbers of their own; 0: not open, or no socket.
ino_t InodeOf(int fd) {
  struct stat info;
  return ::fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode) ? info.st_ino : 0;
}

}  // namespace

std::string PeerOfHandedOver(int fd) { return "fd:" + std::to_string(fd); }

std::string PeerOfAddress(int fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof(address);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  char text[INET6_ADDRSTRLEN];
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return "ipv6:[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
  ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  return "ipv4:" + std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
}

void ConnectionTable::Add(const std::string& peer, Connection connection) {
  const ino_t inode = InodeOf(connection.fd);
  MutexLock lock(mutex_);
  by_peer_.insert_or_assign(peer, Entry{std::move(connection), inode});
}

std::optional<Connection> ConnectionTable::Find(std::string_view peer) const {
  MutexLock lock(mutex_);
  const auto found = by_peer_.find(Plain(peer));
  if (found == by_peer_.end()) return std::nullopt;
  return found->second.connection;
}

void ConnectionTable::ClearSurplus(std::string_view peer) {
  MutexLock lock(mutex_);
  const auto found = by_peer_.find(Plain(peer));
  if (found != by_peer_.end()) found->second.connection.is_surplus = false;
}

size_t ConnectionTable::size() const {
  MutexLock lock(mutex_);
  return by_peer_.size();
}

size_t ConnectionTable::Count() {
  MutexLock lock(mutex_);
  std::erase_if(by_peer_, [](const auto& entry) {
    return InodeOf(entry.second.connection.fd) != entry.second.inode;
  });
  return by_peer_.size();
}

}  // namespace talkjsd::api
