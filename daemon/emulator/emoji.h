// Reaction names: one emoji, or ":name:" for a custom one.
#ifndef TALKJSD_EMULATOR_EMOJI_H_
#define TALKJSD_EMULATOR_EMOJI_H_

#include <string>
#include <string_view>

namespace talkjsd::emulator {

// The form under which reactions are kept: a trailing U+FE0F is dropped behind an emoji that is
// fully qualified without it (one code point of Unicode's Emoji_Presentation); everything else
// stays.
std::string NormalizeEmoji(std::string_view emoji);

// ":name:" within the length limit, or text that could be one emoji: short, and not made of ASCII
// only.
bool IsReactionName(std::string_view emoji);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_EMOJI_H_
