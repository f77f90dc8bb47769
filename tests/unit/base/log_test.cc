#include "daemon/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

namespace talkjsd {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string Logged(const std::function<void()>& work) {
  testing::internal::CaptureStderr();
  work();
  return testing::internal::GetCapturedStderr();
}

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { SetLogLevel(LogLevel::kInfo); }
};

TEST_F(LogTest, TheLevelChangesAtAnyTime) {
  EXPECT_EQ(CurrentLogLevel(), LogLevel::kInfo);
  EXPECT_THAT(Logged([] { LogDebug("hidden"); }), Not(HasSubstr("hidden")));
  SetLogLevel(LogLevel::kDebug);
  EXPECT_EQ(CurrentLogLevel(), LogLevel::kDebug);
  EXPECT_THAT(Logged([] { LogDebug("shown"); }), HasSubstr(" debug shown\n"));
  SetLogLevel(LogLevel::kError);
  EXPECT_THAT(Logged([] { LogWarning("hidden"); }), Not(HasSubstr("hidden")));
}

TEST_F(LogTest, ScopesAddTheirFieldsOnTheirThread) {
  const std::string said = Logged([] {
    const LogScope outer({{"request", "req_1"}, {"session", "ses_outer"}});
    {
      const LogScope inner(std::vector<LogField>{{"session", "ses_inner"}});
      LogInfo("inside", {{"number", 7}});
    }
    LogInfo("own", {{"session", "ses_own"}});
    std::thread([] { LogInfo("elsewhere"); }).join();
  });
  EXPECT_THAT(said, HasSubstr("inside number=7 session=ses_inner request=req_1\n"));
  EXPECT_THAT(said, HasSubstr("own session=ses_own request=req_1\n"));
  EXPECT_THAT(said, HasSubstr("elsewhere\n"));
}

TEST_F(LogTest, AFloodOfOnePlaceSaysHowManyWereSuppressed) {
  const LogCounts before = CountLogLines();
  const std::string said = Logged([] {
    for (int i = 0; i < kLogBurst + 500; ++i) LogInfo("flood");
    LogInfo("another place");
  });
  const LogCounts after = CountLogLines();
  const uint64_t suppressed = after.suppressed - before.suppressed;
  EXPECT_GT(suppressed, 0u);
  EXPECT_EQ(after.written[1] - before.written[1] + suppressed,
            static_cast<uint64_t>(kLogBurst) + 500 + 1);
  EXPECT_THAT(said, HasSubstr("another place"));
}

TEST_F(LogTest, ValuesCannotForgeLines) {
  const std::string said = Logged([] { LogInfo("said", {{"text", "a\nb \"c\"=d"}}); });
  EXPECT_THAT(said, HasSubstr("text=\"a\\u000ab \\\"c\\\"=d\"\n"));
}

}  // namespace
}  // namespace talkjsd
