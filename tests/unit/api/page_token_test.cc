#include "daemon/api/calls/page_token.h"

#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "talkjs/sidecar/v1/message_service.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

v1::ListMessagesRequest List(const std::string& session_id, const std::string& conversation_id) {
  v1::ListMessagesRequest list;
  list.set_session_id(session_id);
  list.set_conversation_id(conversation_id);
  return list;
}

TEST(PageTokenTest, GivesItsCursorBackWhateverItContains) {
  for (const std::string& cursor : {std::string(), std::string("a\0b\xff", 4), std::string("x")}) {
    const std::string token = MakePageToken(List("s", "c"), cursor);
    EXPECT_EQ(ReadPageToken(List("s", "c"), token).value(), cursor);
    EXPECT_EQ(
        token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
        std::string::npos);
  }
}

TEST(PageTokenTest, IsOfItsListOnly) {
  const std::string token = MakePageToken(List("s", "c"), "cursor");
  const std::string others[] = {"", "no token", "AAAA", token.substr(0, 6), "x" + token};
  for (const std::string& other : others) {
    EXPECT_EQ(ReasonOf(ReadPageToken(List("s", "c"), other).status()),
              v1::ERROR_REASON_PAGE_TOKEN_INVALID)
        << other;
  }
  EXPECT_FALSE(ReadPageToken(List("s2", "c"), token).ok());
  EXPECT_FALSE(ReadPageToken(List("s", "c2"), token).ok());
}

TEST(PageTokenTest, PageSizesHaveADefaultAndALimit) {
  EXPECT_EQ(PageSize(0, 20, 30), 20);
  EXPECT_EQ(PageSize(7, 20, 30), 7);
  EXPECT_EQ(PageSize(31, 20, 30), 30);
}

}  // namespace
}  // namespace talkjsd::api
