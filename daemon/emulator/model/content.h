// The content of a message that is being sent or edited: what TalkJS accepts.
#ifndef TALKJSD_EMULATOR_MODEL_CONTENT_H_
#define TALKJSD_EMULATOR_MODEL_CONTENT_H_

#include <absl/status/status.h>

#include <vector>

#include "daemon/wire/types.h"

namespace talkjsd::emulator {

struct ContentRules {
  bool users_may_send_links = false;  // link and action nodes
};

// A refusal unless the content may be sent: exactly one block; text that is not empty, of
// known nodes, whose automatic links show what they lead to; a location on Earth. 403 for nodes
// that users may not send. File blocks are taken as ResolveFileTokens (files.h) left them.
absl::Status CheckContent(const std::vector<wire::ContentBlock>& content,
                          const ContentRules& rules);

// Whether blocks, or nodes of texts, are of a kind that the emulator does not know.
bool HasUnknownKind(const std::vector<wire::ContentBlock>& content);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_CONTENT_H_
