// Identifiers that a client makes itself.
#ifndef TALKJSD_WIRE_IDS_H_
#define TALKJSD_WIRE_IDS_H_

#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"

namespace talkjsd::wire {

// 20 characters: 8 of time, 12 random (realtime.md 6.5).
std::string IdempotencyKey(UnixMillis now, Random& random);

// 16 or more decimal digits that name one session object across reconnects (realtime.md 1.2).
std::string ClientId(Random& random);

// "msg_" + 22 alphanumerics (realtime.md 8.4); made by servers.
std::string MessageId(Random& random);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_IDS_H_
