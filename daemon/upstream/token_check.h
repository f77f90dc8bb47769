// What can be found wrong with a token before TalkJS sees it.
#ifndef TALKJSD_UPSTREAM_TOKEN_CHECK_H_
#define TALKJSD_UPSTREAM_TOKEN_CHECK_H_

#include <absl/status/status.h>

#include <optional>
#include <string_view>

#include "daemon/base/clock.h"

namespace talkjsd::upstream {

// The longest token that is taken from anywhere.
inline constexpr size_t kMaxTokenBytes = 16 << 10;

// OK, or INVALID_ARGUMENT with TOKEN_MALFORMED, TOKEN_WRONG_TYPE, TOKEN_WRONG_APP,
// TOKEN_WRONG_USER, TOKEN_EXPIRED or TOKEN_NOT_YET_VALID. The signature is not checked: only TalkJS
// and the app have the key. `user_id`: nullopt while the session has no user. Messages hold nothing
// of the token.
absl::Status CheckToken(std::string_view token, std::string_view app_id,
                        std::optional<std::string_view> user_id, UnixMillis now);

// Of an answer that should be a token and nothing else: TOKEN_FETCH_EMPTY, TOKEN_FETCH_TOO_LARGE,
// or what CheckToken says.
absl::Status CheckFetchedToken(std::string_view token, std::string_view app_id,
                               std::string_view user_id, UnixMillis now);

// Seconds since the epoch; nullopt for a token without an end, or one that cannot be read, such as
// a boken.
std::optional<int64_t> TokenExpiry(std::string_view token);

// Without the white space around it.
std::string_view TrimSpace(std::string_view text);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_TOKEN_CHECK_H_
