#include "daemon/net/url.h"

#include <gtest/gtest.h>

#include "daemon/base/error.h"

namespace talkjsd::net {
namespace {

TEST(UrlTest, SchemesDecideTlsAndDefaultPort) {
  const struct {
    const char* text;
    bool tls;
    int port;
  } cases[] = {{"ws://h", false, 80},
               {"wss://h", true, 443},
               {"HTTP://h", false, 80},
               {"https://h", true, 443}};
  for (const auto& c : cases) {
    const auto url = ParseUrl(c.text);
    ASSERT_TRUE(url.ok()) << c.text;
    EXPECT_EQ(url->tls, c.tls);
    EXPECT_EQ(url->port, c.port);
    EXPECT_EQ(url->host, "h");
    EXPECT_EQ(url->target, "/");
    EXPECT_EQ(url->HostHeader(), "h");
  }
}

TEST(UrlTest, KeepsPortPathAndQuery) {
  const auto url = ParseUrl("wss://App.Example.com:8443/a/b?c=d%20e");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "app.example.com");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?c=d%20e");
  EXPECT_EQ(url->HostHeader(), "app.example.com:8443");
}

TEST(UrlTest, QueryWithoutPathGetsASlash) {
  const auto url = ParseUrl("http://h?x=1");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->target, "/?x=1");
}

TEST(UrlTest, Ipv6KeepsItsBracketsInTheHostHeaderOnly) {
  const auto url = ParseUrl("ws://[::1]:7000/x");
  ASSERT_TRUE(url.ok());
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 7000);
  EXPECT_EQ(url->HostHeader(), "[::1]:7000");
}

TEST(UrlTest, RefusesWhatItDoesNotOpen) {
  for (const char* text : {"",
                           "h",
                           "ftp://h/",
                           "ws:/h",
                           "ws://",
                           "ws:///x",
                           "ws://h:",
                           "ws://h:0",
                           "ws://h:65536",
                           "ws://h:8a",
                           "ws://h:-1",
                           "ws://user@h/",
                           "ws://u:p@h/",
                           "ws://h/#f",
                           "ws://h/a b",
                           "ws://h/\n",
                           "ws://h/\xc3\xa4",
                           "ws://[::1",
                           "ws://[zz]/",
                           "ws://[::1]x/",
                           "ws://h_%/",
                           "ws://::1/"}) {
    const auto url = ParseUrl(text);
    EXPECT_EQ(url.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(UrlTest, ErrorsDoNotRepeatTheUrl) {
  const auto url = ParseUrl("wss://h:x/?token=hunter2");
  ASSERT_FALSE(url.ok());
  EXPECT_EQ(MessageOf(url.status()).find("hunter2"), std::string_view::npos);
}

TEST(UrlTest, KnowsLoopback) {
  for (const char* host :
       {"127.0.0.1", "127.9.8.7", "::1", "localhost", "LocalHost", "a.localhost", "localhost."}) {
    EXPECT_TRUE(IsLoopbackHost(host)) << host;
  }
  for (const char* host : {"", "128.0.0.1", "10.0.0.1", "::2", "notlocalhost", "127.0.0.1.example",
                           "localhost.example"}) {
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
  }
}

}  // namespace
}  // namespace talkjsd::net
