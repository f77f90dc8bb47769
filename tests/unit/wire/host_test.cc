#include "daemon/wire/host.h"

#include <gtest/gtest.h>

namespace talkjsd::wire {
namespace {

BaseUrls Hosted(const std::string& dash_x) {
  return {"wss://realtime" + dash_x + ".talkjs.com/v1",
          "https://app" + dash_x + ".talkjs.com/api/v0", "https://api" + dash_x + ".talkjs.com/v1"};
}

BaseUrls Plain(const std::string& host) {
  return {"ws://" + host + "/public_api/v1", "http://" + host + "/api/v0",
          "http://" + host + "/public_api/v1"};
}

BaseUrls Tls(const std::string& host) {
  return {"wss://" + host + "/public_api/v1", "https://" + host + "/api/v0",
          "https://" + host + "/public_api/v1"};
}

TEST(HostTest, EveryRowOfTheTable) {
  const struct {
    std::string host;
    BaseUrls urls;
  } kCases[] = {
      {"", Hosted("")},
      // [prefix-]X.talkjs.com with an X of production, or not of that form
      {"app.talkjs.com", Hosted("")},
      {"cdn.talkjs.com", Hosted("")},
      {"api.talkjs.com", Hosted("")},
      {"realtime.talkjs.com", Hosted("")},
      {"my_pre1-app.talkjs.com", Hosted("")},
      {"talkjs.com", Hosted("")},
      {".talkjs.com", Hosted("")},
      {"a.b.talkjs.com", Hosted("")},
      {"eu-app.b.talkjs.com", Hosted("")},
      {"nottalkjs.com", Hosted("")},
      // any other X
      {"staging.talkjs.com", Hosted("-staging")},
      {"app-staging.talkjs.com", Hosted("-staging")},
      {"realtime-us-east.talkjs.com", Hosted("-us-east")},
      {"app-.talkjs.com", Hosted("-app-")},
      {"-x.talkjs.com", Hosted("--x")},
      {"localhost.talkjs.com", Hosted("-localhost")},
      // this machine, or an IPv4 address
      {"localhost", Plain("localhost")},
      {"localhost:8080", Plain("localhost:8080")},
      {"my.localhost.test", Plain("my.localhost.test")},
      {"app.localtest.me:3000", Plain("app.localtest.me:3000")},
      {"127.0.0.1", Plain("127.0.0.1")},
      {"127.0.0.1:18181", Plain("127.0.0.1:18181")},
      {"192.168.255.1:9", Plain("192.168.255.1:9")},
      // anything else
      {"chat.example.com", Tls("chat.example.com")},
      {"chat.example.com:8443", Tls("chat.example.com:8443")},
      {"emulator:7000", Tls("emulator:7000")},
      {"talkjs.com.example.org", Tls("talkjs.com.example.org")},
      {"app.talkjs.com:443", Tls("app.talkjs.com:443")},
      {"127.0.0.1.example.com", Tls("127.0.0.1.example.com")},
      {"127.0.0.1:", Tls("127.0.0.1:")},
      {"127.0.0.1:80x", Tls("127.0.0.1:80x")},
      {"127.0.0", Tls("127.0.0")},
      {"127.0.0.1.1", Tls("127.0.0.1.1")},
      {"256.0.0.1", Tls("256.0.0.1")},
      {"1234.0.0.1", Tls("1234.0.0.1")},
      {"[::1]:8080", Tls("[::1]:8080")},
  };
  for (const auto& test : kCases) {
    const BaseUrls urls = UrlsForHost(test.host);
    EXPECT_EQ(urls.realtime, test.urls.realtime) << test.host;
    EXPECT_EQ(urls.internal, test.urls.internal) << test.host;
    EXPECT_EQ(urls.rest, test.urls.rest) << test.host;
  }
}

TEST(HostTest, RealtimeUrlIsTheRecordedOne) {
  EXPECT_EQ(RealtimeUrl(UrlsForHost("127.0.0.1:1"), "demo", "alice", "standalone",
                        "6697367333881923", 1795353261841),
            "ws://127.0.0.1:1/public_api/v1/demo/realtime/alice?talkjs-client-build=standalone"
            "&talkjs-core=1.11.2&talkjs-client-id=6697367333881923&talkjs-time=1795353261841");
}

TEST(HostTest, RealtimeUrlEncodesTheUserAndLeavesTheApp) {
  EXPECT_EQ(RealtimeUrl(UrlsForHost(""), "t~App!", "bo ken/é", "my build", "1", 2),
            "wss://realtime.talkjs.com/v1/t~App!/realtime/bo%20ken%2F%C3%A9"
            "?talkjs-client-build=my%20build&talkjs-core=1.11.2&talkjs-client-id=1&talkjs-time=2");
}

}  // namespace
}  // namespace talkjsd::wire
