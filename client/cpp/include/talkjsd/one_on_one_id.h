// The id that TalkJS's SDKs give to the conversation of two users.
#ifndef TALKJSD_CLIENT_ONE_ON_ONE_ID_H_
#define TALKJSD_CLIENT_ONE_ON_ONE_ID_H_

#include <string>
#include <string_view>

namespace talkjsd::client {

// 20 characters; the same for (a, b) and (b, a), and the same as Talk.oneOnOneId in JavaScript.
// Both are user ids in UTF-8. Asks nobody: neither users nor conversation need to exist.
std::string OneOnOneId(std::string_view a, std::string_view b);

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_ONE_ON_ONE_ID_H_
