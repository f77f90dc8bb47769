#include "daemon/config/yaml.h"

#include <gmock/gmock.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <random>

#include "daemon/config/config.h"
#include "daemon/config/field.h"
#include "daemon/config/rules.h"
#include "daemon/config/units.h"

namespace talkjsd::config {
namespace {

namespace v1 = talkjs::sidecar::config::v1;

using google::protobuf::FieldDescriptor;
using testing::ElementsAre;
using testing::IsEmpty;

struct Result {
  v1::Config values;
  Places places;
  std::vector<std::string> problems;
};

Result Read(const std::string& text) {
  System system;
  system.environment = [](const char* name) {
    return std::string(std::string_view(name) == "DIR" ? "/secrets" : "");
  };
  system.is_root = true;
  Result result;
  Problems problems;
  ReadYaml(text, "c.yaml", system, &result.values, &result.places, &problems);
  CheckTogether(result.values, result.places, &problems);
  result.problems = problems.lines();
  return result;
}

constexpr char kGood[] = R"(
state:
  directory: /var/lib/x
  journal_durability: disk
  journal_retention_age: 36h
  journal_retention_bytes: 256MiB
listeners:
  - address: unix:///run/x.sock
    mode: 0600
    group: 1234
  - address: 0.0.0.0:4433
    tls: {certificate_file: "${DIR}/cert.pem", key_file: "${DIR}/key.pem"}
    bearer_tokens_file: "${DIR}/tokens"
    policies:
      - name: bots
        bearers: [bot, other]
        create_sessions: true
      - {name: readers, read_only: true}
admin: {listen: "[::1]:9464"}
upstream:
  proxy: http://proxy.example:3128
  no_proxy: [.internal, 10.0.0.1]
emulator:   # nothing in it
limits:
  sessions: 5
  idle_handshake: 1500ms
  memory_bytes: 1TiB
log: {level: debug, format: json}
sessions:
  - app_id: app1
    user_id: 007
    user_name: "true"
    token_file: ${DIR}/token
drain_timeout: 1m
shards: 4
message_subscriptions_per_session: 1000
)";

TEST(YamlTest, EveryKindOfValueArrives) {
  const Result result = Read(kGood);
  EXPECT_THAT(result.problems, IsEmpty());
  v1::Config expected;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(R"(
      state { directory: "/var/lib/x" journal_durability: DURABILITY_DISK
              journal_retention_age { seconds: 129600 } journal_retention_bytes: 268435456 }
      listeners { address: "unix:///run/x.sock" mode: "0600" group: "1234" }
      listeners { address: "0.0.0.0:4433"
                  tls { certificate_file: "/secrets/cert.pem" key_file: "/secrets/key.pem" }
                  bearer_tokens_file: "/secrets/tokens"
                  policies { name: "bots" bearers: "bot" bearers: "other" create_sessions: true }
                  policies { name: "readers" read_only: true } }
      admin { listen: "[::1]:9464" }
      upstream { proxy: "http://proxy.example:3128" no_proxy: ".internal" no_proxy: "10.0.0.1" }
      emulator {}
      limits { sessions: 5 idle_handshake { seconds: 1 nanos: 500000000 }
               memory_bytes: 1099511627776 }
      log { level: LOG_LEVEL_DEBUG format: LOG_FORMAT_JSON }
      sessions { app_id: "app1" user_id: "007" user_name: "true" token_file: "/secrets/token" }
      drain_timeout { seconds: 60 } shards: 4 message_subscriptions_per_session: 1000)",
                                                            &expected));
  EXPECT_EQ(result.values.DebugString(), expected.DebugString());
}

TEST(YamlTest, NothingIsAConfigurationToo) {
  for (const char* text : {"", "\n", "# only a comment\n", "---\n", "{}", "state:\nlisteners:\n"}) {
    EXPECT_THAT(Read(text).problems, IsEmpty()) << text;
  }
}

struct Bad {
  const char* text;
  const char* problem;
};

class BadYamlTest : public testing::TestWithParam<Bad> {};

TEST_P(BadYamlTest, IsNamedByLineAndKey) {
  EXPECT_THAT(Read(GetParam().text).problems, ElementsAre(GetParam().problem)) << GetParam().text;
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, BadYamlTest,
    testing::Values(
        Bad{"shards: [1", "c.yaml:1: not YAML: end of sequence flow not found"},
        Bad{"a\nb: c", "c.yaml:2: not YAML: illegal map value"},
        Bad{"- 1", "c.yaml:1: must be a mapping of keys to values"},
        Bad{"--- {}\n--- {}", "c.yaml: must be one YAML document, not several (lines of ---)"},
        Bad{"\nlimits:\n  session: 4",
            "c.yaml:3: limits.session: unknown key; did you mean sessions?"},
        Bad{"admin:\n  frequency: 4", "c.yaml:2: admin.frequency: unknown key; known here: listen"},
        Bad{"shards: 1\nshards: 2", "c.yaml:2: shards: is here twice"},
        Bad{"[a, b]: 1", "c.yaml:1: has a key that is not a word"},
        Bad{"limits: 5", "c.yaml:1: limits: must be a mapping of keys to values"},
        Bad{"limits:\n  - sessions: 5", "c.yaml:2: limits: must be a mapping of keys to values"},
        Bad{"listeners:\n  address: x",
            "c.yaml:2: listeners: must be a list: lines that begin with -"},
        Bad{"shards: [1]", "c.yaml:1: shards: must be one value, not a list or a mapping"},
        Bad{"shards:", "c.yaml:1: shards: needs a value; leave the key out for the default"},
        Bad{"admin:\n  listen: ''",
            "c.yaml:2: admin.listen: must not be empty; leave the key out for the default"},
        Bad{"admin:\n  listen: \"a\\nb\"",
            "c.yaml:2: admin.listen: must not have control characters"},
        Bad{"upstream:\n  host: true",
            "c.yaml:2: upstream.host: must be text; put it in quotes if it is meant so"}));

INSTANTIATE_TEST_SUITE_P(
    Values, BadYamlTest,
    testing::Values(
        Bad{"shards: 0", "c.yaml:1: shards: must be a number from 1 to 64"},
        Bad{"shards: 1.5", "c.yaml:1: shards: must be a number from 1 to 64"},
        Bad{"shards: 99999999999999999999", "c.yaml:1: shards: must be a number from 1 to 64"},
        Bad{"limits:\n  sessions: many",
            "c.yaml:2: limits.sessions: must be a number from 1 to 1000000"},
        Bad{"limits:\n  request_bytes: 100",
            "c.yaml:2: limits.request_bytes: must be a number with KiB, MiB, GiB or TiB, from "
            "64KiB to 64MiB, such as 4MiB"},
        Bad{"drain_timeout: 10",
            "c.yaml:1: drain_timeout: must be a number with ms, s, m, h or d, from 1s to 5m, such "
            "as 5s"},
        Bad{"log:\n  level: loud", "c.yaml:2: log.level: must be debug, info, warning or error"},
        Bad{"state: {journal_durability: 1}",
            "c.yaml:1: state.journal_durability: must be os or disk"},
        Bad{"emulator:\n  enabled: yes", "c.yaml:2: emulator.enabled: must be true or false"},
        Bad{"state:\n  directory: here",
            "c.yaml:2: state.directory: must be an absolute path: begin with /"},
        Bad{"upstream:\n  ca_file: ${NOWHERE}/ca.pem",
            "c.yaml:2: upstream.ca_file: the environment variable NOWHERE is not set"},
        Bad{"upstream:\n  ca_file: ${NOWHERE",
            "c.yaml:2: upstream.ca_file: has \"${\" without \"}\""},
        Bad{"upstream:\n  proxy: http://u:secret@p:1",
            "c.yaml:2: upstream.proxy: must not have credentials: put them into the file of "
            "proxy_credentials_file"},
        Bad{"upstream:\n  proxy: https://p:1",
            "c.yaml:2: upstream.proxy: must be http://host:port, or direct"},
        Bad{"upstream:\n  proxy: http://p",
            "c.yaml:2: upstream.proxy: must be http://host:port, or direct"},
        Bad{"upstream:\n  host: https://x.talkjs.com",
            "c.yaml:2: upstream.host: must be a host, or host:port, without scheme and path"},
        Bad{"upstream:\n  no_proxy:\n    - a\n    - b,c",
            "c.yaml:4: upstream.no_proxy[1]: must be a name, an address, a network or *; one an "
            "entry"},
        Bad{"admin:\n  listen: unix://a",
            "c.yaml:2: admin.listen: must have an absolute path with three slashes, as "
            "unix:///path"},
        Bad{"admin:\n  listen: 0.0.0.0:80",
            "c.yaml:2: admin.listen: '0.0.0.0:80' is not a loopback address; write it as "
            "127.0.0.1:PORT"},
        Bad{"listeners:\n- address: tcp",
            "c.yaml:2: listeners[0].address: must be unix:///path, or an IP address or localhost "
            "with a port"},
        Bad{"listeners:\n- address: unix://run/x",
            "c.yaml:2: listeners[0].address: must have an absolute path with three slashes, as "
            "unix:///path"},
        Bad{"listeners:\n- {address: 'unix:///x', mode: 0777}",
            "c.yaml:2: listeners[0].mode: must be an octal mode from 0600 to 0666, such as 0660"}));

INSTANTIATE_TEST_SUITE_P(
    Together, BadYamlTest,
    testing::Values(
        Bad{"listeners:\n- mode: 0600", "c.yaml:2: listeners[0]: needs an address"},
        Bad{"listeners:\n- address: unix:///x\n- address: unix:///x",
            "c.yaml:3: listeners[1].address: is the address of another listener, too"},
        Bad{"listeners:\n- address: unix:///x\n  tls: {}",
            "c.yaml:3: listeners[0].tls: is for TCP; this listener is a Unix socket"},
        Bad{"listeners:\n- address: 1.2.3.4:1\n  policies: [{name: a}]",
            "c.yaml:2: listeners[0]: needs tls"},
        Bad{"listeners:\n- address: 127.0.0.1:1\n  policies: [{name: a}]",
            "c.yaml:2: listeners[0]: needs tls, or plaintext_on_loopback: true"},
        Bad{"listeners:\n- address: 1.2.3.4:1\n  plaintext_on_loopback: true\n  policies: [{name: "
            "a}]",
            "c.yaml:3: listeners[0].plaintext_on_loopback: needs a loopback address; others must "
            "have tls"},
        Bad{"listeners:\n- address: localhost:1\n  plaintext_on_loopback: true",
            "c.yaml:2: listeners[0]: needs policies: who may do what"},
        Bad{"listeners:\n- address: 1.2.3.4:1\n  tls: {certificate_file: /x}\n  policies: [{name: "
            "a}]",
            "c.yaml:3: listeners[0].tls: needs a key_file"},
        Bad{"listeners:\n- address: unix:///x\n  policies: [{uids: [a]}]",
            "c.yaml:3: listeners[0].policies[0]: needs a name"},
        Bad{"listeners:\n- address: unix:///x\n  policies: [{name: a}, {name: a}]",
            "c.yaml:3: listeners[0].policies[1].name: is the name of another policy of this "
            "listener, too"},
        Bad{"listeners:\n- address: unix:///x\n  policies: [{name: a, sans: [x]}]",
            "c.yaml:3: listeners[0].policies[0].sans: needs client certificates: "
            "tls.client_ca_file of the listener"},
        Bad{"listeners:\n- address: unix:///x\n  policies: [{name: a, read_only: true, admin: "
            "true}]",
            "c.yaml:3: listeners[0].policies[0].read_only: excludes create_sessions, "
            "supply_tokens and admin"},
        Bad{"emulator: {enabled: true}\nupstream:\n  host: x",
            "c.yaml:3: upstream.host: and an emulator exclude each other (emulator.enabled, "
            "--emulator): both name what plays TalkJS"},
        Bad{"sessions:\n- user_id: a", "c.yaml:2: sessions[0]: needs an app_id"},
        Bad{"sessions:\n- app_id: a", "c.yaml:2: sessions[0]: needs a user_id"},
        Bad{"sessions:\n- {app_id: a, user_id: b}\n- {app_id: a, user_id: b}",
            "c.yaml:3: sessions[1]: is the session of the same app and user as another one"},
        Bad{"sessions:\n- {app_id: a b, user_id: b}",
            "c.yaml:2: sessions[0].app_id: must be 1 to 64 characters of A-Z a-z 0-9 _ -"},
        Bad{"sessions:\n- app_id: a\n  user_id: b\n  token_file: /x\n  signing_key_file: /y",
            "c.yaml:5: sessions[0].signing_key_file: token_file is here, too: only one of them "
            "can be"},
        Bad{"sessions:\n- {app_id: a, user_id: b, user_role: c}",
            "c.yaml:2: sessions[0].user_role: needs user_name: without it nothing is written to "
            "TalkJS"},
        Bad{"sessions:\n- {app_id: a, user_id: b, token_url: 'http://x.example/t'}",
            "c.yaml:2: sessions[0].token_url: must begin with https://; http:// is for loopback "
            "addresses only"},
        Bad{"sessions:\n- {app_id: a, user_id: b, token_url_authorization_file: /x}",
            "c.yaml:2: sessions[0].token_url_authorization_file: needs token_url"}));

TEST(YamlTest, AllProblemsAreTold) {
  EXPECT_THAT(
      Read("shards: 0\nlog:\n  level: x\nfoo: 1\nsessions:\n- app_id: a\n").problems,
      ElementsAre("c.yaml:1: shards: must be a number from 1 to 64",
                  "c.yaml:3: log.level: must be debug, info, warning or error",
                  "c.yaml:4: foo: unknown key; known here: state, listeners, admin, upstream, "
                  "emulator, limits, log, sessions, drain_timeout, shards, "
                  "message_subscriptions_per_session",
                  "c.yaml:6: sessions[0]: needs a user_id"));
}

TEST(YamlTest, AliasesCannotMakeItLarge) {
  std::string text = "a: &a {name: x}\nb: &b [";
  for (int i = 0; i < 1000; ++i) text += "*a,";
  text += "]\nlisteners:\n";
  for (int i = 0; i < 1000; ++i) text += "- {policies: *b}\n";
  const Result result = Read(text);
  EXPECT_THAT(result.problems, testing::Contains(testing::HasSubstr("has too many values")));
  EXPECT_THAT(Read(std::string(100'000, '[')).problems, testing::SizeIs(1));
  EXPECT_THAT(Read(std::string(100'000, '{')).problems, testing::SizeIs(1));
}

// Mutations of a good file: whatever it says then, it is read or refused, and a value that is set
// is in its range.
TEST(YamlTest, WhateverTheFileSaysIsReadOrRefused) {
  std::mt19937 random(7);
  const std::string good = kGood;
  using std::string_view_literals::operator""sv;
  constexpr std::string_view kBytes =
      "\n\t :-[]{}&*!|>'\"%@`#,?${}0123456789abcxyz\x00\x7f\xc3\xff"sv;
  const auto any = [&](size_t size) {
    return std::uniform_int_distribution<size_t>(0, size)(random);
  };
  int refused = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = good;
    for (size_t edits = any(4) + 1; edits > 0; --edits) {
      const size_t at = any(text.size() - 1);
      switch (any(3)) {
        case 0:
          text[at] = kBytes[any(kBytes.size() - 1)];
          break;
        case 1:
          text.insert(at, 1, kBytes[any(kBytes.size() - 1)]);
          break;
        case 2:
          text.erase(at, any(20));
          break;
        default:
          text.insert(at, text.substr(any(text.size() - 1), any(60)));
      }
    }
    const Result result = Read(text);
    if (!result.problems.empty()) ++refused;
    for (const std::string& line : result.problems) {
      EXPECT_EQ(line.find_first_of("\n\r"), std::string::npos) << line;
    }
    EXPECT_LE(result.values.shards(), 64);
    EXPECT_GE(result.values.limits().sessions(), 0);
  }
  EXPECT_GT(refused, 1000);
  EXPECT_LT(refused, 4000);
}

void ExpectRanges(const google::protobuf::Descriptor& type) {
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    const bool is_number = field.cpp_type() == FieldDescriptor::CPPTYPE_INT32 ||
                           field.cpp_type() == FieldDescriptor::CPPTYPE_INT64 || IsDuration(field);
    EXPECT_EQ(RangeOf(field) != nullptr, is_number) << field.full_name();
    const bool is_mapping =
        field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !IsDuration(field);
    if (is_mapping) ExpectRanges(*field.message_type());
  }
}

TEST(FieldTest, EveryNumberHasARange) { ExpectRanges(*v1::Config::descriptor()); }

TEST(UnitsTest, ThereAndBack) {
  EXPECT_EQ(ParseMillis("500ms"), 500);
  EXPECT_EQ(ParseMillis("7d"), 7LL * 86'400'000);
  EXPECT_EQ(FormatMillis(90'000), "90s");
  EXPECT_EQ(FormatMillis(3'600'000), "1h");
  EXPECT_EQ(ParseBytes("64KiB"), 65536);
  EXPECT_EQ(ParseBytes("7B"), 7);
  EXPECT_EQ(FormatBytes(int64_t{1} << 40), "1TiB");
  EXPECT_EQ(FormatBytes(1536), "1536B");
  for (const char* bad : {"", "5", "s", "-1s", "1.5s", "1 s", "9223372036854775807d", "5S"}) {
    EXPECT_EQ(ParseMillis(bad), std::nullopt) << bad;
  }
  for (const char* bad : {"", "5", "5MB", "5mib", "9223372036854775807TiB"}) {
    EXPECT_EQ(ParseBytes(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace talkjsd::config
