// Which parts of a text TalkJS's parser looks for links in: it takes the text for HTML, although
// messages are none.
#ifndef TALKJSD_WIRE_LINK_RANGES_H_
#define TALKJSD_WIRE_LINK_RANGES_H_

#include <cstddef>
#include <string_view>
#include <vector>

namespace talkjsd::wire {

struct TextRange {
  size_t begin = 0;  // bytes
  size_t end = 0;
};

// In order, not overlapping. Left out are tags with their attributes, comments, what stands in "a",
// "style" and "script" elements, and the character references of spaces, quotes and angle brackets
// ("&nbsp;"), which also part words. A "<" that begins none of these is text. Takes time
// proportional to the text.
std::vector<TextRange> LinkRanges(std::string_view text);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_LINK_RANGES_H_
