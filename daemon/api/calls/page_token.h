// Page tokens of TalkJS's lists: TalkJS's cursor, and what it is a cursor of.
#ifndef TALKJSD_API_CALLS_PAGE_TOKEN_H_
#define TALKJSD_API_CALLS_PAGE_TOKEN_H_

#include <absl/status/statusor.h>
#include <google/protobuf/message_lite.h>

#include <string>
#include <string_view>

namespace talkjsd::api {

// `list`: a request that has only what tells its list from others.
std::string MakePageToken(const google::protobuf::MessageLite& list, std::string_view cursor);
// The cursor. INVALID_ARGUMENT (PAGE_TOKEN_INVALID) for anything that is no token of this list.
absl::StatusOr<std::string> ReadPageToken(const google::protobuf::MessageLite& list,
                                          std::string_view token);
absl::Status PageTokenInvalid();

// The size of a page: 0 = `default_size`, and no more than `max`.
int PageSize(int asked, int default_size, int max);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_PAGE_TOKEN_H_
