#include "daemon/config/proxy_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace talkjsd::config {
namespace {

struct Filled {
  talkjs::sidecar::config::v1::Upstream upstream;
  Secret credentials;
  Problems problems;
};

Filled Fill(std::map<std::string, std::string> variables, const std::string& proxy = "") {
  System system;
  system.environment = [variables](const char* name) {
    const auto it = variables.find(name);
    return it == variables.end() ? std::string() : it->second;
  };
  Filled filled;
  filled.upstream.set_proxy(proxy);
  FillProxy(system, &filled.upstream, &filled.credentials, &filled.problems);
  return filled;
}

TEST(ProxyEnvironmentTest, TakesTheFormsThatCurlTakes) {
  EXPECT_EQ(Fill({}).upstream.proxy(), "");
  EXPECT_EQ(Fill({{"HTTPS_PROXY", "http://p.example:3128/"}}).upstream.proxy(),
            "http://p.example:3128");
  EXPECT_EQ(Fill({{"HTTPS_PROXY", "p.example"}}).upstream.proxy(), "http://p.example:1080");
  EXPECT_EQ(Fill({{"HTTPS_PROXY", "http://[::2]"}}).upstream.proxy(), "http://[::2]:1080");
  EXPECT_EQ(Fill({{"HTTPS_PROXY", "x:1"}, {"https_proxy", "y:2"}}).upstream.proxy(), "http://y:2");
  // Only for what is not encrypted.
  EXPECT_EQ(Fill({{"http_proxy", "p:1"}}).upstream.proxy(), "");
}

TEST(ProxyEnvironmentTest, TheFileWins) {
  EXPECT_EQ(Fill({{"HTTPS_PROXY", "u:p@x:1"}}, "direct").upstream.proxy(), "direct");
  EXPECT_TRUE(Fill({{"HTTPS_PROXY", "u:p@x:1"}}, "http://y:2").credentials.empty());
}

TEST(ProxyEnvironmentTest, CredentialsAreTakenOut) {
  const Filled filled = Fill({{"HTTPS_PROXY", "http://user:p%40ss%2@x:1"}});
  EXPECT_EQ(filled.upstream.proxy(), "http://x:1");
  EXPECT_EQ(filled.credentials.Expose(), "user:p@ss%2");
  EXPECT_EQ(Fill({{"HTTPS_PROXY", "user@x:1"}}).credentials.Expose(), "user:");
}

TEST(ProxyEnvironmentTest, WhatCannotBeUsedIsNamedAndNotQuoted) {
  for (const char* value : {"socks5://canary:canary@x:1", "https://canary@x:1", "http://canary:x",
                            "http://x:1/canary", "canary canary"}) {
    const Filled filled = Fill({{"https_proxy", value}});
    ASSERT_EQ(filled.problems.lines().size(), 1U) << value;
    EXPECT_EQ(filled.problems.lines()[0],
              "$https_proxy: must be http://host:port; or set upstream.proxy to direct");
  }
}

TEST(ProxyEnvironmentTest, HostsThatAreReachedDirectly) {
  const Filled filled = Fill({{"NO_PROXY", " .a.example,b.example  10.0.0.0/8,"}});
  EXPECT_THAT(filled.upstream.no_proxy(),
              testing::ElementsAre(".a.example", "b.example", "10.0.0.0/8"));
}

}  // namespace
}  // namespace talkjsd::config
