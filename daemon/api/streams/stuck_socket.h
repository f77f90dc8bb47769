// Whether the other end of a connection has ceased to take anything out of its socket.
#ifndef TALKJSD_API_STREAMS_STUCK_SOCKET_H_
#define TALKJSD_API_STREAMS_STUCK_SOCKET_H_

#include <optional>

#include "daemon/base/clock.h"

namespace talkjsd::api {

// gRPC's keepalive finds a dead client only while its question can be sent: when the socket is full
// it waits behind what is being written (gRPC 1.51), for ever. A client that only reads its streams
// slowly empties its socket all the same.
//
// One thread at a time.
class StuckSocket {
 public:
  explicit StuckSocket(int fd) : fd_(fd) {}

  // To be asked about twice a second while something is being written to the descriptor, which must
  // be open: whether it has held the same unread bytes for `limit`.
  bool Look(MonoTime now, Duration limit);
  // Nothing is being written.
  void Forget() { since_.reset(); }
  // Cuts the connection: its calls end. The descriptor must be open.
  void Cut() const;

 private:
  const int fd_;
  int unread_ = 0;
  std::optional<MonoTime> since_;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_STUCK_SOCKET_H_
