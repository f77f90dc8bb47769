// TalkJS's text markup (realtime.md section 10): what a person types, to and from the nodes of a
// text block.
//
//   ParseMarkup("*hi* bob, see talkjs.com", MarkupMode::kSend)
//     -> bold("hi"), " bob, see ", autoLink("http://talkjs.com", "talkjs.com")
//
// Both directions take time proportional to the text, whatever it contains. The tree is at most as
// deep as list, point, link, bold, italic and strikethrough within each other.
#ifndef TALKJSD_WIRE_MARKUP_H_
#define TALKJSD_WIRE_MARKUP_H_

#include <string>
#include <string_view>
#include <vector>

#include "daemon/wire/types.h"

namespace talkjsd::wire {

enum class MarkupMode {
  kSend,  // as a user sends: links and actions stay plain text
  kFull,  // links and actions too: edits, translations, the REST API
};

// `text` is UTF-8. Empty text has no nodes.
std::vector<TextNode> ParseMarkup(std::string_view text, MarkupMode mode);

// The plain text of the nodes (plaintext.h) with the signs of bold, italic, strikethrough, code and
// links put back. Not an exact inverse: a string that looks like markup is not protected.
std::string MarkupOf(const std::vector<TextNode>& nodes);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_MARKUP_H_
