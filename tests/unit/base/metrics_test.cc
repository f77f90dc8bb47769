#include "daemon/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>

#include <set>
#include <sstream>

#include "daemon/base/process_stats.h"

namespace talkjsd {
namespace {

using testing::HasSubstr;

// Name -> type, of the families in the text format.
std::map<std::string, std::string> Families(const std::string& text) {
  std::map<std::string, std::string> families;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# TYPE ")) continue;
    std::istringstream words(line.substr(7));
    std::string name;
    words >> name >> families[name];
  }
  return families;
}

TEST(MetricsTest, TheReferenceIsWhatIsServed) {
  Metrics metrics;
  metrics.Calls("EventService/StreamMessages", "OK").Increment();
  std::map<std::string, std::string> expected;
  for (const MetricInfo& info : MetricReference()) {
    EXPECT_TRUE(expected.emplace(info.name, MetricTypeName(info.type)).second) << info.name;
    EXPECT_GT(std::string(info.help).size(), 5u) << info.name;
  }
  EXPECT_EQ(Families(metrics.Render()), expected);
}

TEST(MetricsTest, NamesFollowTheConventions) {
  for (const MetricInfo& info : MetricReference()) {
    const std::string name = info.name;
    EXPECT_TRUE(name.starts_with("talkjsd_") || name.starts_with("process_")) << name;
    EXPECT_EQ(name.ends_with("_total"), info.type == MetricInfo::Type::kCounter) << name;
  }
}

TEST(MetricsTest, CallsAreCountedByMethodAndCode) {
  Metrics metrics;
  metrics.Calls("A/B", "OK").Increment();
  metrics.Calls("A/B", "OK").Increment();
  metrics.Calls("A/B", "NOT_FOUND").Increment();
  const std::string text = metrics.Render();
  EXPECT_THAT(text, HasSubstr("talkjsd_grpc_calls_total{code=\"OK\",method=\"A/B\"} 2"));
  EXPECT_THAT(text, HasSubstr("talkjsd_grpc_calls_total{code=\"NOT_FOUND\",method=\"A/B\"} 1"));
}

TEST(ProcessStatsTest, SaysWhatTheSystemSays) {
  const ProcessStats stats = ReadProcessStats();
  EXPECT_GT(stats.resident_bytes, 1e6);
  EXPECT_GE(stats.virtual_bytes, stats.resident_bytes);
  EXPECT_GE(stats.open_fds, 3);
  EXPECT_GT(stats.max_fds, stats.open_fds);
  EXPECT_GE(stats.threads, 1);
  // Within a day of now, and not in the future.
  const double now = static_cast<double>(::time(nullptr));
  EXPECT_LE(stats.start_time_seconds, now + 2);
  EXPECT_GT(stats.start_time_seconds, now - 86400);
}

}  // namespace
}  // namespace talkjsd
