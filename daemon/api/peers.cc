#include "daemon/api/peers.h"

#include <charconv>

namespace talkjsd::api {

std::optional<int> DescriptorOf(std::string_view peer) {
  constexpr std::string_view kPrefix = "fd:";
  if (!peer.starts_with(kPrefix)) return std::nullopt;
  int fd = -1;
  const char* end = peer.data() + peer.size();
  const auto parsed = std::from_chars(peer.data() + kPrefix.size(), end, fd);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return fd;
}

void PeerTable::Set(int fd, net::PeerCredentials peer) {
  MutexLock lock(mutex_);
  by_fd_[fd] = peer;
}

std::optional<net::PeerCredentials> PeerTable::Find(std::string_view peer) const {
  const std::optional<int> fd = DescriptorOf(peer);
  if (!fd.has_value()) return std::nullopt;
  MutexLock lock(mutex_);
  const auto it = by_fd_.find(*fd);
  if (it == by_fd_.end()) return std::nullopt;
  return it->second;
}

}  // namespace talkjsd::api
