#include "daemon/api/streams/stuck_socket.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

namespace talkjsd::api {

bool StuckSocket::Look(MonoTime now, Duration limit) {
  int unread = 0;
  if (::ioctl(fd_, SIOCOUTQ, &unread) != 0 || unread == 0) {
    Forget();
    return false;
  }
  if (!since_.has_value() || unread != unread_) {
    unread_ = unread;
    since_ = now;
    return false;
  }
  return now - *since_ >= limit;
}

void StuckSocket::Cut() const { ::shutdown(fd_, SHUT_RDWR); }

}  // namespace talkjsd::api
