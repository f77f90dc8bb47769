#include "daemon/config/difference.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace talkjsd::config {
namespace {

namespace v1 = talkjs::sidecar::config::v1;

using testing::ElementsAre;
using testing::IsEmpty;

v1::Config Parse(const std::string& text) {
  v1::Config values;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &values));
  return values;
}

TEST(DifferenceTest, OfTheSameThereIsNone) {
  const v1::Config values = Parse("shards: 2 listeners { address: 'a' } sessions { app_id: 'x' }");
  const Difference difference = Compare(values, values);
  EXPECT_THAT(difference.live, IsEmpty());
  EXPECT_THAT(difference.restart, IsEmpty());
}

TEST(DifferenceTest, TellsWhatIsLiveFromWhatWaits) {
  const Difference difference =
      Compare(Parse("shards: 2 log { level: LOG_LEVEL_INFO } limits { streams: 5 }"
                    "drain_timeout { seconds: 5 } upstream { ca_file: '/a' host: 'h' }"),
              Parse("shards: 3 log { level: LOG_LEVEL_DEBUG format: LOG_FORMAT_JSON }"
                    "limits { streams: 6 memory_bytes: 1 } drain_timeout { seconds: 6 }"
                    "upstream { ca_file: '/b' host: 'i' no_proxy: 'x' }"));
  EXPECT_THAT(difference.live, ElementsAre("upstream.ca_file", "limits.streams",
                                           "limits.memory_bytes", "log.level"));
  EXPECT_THAT(difference.restart, ElementsAre("upstream.host", "upstream.no_proxy", "log.format",
                                              "drain_timeout", "shards"));
}

TEST(DifferenceTest, EntriesAreKnownByWhatTheyAreAndNotByTheirPlace) {
  const Difference difference =
      Compare(Parse("listeners { address: 'a' policies { name: 'p' } } listeners { address: 'b' }"
                    "sessions { app_id: 'x' user_id: '1' } sessions { app_id: 'x' user_id: '2' }"
                    "sessions { app_id: 'x' user_id: '3' }"),
              Parse("listeners { address: 'c' } listeners { address: 'a' mode: '0600'"
                    "  policies { name: 'p' admin: true } }"
                    "sessions { app_id: 'x' user_id: '3' } sessions { app_id: 'x' user_id: '2'"
                    "  token_file: '/t' } sessions { app_id: 'x' user_id: '4' }"));
  EXPECT_THAT(difference.live, ElementsAre("listeners[a].policies", "sessions[x/1]",
                                           "sessions[x/2]", "sessions[x/4]"));
  EXPECT_THAT(difference.restart, ElementsAre("listeners[a].mode", "listeners[b]", "listeners[c]"));
}

}  // namespace
}  // namespace talkjsd::config
