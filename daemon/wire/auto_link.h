// Finds what becomes a link by itself in plain text: URLs, e-mail addresses, phone numbers
// (realtime.md section 10, steps 9 and 10).
#ifndef TALKJSD_WIRE_AUTO_LINK_H_
#define TALKJSD_WIRE_AUTO_LINK_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace talkjsd::wire {

struct FoundLink {
  size_t begin = 0;  // bytes
  size_t end = 0;
  std::string url;
};

// URLs and e-mail addresses, in order, not overlapping:
//  - "scheme://host...", and "scheme:host" if the host has a dot and a letter (not javascript: and
//    vbscript:)
//  - "host", also "//host", whose last label is a known top-level domain; four numbers of an IPv4
//    address; both with an optional port and path
//  - "local@host" with a known top-level domain, also behind "mailto:"
// Punctuation and unbalanced closing brackets at the end do not belong to a link. Words behind "@"
// and "#" are never linked, and neither is what directly follows a word that could have been the
// beginning of a link ("a=talkjs.com", "x/talkjs.com") or of a phone number ("5,talkjs.com"). Tags
// and what is within links of HTML is left alone (link_ranges.h). One flaw of TalkJS's parser is
// not copied: it shows "5.talkjs.com" and the like twice.
std::vector<FoundLink> FindLinks(std::string_view text);

// 7 to 13 digits, the last two adjacent, otherwise with at most one of "-_+ ()." between two of
// them, behind an optional "+" or "("; not next to "-", ":", "/" or a word character. Ranges of
// years and of times are none.
std::vector<FoundLink> FindPhoneNumbers(std::string_view text);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_AUTO_LINK_H_
