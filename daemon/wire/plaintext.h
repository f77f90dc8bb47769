// The plain text of a message's content (realtime.md 8.7).
#ifndef TALKJSD_WIRE_PLAINTEXT_H_
#define TALKJSD_WIRE_PLAINTEXT_H_

#include <string>
#include <vector>

#include "daemon/wire/types.h"

namespace talkjsd::wire {

std::string PlainText(const std::vector<ContentBlock>& content);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_PLAINTEXT_H_
