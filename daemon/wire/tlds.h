// Which names are top-level domains.
#ifndef TALKJSD_WIRE_TLDS_H_
#define TALKJSD_WIRE_TLDS_H_

#include <string_view>

namespace talkjsd::wire {

// `label` in lower case; names that are not ASCII in UTF-8 or as "xn--...".
bool IsTopLevelDomain(std::string_view label);

}  // namespace talkjsd::wire

#endif  // TALKJSD_WIRE_TLDS_H_
