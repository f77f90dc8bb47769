// Absent, null, empty and filled are four things: what a client writes is what TalkJS is sent, in
// any combination. The expectation is a model of its own, written from the rules in types.proto.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <functional>
#include <random>

#include "daemon/api/convert/convert.h"
#include "daemon/api/convert/convert_conversation.h"
#include "daemon/upstream/call.h"

namespace talkjsd::api {
namespace {

namespace json = boost::json;
namespace v1 = talkjs::sidecar::v1;

enum class Given { kAbsent, kNull, kEmpty, kFilled };

class Draw {
 public:
  explicit Draw(unsigned seed) : engine_(seed) {}
  int Below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(engine_); }
  Given Any() { return static_cast<Given>(Below(4)); }
  std::string Word() {
    static const char* const kWords[] = {"x", "a \"quoted\" one", "ünï", "null", "0", "\n"};
    return kWords[Below(6)];
  }

 private:
  std::mt19937 engine_;
};

// Writes one text field both ways: into the message and into the expected JSON.
template <typename Message, typename Set>
void Text(Draw& draw, Message& message, const char* field, const char* wire_name, const Set& set,
          json::object& expected) {
  const Given given = draw.Any();
  if (given == Given::kAbsent) return;
  if (given == Given::kNull) {
    message.add_null_fields(field);
    expected[wire_name] = nullptr;
    return;
  }
  const std::string value = given == Given::kEmpty ? std::string() : draw.Word();
  set(value);
  expected[wire_name] = value;
}

template <typename Message>
void List(Draw& draw, Message& message, const char* field, const char* wire_name,
          const std::function<v1::StringList*()>& mutable_list, json::object& expected) {
  const Given given = draw.Any();
  if (given == Given::kAbsent) return;
  if (given == Given::kNull) {
    message.add_null_fields(field);
    expected[wire_name] = nullptr;
    return;
  }
  v1::StringList* list = mutable_list();
  json::array values;
  for (int left = given == Given::kEmpty ? 0 : 1 + draw.Below(3); left > 0; --left) {
    const std::string value = draw.Word();
    list->add_values(value);
    values.push_back(json::value(value));
  }
  expected[wire_name] = values;
}

template <typename Message>
void Custom(Draw& draw, Message& message, json::object& expected) {
  const Given given = draw.Any();
  if (given == Given::kAbsent) return;
  if (given == Given::kNull) {
    message.add_null_fields("custom");
    expected["custom"] = nullptr;
    return;
  }
  v1::CustomUpdate* custom = message.mutable_custom();
  json::object values;
  for (int left = given == Given::kEmpty ? 0 : 1 + draw.Below(4); left > 0; --left) {
    const std::string key = "k" + std::to_string(left);
    if (draw.Below(2) == 0) {
      custom->add_deleted_keys(key);
      values[key] = nullptr;
    } else {
      const std::string value = draw.Below(3) == 0 ? std::string() : draw.Word();
      (*custom->mutable_values())[key] = value;
      values[key] = value;
    }
  }
  expected["custom"] = values;
}

TEST(NullRulesTest, AUserIsWrittenAsGiven) {
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    Draw draw(seed);
    v1::UserAttributes user;
    user.set_id("u/1");
    user.set_name(draw.Word());
    json::object expected{{"name", user.name()}};
    const auto text = [&](const char* field, const char* wire_name, auto set) {
      Text(draw, user, field, wire_name, set, expected);
    };
    text("locale", "locale", [&](const std::string& v) { user.set_locale(v); });
    text("photo_url", "photoUrl", [&](const std::string& v) { user.set_photo_url(v); });
    text("role", "role", [&](const std::string& v) { user.set_role(v); });
    text("welcome_message", "welcomeMessage",
         [&](const std::string& v) { user.set_welcome_message(v); });
    List(
        draw, user, "email", "email", [&] { return user.mutable_email(); }, expected);
    List(
        draw, user, "phone", "phone", [&] { return user.mutable_phone(); }, expected);
    Custom(draw, user, expected);
    // It has no place in TalkJS: it never shows there, and stays three things here.
    json::object availability;
    Text(
        draw, user, "availability_text", "text",
        [&](const std::string& v) { user.set_availability_text(v); }, availability);

    const upstream::Request request = upstream::SetUser(user.id(), ToUserWrite(user));
    EXPECT_EQ(request.path, "/users/u%2F1");
    EXPECT_EQ(json::parse(request.data), json::value(expected)) << "seed " << seed;
    const wire::Patch<std::string> kept = ToAvailability(user);
    EXPECT_EQ(kept.present, !availability.empty()) << "seed " << seed;
    if (kept.present) {
      const json::value value =
          kept.value.has_value() ? json::value(*kept.value) : json::value(nullptr);
      EXPECT_EQ(value, availability["text"]) << "seed " << seed;
    }
  }
}

TEST(NullRulesTest, AConversationIsWrittenAsGiven) {
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    Draw draw(seed);
    v1::ConversationAttributes attributes;
    json::object expected;
    Text(
        draw, attributes, "subject", "subject",
        [&](const std::string& v) { attributes.set_subject(v); }, expected);
    Text(
        draw, attributes, "photo_url", "photoUrl",
        [&](const std::string& v) { attributes.set_photo_url(v); }, expected);
    List(
        draw, attributes, "welcome_messages", "welcomeMessages",
        [&] { return attributes.mutable_welcome_messages(); }, expected);
    Custom(draw, attributes, expected);
    const upstream::Request request =
        upstream::SetConversation("c", ToConversationWrite(attributes));
    EXPECT_EQ(json::parse(request.data), json::value(expected)) << "seed " << seed;
  }
}

TEST(NullRulesTest, ParticipantsAreWrittenAsGivenAndTheSessionsUserFirst) {
  v1::GetConversationRequest request;
  request.add_participants()->set_user_id("bob");
  v1::Participant* carol = request.add_participants();
  carol->mutable_user()->set_id("carol");
  carol->set_access(v1::ACCESS_READ);
  carol->set_notify(v1::NOTIFY_UNSPECIFIED);
  EXPECT_EQ(upstream::SetParticipants("c", ToParticipantWrites(request, "me")).data,
            R"({"actions":[{"id":"me","method":"PUT","params":{}},)"
            R"({"id":"bob","method":"PUT","params":{}},)"
            R"({"id":"carol","method":"PUT","params":{"access":"Read"}}]})");
  v1::Participant* me = request.add_participants();
  me->set_user_id("me");
  me->set_notify(v1::NOTIFY_OFF);
  const auto writes = ToParticipantWrites(request, "me");
  ASSERT_EQ(writes.size(), 3u);
  EXPECT_EQ(writes[0].user_id, "me");
  EXPECT_EQ(writes[0].notify, wire::Notify::kOff);
}

TEST(NullRulesTest, TimesOfAFilterAreRoundedUpToTheMillisecond) {
  v1::ConversationFilter filter;
  v1::TimePredicate* span = filter.add_any()->mutable_create_time();
  span->mutable_start_time()->set_nanos(1);
  span->mutable_end_time()->set_seconds(-1);
  span->mutable_end_time()->set_nanos(500'000'000);
  const auto query = ToQuery(filter);
  EXPECT_EQ(query.at(0).created_at->start, 1);
  EXPECT_EQ(query.at(0).created_at->end, -500);
}

TEST(OutgoingTest, TextIsReadAsTalkJSsMarkup) {
  v1::SendMessageRequest request;
  request.set_text("*hi* bob");
  const auto message = ToOutgoing(request);
  ASSERT_EQ(message.content.size(), 1u);
  const auto& children = message.content[0].children;
  ASSERT_EQ(children.size(), 2u);
  EXPECT_EQ(children[0].kind, wire::TextNode::Kind::kBold);
  EXPECT_EQ(children[1].text, " bob");
}

}  // namespace
}  // namespace talkjsd::api
