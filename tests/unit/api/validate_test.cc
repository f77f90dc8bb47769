#include "daemon/api/validate.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

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
      {app + "user { id: 'u' name: 'U' locale: 'e' }", "user.locale must"},
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
      {app + "request_id: '" + Long(129) + "'", "request_id must be at most 128 bytes"},
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
  });
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
