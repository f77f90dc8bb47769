// Reaction names: one emoji, or ":name:" for a custom one.
#ifndef TALKJSD_EMULATOR_MODEL_EMOJI_H_
#define TALKJSD_EMULATOR_MODEL_EMOJI_H_

#include <string>
#include <string_view>

namespace talkjsd::emulator {

// The form under which reactions are kept: an emoji as Unicode calls it fully qualified. U+FE0F
// stands behind every code point that is text without it, and behind no other. What is no emoji
// stays as it is.
std::string NormalizeEmoji(std::string_view emoji);

// ":name:" within the length limit, or a single emoji: a code point, a flag, a keycap, or several
// joined to one.
bool IsReactionName(std::string_view emoji);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_EMOJI_H_
