#include "daemon/api/calls/session_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

session::Info Session(const std::string& id, UnixMillis created,
                      session::State state = session::State::kConnected) {
  session::Info info;
  info.session_id = id;
  info.app_id = id < "m" ? "one" : "two";
  info.user_id = "user-" + id;
  info.created_at = created;
  info.state = state;
  return info;
}

std::vector<std::string> Ids(const v1::ListSessionsResponse& page) {
  std::vector<std::string> ids;
  for (const auto& session : page.sessions()) ids.push_back(session.session_id());
  return ids;
}

TEST(SessionListTest, PagesGoByCreationAndDoNotShiftWhenSessionsComeAndGo) {
  v1::ListSessionsRequest request;
  request.set_page_size(2);
  auto first = ListPage(request, {Session("c", 30), Session("a", 10), Session("b", 10)});
  ASSERT_TRUE(first.ok());
  EXPECT_THAT(Ids(*first), testing::ElementsAre("a", "b"));
  ASSERT_FALSE(first->next_page_token().empty());

  request.set_page_token(first->next_page_token());
  // Meanwhile "b", where the page ended, is gone, and "d" is new.
  auto second = ListPage(request, {Session("d", 40), Session("c", 30), Session("a", 10)});
  ASSERT_TRUE(second.ok());
  EXPECT_THAT(Ids(*second), testing::ElementsAre("c", "d"));
  EXPECT_TRUE(second->next_page_token().empty());
}

TEST(SessionListTest, LeavesDestroyedOnesOutUnlessAskedFor) {
  const std::vector<session::Info> all = {Session("a", 1),
                                          Session("b", 2, session::State::kDestroyed),
                                          Session("c", 3, session::State::kFailed)};
  v1::ListSessionsRequest request;
  EXPECT_THAT(Ids(*ListPage(request, all)), testing::ElementsAre("a", "c"));
  request.add_states(v1::SESSION_STATE_DESTROYED);
  request.add_states(v1::SESSION_STATE_FAILED);
  EXPECT_THAT(Ids(*ListPage(request, all)), testing::ElementsAre("b", "c"));
}

TEST(SessionListTest, FiltersByAppAndUser) {
  v1::ListSessionsRequest request;
  request.set_app_id("two");
  EXPECT_THAT(Ids(*ListPage(request, {Session("a", 1), Session("z", 2)})),
              testing::ElementsAre("z"));
  request.set_user_id("user-a");
  EXPECT_THAT(Ids(*ListPage(request, {Session("a", 1), Session("z", 2)})), testing::IsEmpty());
}

TEST(SessionListTest, RefusesTokensThatAreNotItsOwn) {
  v1::ListSessionsRequest request;
  request.set_page_size(1);
  const auto page = ListPage(request, {Session("a", 1), Session("b", 2)});
  request.set_page_token(page->next_page_token());
  request.set_app_id("one");
  for (const std::string& token : {page->next_page_token(), std::string("x"), std::string("%%")}) {
    request.set_page_token(token);
    const auto refused = ListPage(request, {});
    EXPECT_EQ(ReasonOf(refused.status()), v1::ERROR_REASON_PAGE_TOKEN_INVALID) << token;
  }
}

}  // namespace
}  // namespace talkjsd::api
