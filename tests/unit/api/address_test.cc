#include "daemon/api/access/address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "daemon/base/error.h"

namespace talkjsd::api {
namespace {

using testing::HasSubstr;

TEST(AddressTest, TakesUnixSocketsAndIpAddressesWithAPort) {
  EXPECT_EQ(ParseAddress("unix:///run/x.sock")->path, "/run/x.sock");
  const struct {
    const char* address;
    const char* ip;
    int port;
    bool loopback;
  } cases[] = {{"127.0.0.1:7070", "127.0.0.1", 7070, true}, {"127.8.9.1:0", "127.8.9.1", 0, true},
               {"localhost:1", "127.0.0.1", 1, true},       {"[::1]:7070", "::1", 7070, true},
               {"0.0.0.0:7070", "0.0.0.0", 7070, false},    {"[::]:7070", "::", 7070, false},
               {"10.0.0.1:65535", "10.0.0.1", 65535, false}};
  for (const auto& test : cases) {
    const auto address = ParseAddress(test.address);
    ASSERT_TRUE(address.ok()) << address.status();
    EXPECT_EQ(address->ip, test.ip);
    EXPECT_EQ(address->port, test.port);
    EXPECT_EQ(address->is_loopback(), test.loopback) << test.address;
  }
  for (const char* wrong : {"", "unix://x", "unix:///", "unix:///x/", "/run/x.sock", "127.0.0.1",
                            "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "example.org:80",
                            "::1:80", "http://127.0.0.1:80"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseAddress(wrong).status())) << wrong;
  }
  EXPECT_EQ(FormatTcp("::1", 7), "[::1]:7");
  EXPECT_EQ(FormatTcp("127.0.0.1", 7), "127.0.0.1:7");
}

TEST(CheckListenerTest, SaysWhatDoesNotGoTogether) {
  const TlsFiles tls{.certificate_file = "/c", .key_file = "/k"};
  const TlsFiles mtls{.certificate_file = "/c", .key_file = "/k", .client_ca_file = "/a"};
  const Policy all{.name = "all"};
  const struct {
    ListenerOptions options;
    const char* says;  // "" = all right
  } cases[] = {
      {{.address = "unix:///x.sock"}, ""},
      {{.address = "unix:///x.sock", .tls = tls}, "are for TCP"},
      {{.address = "unix:///x.sock", .policies = {{.name = "p", .sans = {"a"}}}},
       "no certificates"},
      {{.address = "127.0.0.1:1", .policies = {all}}, "every process of this host"},
      {{.address = "127.0.0.1:1", .plaintext_on_loopback = true, .policies = {all}}, ""},
      {{.address = "127.0.0.1:1", .plaintext_on_loopback = true}, "needs a policy"},
      {{.address = "0.0.0.0:1", .plaintext_on_loopback = true, .policies = {all}}, "loopback"},
      {{.address = "0.0.0.0:1", .tls = mtls, .policies = {all}}, ""},
      {{.address = "0.0.0.0:1", .tls = tls, .bearer_tokens_file = "/b", .policies = {all}}, ""},
      {{.address = "0.0.0.0:1", .tls = tls, .policies = {all}}, "must prove who they are"},
      {{.address = "0.0.0.0:1", .tls = {.certificate_file = "/c"}, .policies = {all}}, "both"},
      {{.address = "127.0.0.1:1", .tls = {.client_ca_file = "/a"}, .policies = {all}}, "needs a"},
      {{.address = "0.0.0.0:1", .tls = mtls, .policies = {{.name = "p", .uids = {"0"}}}},
       "for Unix sockets"},
      {{.address = "0.0.0.0:1", .tls = mtls, .policies = {{.name = "p", .bearers = {"b"}}}},
       "bearer_tokens_file"},
      {{.address = "127.0.0.1:1",
        .bearer_tokens_file = "/b",
        .plaintext_on_loopback = true,
        .policies = {{.name = "p", .sans = {"x"}}}},
       "client_ca_file"},
  };
  for (const auto& test : cases) {
    const absl::Status status = CheckListener(test.options).status();
    EXPECT_EQ(status.ok(), *test.says == '\0') << test.says << ": " << status;
    if (status.ok()) continue;
    EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(test.says));
  }
}

}  // namespace
}  // namespace talkjsd::api
