#include "daemon/api/convert/validate.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "daemon/api/convert/field_checks.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

template <typename Request>
Request Parse(const std::string& text) {
  Request request;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &request)) << text;
  return request;
}

std::string Long(size_t size) { return std::string(size, 'x'); }

// Text of a request, and what the error must name; empty: it is fine.
struct Case {
  std::string request;
  std::string named;
};

template <typename Request>
void Check(const std::vector<Case>& cases) {
  for (const Case& example : cases) {
    const absl::Status status = Validate(Parse<Request>(example.request));
    if (example.named.empty()) {
      EXPECT_TRUE(status.ok()) << status << " for " << example.request.substr(0, 100);
    } else {
      EXPECT_THAT(std::string(MessageOf(status)), testing::HasSubstr(example.named))
          << example.request.substr(0, 100);
    }
  }
}

TEST(ValidateTest, CreateSession) {
  const std::string app = "app_id: 'demo' ";
  Check<v1::CreateSessionRequest>({
      {"", "app_id is required"},
      {"app_id: 'a b'", "app_id must consist of"},
      {"app_id: '" + Long(65) + "'", "app_id must be 1 to 64 bytes"},
      {app, ""},
      {app + "user_id: ''", "user_id is required"},
      {app + "user_id: 'a\\000b'", "user_id must not contain NUL"},
      {app + "user_id: '" + Long(255) + "'", ""},
      {app + "user_id: '" + Long(256) + "'", "user_id must be 1 to 255 bytes"},
      {app + "user { id: 'u' }", "user.name is required"},
      {app + "user { id: 'u' name: 'U' }", ""},
      {app + "user { id: 'u' name: 'U' photo_url: 'javascript:x' }", "user.photo_url must"},
      {app + "user { id: 'u' name: 'U' photo_url: '' }", ""},
      {app + "user { id: 'u' name: 'U' photo_url: 'https://x' }", ""},
      {app + "user { id: 'u' name: 'U' photo_url: 'https://' }", "user.photo_url must"},
      {app + "user { id: 'u' name: 'U' photo_url: 'https:///x' }", "user.photo_url must"},
      {app + "user { id: 'u' name: 'U' photo_url: 'https://x/a b' }", "user.photo_url must"},
      {app + "user { id: 'u' name: 'U' photo_url: 'https://x/a\\nb' }", "user.photo_url must"},
      {app + "user { id: 'u' name: 'U' locale: 'e' }", "user.locale must"},
      {app + "user { id: 'u' name: 'U' locale: 'en' }", ""},
      {app + "user { id: 'u' name: 'U' locale: 'zh-Hant-TW' }", ""},
      {app + "user { id: 'u' name: 'U' locale: 'en--US' }", "user.locale must"},
      {app + "user { id: 'u' name: 'U' locale: 'en-' }", "user.locale must"},
      {app + "user { id: 'u' name: 'U' locale: '1n-US' }", "user.locale must"},
      {app + "user { id: 'u' name: 'U' locale: 'english language' }", "user.locale must"},
      {app + "user { id: 'u' name: 'U' email { values: '' } }", "user.email[0] is required"},
      {app + "user { id: 'u' name: 'U' email { } phone { } }", ""},
      {app + "user { id: 'u' name: 'U' phone { values: '" + Long(33) + "' } }", "user.phone[0]"},
      {app + "user { id: 'u' name: 'U' role: '' }", "user.role is required"},
      {app + "user { id: 'u' name: 'U' null_fields: 'name' }", "user.null_fields[0] must be one"},
      {app + "user { id: 'u' name: 'U' role: 'r' null_fields: 'role' }",
       "user.null_fields[0] names a field that is also set"},
      {app + "user { id: 'u' name: 'U' custom { values { key: '' value: 'v' } } }",
       "user.custom.values has a key"},
      {app + "user { id: 'u' name: 'U' custom { values { key: 'k' value: 'v' } "
             "deleted_keys: 'k' } }",
       "user.custom.deleted_keys[0] is also in values"},
      {app + "token: ''", "token is required"},
      {app + "token: '" + Long(16 * 1024 + 1) + "'", "token must be"},
      {app + "signing_key { secret_key: '' }", "signing_key.secret_key is required"},
      {app + "signing_key { secret_key: 'k' token_lifetime { seconds: 9 } }", "token_lifetime"},
      {app + "signing_key { secret_key: 'k' token_lifetime { seconds: 10 } }", ""},
      {app + "signing_key { secret_key: 'k' token_lifetime { seconds: 86400 } }", ""},
      {app + "signing_key { secret_key: 'k' token_lifetime { seconds: 86400 nanos: 1 } }",
       "token_lifetime"},
      {app + "signing_key { secret_key: 'k' token_lifetime { seconds: 9223372036854775807 } }",
       "token_lifetime"},
      {app + "enable_push_notifications: true", "device_token is required"},
      {app + "enable_push_notifications: false", ""},
      {app + "device_token { push_registration_id: 'x' }", "device_token.provider is required"},
      {app + "device_token { provider: PUSH_PROVIDER_FCM }",
       "device_token.push_registration_id is required"},
      {app + "enable_push_notifications: true "
             "device_token { provider: PUSH_PROVIDER_APNS push_registration_id: 'x' }",
       ""},
      {app + "request_id: '" + Long(129) + "'", "request_id must be at most 128 bytes"},
  });
}

TEST(ValidateTest, TokenFetchers) {
  const auto fetcher = [](const std::string& text) {
    return "app_id: 'demo' token_fetcher { " + text + " }";
  };
  const auto http = [&](const std::string& text) {
    return fetcher("http { url: 'https://example.com/t' " + text + " }");
  };
  std::string headers;
  for (int i = 0; i < 33; ++i) headers += "headers { key: 'X-" + std::to_string(i) + "' } ";
  Check<v1::CreateSessionRequest>({
      {fetcher(""), "token_fetcher.source is required"},
      {fetcher("initial_token: '' file { path: '/t' }"), "token_fetcher.initial_token is required"},
      {fetcher("http {}"), "token_fetcher.http.url is required"},
      {fetcher("http { url: 'ftp://example.com' }"), "token_fetcher.http.url"},
      {fetcher("http { url: 'wss://example.com' }"), "token_fetcher.http.url must begin"},
      {fetcher("http { url: 'https://u:p@example.com' }"), "token_fetcher.http.url"},
      {fetcher("http { url: 'http://" + Long(2048) + "' }"), "token_fetcher.http.url"},
      {http(""), ""},
      {http("method: 'GET' token_field: 'a.b' timeout { nanos: 100000000 }"), ""},
      {http("method: 'get'"), "token_fetcher.http.method"},
      {http("timeout { nanos: 99999999 }"), "token_fetcher.http.timeout"},
      {http("timeout { seconds: 60 nanos: 1 }"), "token_fetcher.http.timeout"},
      {http("timeout { seconds: -1 }"), "token_fetcher.http.timeout"},
      {http("token_field: '" + Long(256) + "'"), "token_fetcher.http.token_field"},
      {http(headers), "at most 32"},
      {http("headers { key: 'X-A' value: 'b' }"), ""},
      {http("headers { key: 'X A' value: 'b' }"), "has a name"},
      {http("headers { key: '' value: 'b' }"), "has a name"},
      {http("headers { key: 'X-A' value: 'a\\nb' }"), "has a value"},
      {http("headers { key: 'X-A' value: '" + Long(4097) + "' }"), "has a value"},
      {fetcher("provider {}"), ""},
      {fetcher("provider { provider_name: '" + Long(256) + "' }"), "provider_name"},
      {fetcher("file {}"), "token_fetcher.file.path is required"},
      {fetcher("file { path: 'relative' }"), "token_fetcher.file.path must be"},
      {fetcher("file { path: '/run/t' }"), ""},
  });
}

TEST(ValidateTest, UsersAndTokensOfSessions) {
  Check<v1::SetMeRequest>({
      {"user_id: 'u'", "session_id is required"},
      {"session_id: 's'", "me is required"},
      {"session_id: 's' user_id: ''", "user_id is required"},
      {"session_id: 's' user { id: 'u' }", "user.name is required"},
      {"session_id: 's' user_id: 'u'", ""},
  });
  Check<v1::SetTokenRequest>({
      {"token: 't'", "session_id is required"},
      {"session_id: 's'", "token is required"},
      {"session_id: 's' token: '" + Long(16 * 1024 + 1) + "'", "token must be"},
      {"session_id: 's' token: 't'", ""},
  });
  Check<v1::ProvideTokensRequest>({
      {"", "message is required"},
      {"registration {}", ""},
      {"registration { provider_name: '" + Long(256) + "' }", "registration.provider_name"},
      {"registration { session_ids: '' }", "registration.session_ids"},
      {"answer { query_id: 'q' }", "answer.outcome is required"},
      {"answer { query_id: 'q' token: '' }", ""},
      {"answer { query_id: 'q' failure: 'no' }", ""},
  });
}

TEST(ValidateTest, SendMessage) {
  const std::string to = "session_id: 's' conversation_id: 'c' ";
  std::string umlauts;
  for (int i = 0; i < 10'000; ++i) umlauts += "ä";
  Check<v1::SendMessageRequest>({
      {"conversation_id: 'c' text: 't'", "session_id is required"},
      {"session_id: 's' text: 't'", "conversation_id is required"},
      {to, "content is required"},
      {to + "text: ''", "text must be 1 to 10000 characters"},
      {to + "text: '" + umlauts + "'", ""},
      {to + "text: '" + umlauts + "ä'", "text must be 1 to 10000 characters; it has 10001"},
      {to + "location { latitude: 90 longitude: -180 }", ""},
      {to + "location { latitude: 90.1 }", "location.latitude"},
      {to + "location { latitude: nan }", "location.latitude"},
      {to + "location { longitude: inf }", "location.longitude"},
      {to + "file_token: ''", "file_token is required"},
      {to + "text: 't' custom { key: 'k' value: '" + Long(10'001) + "' }", "custom has a value"},
      {to + "text: 't' referenced_message_id: ''", "referenced_message_id is required"},
  });
}

TEST(ValidateTest, PushRegistrationsHaveBothOrNeitherAndThatIsCheckedFirst) {
  Check<v1::SetPushRegistrationRequest>({
      {"provider: PUSH_PROVIDER_FCM", "push_registration_id must be given too"},
      {"push_registration_id: 'x'", "provider must be given too"},
      {"", "session_id is required"},
      {"session_id: 's'", ""},
      {"session_id: 's' provider: PUSH_PROVIDER_UNSPECIFIED push_registration_id: 'x'",
       "provider is required"},
      {"session_id: 's' provider: PUSH_PROVIDER_FCM push_registration_id: ''",
       "push_registration_id is required"},
      {"session_id: 's' provider: PUSH_PROVIDER_FCM push_registration_id: '" + Long(4097) + "'",
       "push_registration_id must be 1 to 4096 bytes"},
      {"session_id: 's' provider: PUSH_PROVIDER_APNS push_registration_id: 'x'", ""},
  });
  EXPECT_EQ(std::string(MessageOf(Validate(
                            Parse<v1::SetPushRegistrationRequest>("provider: PUSH_PROVIDER_FCM"))))
                .find("session_id"),
            std::string::npos);
  Check<v1::UnsetPushRegistrationRequest>({
      {"session_id: 's' provider: PUSH_PROVIDER_FCM", "push_registration_id must be given too"},
      {"session_id: 's'", ""},
  });
}

TEST(ValidateTest, GetUser) {
  Check<v1::GetUserRequest>({
      {"session_id: 's'", "user.id is required"},
      {"session_id: 's' user { id: 'u' }", "user.name is required"},
      {"user { id: 'u' name: 'U' }", "session_id is required"},
      {"session_id: 's' user { id: 'u' name: 'U' }", ""},
      {"session_id: 's' user { id: 'u' name: '" + Long(1001) + "' }", "user.name must be"},
      {"session_id: 's' user { id: 'u' name: 'U' availability_text: '" + Long(1001) + "' }",
       "user.availability_text must be at most 1000 bytes"},
  });
  Check<v1::GetUserByIdRequest>(
      {{"session_id: 's'", "user_id is required"}, {"session_id: 's' user_id: 'u'", ""}});
}

TEST(ValidateTest, GetConversation) {
  const std::string c = "session_id: 's' conversation_id: 'c' ";
  std::string many;
  for (int i = 0; i < 101; ++i) many += "participants { user_id: 'u" + std::to_string(i) + "' } ";
  std::string texts;
  for (int i = 0; i < 21; ++i) texts += "values: 't' ";
  Check<v1::GetConversationRequest>({
      {"session_id: 's'", "conversation_id is required"},
      {c, ""},
      {c + "attributes { }", ""},
      {c + "attributes { subject: '" + Long(1001) + "' }", "attributes.subject must be at most"},
      {c + "attributes { subject: '' photo_url: '' welcome_messages { } }", ""},
      {c + "attributes { welcome_messages { " + texts + " } }", "attributes.welcome_messages must"},
      {c + "attributes { welcome_messages { values: '" + Long(10'001) + "' } }",
       "attributes.welcome_messages[0] must be"},
      {c + "attributes { photo_url: 'ftp://x' }", "attributes.photo_url must"},
      {c + "attributes { null_fields: 'name' }", "attributes.null_fields[0] must be one of custom"},
      {c + "attributes { subject: 's' null_fields: 'subject' }", "is also set"},
      {c + "attributes { null_fields: 'custom' null_fields: 'welcome_messages' }", ""},
      {c + "participants { }", "participants[0] needs user or user_id"},
      {c + "participants { user_id: '' }", "participants[0].user_id is required"},
      {c + "participants { user { id: 'u' } }", "participants[0].user.name is required"},
      {c + "participants { user_id: 'u' } participants { user { id: 'u' name: 'U' } }",
       "participants[1] names a user for the second time"},
      {c + "participants { user_id: 'u' access: 7 }", "participants[0].access must"},
      {c + "participants { user_id: 'u' notify: 7 }", "participants[0].notify must"},
      {c + "participants { user_id: 'u' access: ACCESS_UNSPECIFIED }", ""},
      {c + many, "participants must have at most 100 entries"},
  });
}

TEST(ValidateTest, ListConversations) {
  const std::string s = "session_id: 's' ";
  std::string alternatives;
  for (int i = 0; i < 33; ++i) alternatives += "any { } ";
  const auto any = [&](const std::string& match) { return s + "filter { any { " + match + " } }"; };
  Check<v1::ListConversationsRequest>({
      {s, ""},
      {s + "page_size: -1", "page_size must not be negative; 0 means 20"},
      {s + "page_size: 1000", ""},
      {s + "page_token: '" + Long(8193) + "'", "page_token must be at most"},
      {s + "filter { " + alternatives + " }", "filter.any must have at most 32"},
      {any("access { values: 'Write' }"), "filter.any[0].access.values[0] must be ReadWrite"},
      {any("access { values: 'Read' null_value: true }"), "filter.any[0].access.null_value"},
      {any("access { values: 'Read' values: 'ReadWrite' }"), ""},
      {any("subject { null_value: true }"), ""},
      {any("subject { values: '" + Long(10'001) + "' }"), "filter.any[0].subject.values[0] must"},
      {any("custom { key: '' value { exists: true } }"), "filter.any[0].custom has a key that"},
      {any("custom { key: 'k' value { } }"), "filter.any[0].custom has a key without predicate"},
      {any("custom { key: 'k' value { value { null_value: true } } }"), "custom.null_value"},
      {any("custom { key: 'k' value { exists: false } }"), ""},
      {any("create_time { }"), "filter.any[0].create_time needs start_time"},
      {any("join_time { start_time { seconds: 1 } negated: true }"), "join_time.negated needs"},
      {any("last_message_time { end_time { nanos: -1 } }"), "last_message_time.end_time must"},
      {any("create_time { start_time { seconds: 1 } end_time { seconds: 2 } negated: true }"), ""},
  });
}

TEST(ValidateTest, ListMessages) {
  Check<v1::ListMessagesRequest>({
      {"session_id: 's'", "conversation_id is required"},
      {"session_id: 's' conversation_id: 'c'", ""},
      {"session_id: 's' conversation_id: 'c' page_size: -7",
       "page_size must not be negative; 0 means 30"},
  });
}

TEST(ValidateTest, StreamMessages) {
  std::string many;
  for (int i = 0; i < 1001; ++i) many += "session_ids: 's' ";
  Check<v1::StreamMessagesRequest>({
      {"", ""},
      {"session_ids: ''", "session_ids[0] is required"},
      {many, "session_ids must have at most 1000 entries"},
      {"conversation_ids: '" + Long(256) + "'", "conversation_ids[0] must be"},
      {"kinds: MESSAGE_EVENT_KIND_UNSPECIFIED", "kinds[0]"},
      {"kinds: MESSAGE_EVENT_KIND_EDITED", ""},
      {"from_time { seconds: 253402300800 }", "from_time"},
      {"from_time { nanos: -1 }", "from_time"},
      {"from_time { seconds: -62135596800 }", ""},
      {"subscription { name: 'crm/eu:orders_1.2-x' }", ""},
      {"subscription {}", "subscription.name is required"},
      {"subscription { name: '" + Long(129) + "' }", "subscription.name must be 1 to 128"},
      {"subscription { name: 'a b' }", "subscription.name must consist of"},
      {"subscription { name: 'n' replaces_stream_id: '" + Long(65) + "' }",
       "subscription.replaces_stream_id must be at most 64"},
  });
}

TEST(ValidateTest, NamedSubscriptions) {
  Check<v1::AcknowledgeRequest>({
      {"name: 'n' stream_id: 's'", ""},
      {"stream_id: 's'", "name is required"},
      {"name: 'n'", "stream_id is required"},
      {"name: 'n' stream_id: '" + Long(65) + "'", "stream_id must be 1 to 64"},
  });
  Check<v1::ListSubscriptionsRequest>({{"", ""}, {"page_size: -1", "page_size must not be"}});
  Check<v1::DeleteSubscriptionRequest>({{"name: 'n'", ""}, {"name: '*'", "name must consist of"}});
}

TEST(ValidateTest, ListSessions) {
  Check<v1::ListSessionsRequest>({
      {"", ""},
      {"page_size: -1", "page_size must not be negative"},
      {"page_size: 100000", ""},
      {"states: SESSION_STATE_UNSPECIFIED", "states[0]"},
      {"app_id: '/'", "app_id"},
  });
}

TEST(ValidateTest, CountsCharactersNotBytes) {
  EXPECT_EQ(CountCharacters(""), 0u);
  EXPECT_EQ(CountCharacters("aä€😀"), 4u);
}

}  // namespace
}  // namespace talkjsd::api
