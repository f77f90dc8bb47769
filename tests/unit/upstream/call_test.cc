#include "daemon/upstream/call.h"

#include <gtest/gtest.h>

#include "daemon/base/error.h"
#include "daemon/wire/json.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;
using absl::StatusCode;

Reply Answer(int status, const std::string& data) {
  return {status, std::make_shared<wire::json::value>(wire::json::parse(data))};
}

Reply Refusal(int status, const std::string& code) {
  return Answer(status, R"({"errorCode":")" + code + R"(","reasons":["because",7]})");
}

constexpr char kSide[] =
    R"({"id":"c1","createdAt":1,"subject":null,"photoUrl":null,"welcomeMessages":[],"custom":{},)"
    R"("lastMessageAt":2,"unreadMessageCount":0,"isUnread":false,"access":"ReadWrite","notify":true,)"
    R"("readUntil":1,"everyoneReadUntil":1,"joinedAt":1})";

TEST(CallErrors, EachStatusHasItsCodeReasonAndAdvice) {
  const struct {
    int status;
    const char* code;
    StatusCode want;
    v1::ErrorReason reason;
    const char* advice;
  } cases[] = {
      {400, "BAD_REQUEST", StatusCode::kInvalidArgument, v1::ERROR_REASON_UPSTREAM_REFUSED,
       "correct the request"},
      {405, "X", StatusCode::kFailedPrecondition, v1::ERROR_REASON_UPSTREAM_REFUSED,
       "check that TalkJS has this call"},
      {401, "UNAUTHORIZED", StatusCode::kFailedPrecondition, v1::ERROR_REASON_TOKEN_REFUSED,
       "check the app id and the credentials"},
      {402, "X", StatusCode::kFailedPrecondition, v1::ERROR_REASON_UPSTREAM_REFUSED,
       "check the TalkJS plan"},
      {403, "NOT_A_PARTICIPANT", StatusCode::kPermissionDenied, v1::ERROR_REASON_NOT_A_PARTICIPANT,
       "join the conversation first"},
      {403, "X", StatusCode::kPermissionDenied, v1::ERROR_REASON_PERMISSION_REFUSED,
       "check the user's access in TalkJS"},
      {404, "MESSAGE_NOT_FOUND", StatusCode::kNotFound, v1::ERROR_REASON_MESSAGE_NOT_FOUND,
       "check the message id"},
      {404, "USER_NOT_FOUND", StatusCode::kNotFound, v1::ERROR_REASON_USER_NOT_FOUND,
       "create the user first"},
      {404, "X", StatusCode::kNotFound, v1::ERROR_REASON_CONVERSATION_NOT_FOUND,
       "create the conversation first"},
      {409, "X", StatusCode::kAlreadyExists, v1::ERROR_REASON_UPSTREAM_REFUSED,
       "it exists already"},
      {429, "X", StatusCode::kResourceExhausted, v1::ERROR_REASON_UPSTREAM_RATE_LIMITED,
       "slow down"},
      {500, "X", StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
       "try again later"},
      {201, "X", StatusCode::kUnavailable, v1::ERROR_REASON_UPSTREAM_UNAVAILABLE,
       "try again later"},
  };
  for (const auto& one : cases) {
    SCOPED_TRACE(std::to_string(one.status) + " " + one.code);
    const absl::Status status = ParseDone(Refusal(one.status, one.code), "doing it");
    EXPECT_EQ(status.code(), one.want);
    EXPECT_EQ(ReasonOf(status), one.reason);
    const std::string message(MessageOf(status));
    EXPECT_EQ(message.find("doing it failed: TalkJS answered " + std::to_string(one.status) + " " +
                           one.code + " (because; 7); "),
              0u)
        << message;
    EXPECT_NE(message.find(one.advice), std::string::npos) << message;
  }
}

TEST(CallErrors, AnErrorWithoutDataIsAnErrorAllTheSame) {
  for (const char* data : {"null", "[]", "{}", R"({"errorCode":1,"reasons":"x"})"}) {
    EXPECT_EQ(ParseDone(Answer(404, data), "x").code(), StatusCode::kNotFound) << data;
  }
}

TEST(CallErrors, AStatusMayCountAsSuccess) {
  EXPECT_TRUE(ParseDone(Refusal(409, "EXISTS"), "x", 409).ok());
  EXPECT_TRUE(ParseDone(Answer(200, "null"), "x").ok());
}

TEST(CallBuilders, WriteWhatTalkJSReads) {
  EXPECT_EQ(ListConversations(30, ConversationFilter::kAll).data, R"({"limit":30,"filter":{}})");
  EXPECT_EQ(ListConversations(5, ConversationFilter::kUnreadOnly).data,
            R"({"limit":5,"filter":{"isUnread":true}})");
  EXPECT_EQ(ListConversationsAfter(30, "a\"b").data, R"({"limit":30,"cursor":"a\"b"})");
  EXPECT_EQ(ListMessages("a/b", 100, "").path, "/me/conversations/a%2Fb/messages");
  EXPECT_EQ(ListMessages("c", 100, "x").data, R"({"limit":100,"cursor":"x"})");
  EXPECT_EQ(GetUsers({"a", "b"}).data, R"({"ids":["a","b"],"includePrivateFields":false})");
  const Request join = JoinConversation("c", "me");
  EXPECT_EQ(join.path, "/conversations/c/participants");
  EXPECT_EQ(join.data, R"({"actions":[{"id":"me","method":"POST","params":{}}]})");
  UserWrite user;
  user.name = "Al";
  user.locale = wire::Patch<std::string>::Null();
  user.email = wire::Patch<std::vector<std::string>>::Of({"a@b.c"});
  EXPECT_EQ(SetUser("al ice", user).path, "/users/al%20ice");
  EXPECT_EQ(SetUser("a", user).data, R"({"name":"Al","locale":null,"email":["a@b.c"]})");
}

TEST(CallBuilders, ConversationsAndParticipantsSayWhatIsGivenAndNothingElse) {
  EXPECT_EQ(MarkUnread("a b").path, "/me/conversations/a%20b/unread");
  EXPECT_EQ(SetConversation("c/1", {}).path, "/conversations/c%2F1");
  EXPECT_EQ(SetConversation("c", {}).method, "PUT");
  EXPECT_EQ(SetConversation("c", {}).data, "{}");
  ConversationWrite write;
  write.subject = wire::Patch<std::string>::Of("");
  write.photo_url = wire::Patch<std::string>::Null();
  write.welcome_messages = wire::Patch<std::vector<std::string>>::Of({});
  write.custom = wire::Patch<wire::CustomPatch>::Of({{"gone", std::nullopt}, {"empty", ""}});
  EXPECT_EQ(SetConversation("c", write).data,
            R"({"subject":"","photoUrl":null,"welcomeMessages":[],)"
            R"("custom":{"empty":"","gone":null}})");
  const Request batch = SetParticipants("c", {{"me", std::nullopt, std::nullopt},
                                              {"b", wire::Access::kRead, wire::Notify::kOff},
                                              {"d", std::nullopt, wire::Notify::kMentionsOnly}});
  EXPECT_EQ(batch.path, "/conversations/c/participants");
  EXPECT_EQ(batch.method, "POST");
  EXPECT_EQ(batch.data, R"({"actions":[{"id":"me","method":"PUT","params":{}},)"
                        R"({"id":"b","method":"PUT","params":{"access":"Read","notify":false}},)"
                        R"({"id":"d","method":"PUT","params":{"notify":"MentionsOnly"}}]})");
}

TEST(CallBuilders, PushDevicesAreKeysOfTheUser) {
  const PushDevice phone{PushProvider::kFcm, Secret("T:1\"")};
  const PushDevice pad{PushProvider::kApns, Secret("ab")};
  EXPECT_EQ(SetPushDevice("al/ice", phone, true).path, "/users/al%2Fice");
  EXPECT_EQ(SetPushDevice("a", phone, true).data, R"({"pushTokens":{"fcm:T:1\"":true}})");
  EXPECT_EQ(SetPushDevice("a", pad, false).data, R"({"pushTokens":{"apns:ab":null}})");
  EXPECT_EQ(ClearPushDevices("a").data, R"({"pushTokens":null})");
}

TEST(CallParse, NotBeingAllowedToEditIsNoErrorWhereNothingWasToBeEdited) {
  ConversationWrite write;
  const Reply may_not_edit = Refusal(403, "UNAUTHORIZED_TO_EDIT");
  EXPECT_TRUE(ParseConversationSet(may_not_edit, write).ok());
  EXPECT_FALSE(ParseConversationSet(Refusal(403, "X"), write).ok());
  write.custom = wire::Patch<wire::CustomPatch>::Null();
  EXPECT_EQ(ReasonOf(ParseConversationSet(may_not_edit, write)),
            v1::ERROR_REASON_PERMISSION_REFUSED);

  const Reply batch = Answer(
      200, R"({"responses":[{"status":200,"data":{}},)"
           R"({"status":403,"errorCode":"UNAUTHORIZED_TO_EDIT_PARTICIPANT","reasons":[]}]})");
  EXPECT_TRUE(ParseParticipantsSet(batch, {{"me", {}, {}}, {"bob", {}, {}}}).ok());
  const absl::Status refused =
      ParseParticipantsSet(batch, {{"me", {}, {}}, {"bob", wire::Access::kRead, {}}});
  EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied);
  EXPECT_NE(std::string(MessageOf(refused)).find("\"bob\""), std::string::npos) << refused;
}

TEST(CallParse, TheFirstParticipantThatIsRefusedIsTheError) {
  const std::vector<ParticipantWrite> two = {{"a", {}, {}}, {"b", {}, {}}};
  const absl::Status missing = ParseParticipantsSet(
      Answer(200, R"({"responses":[{"status":200,"data":{}},)"
                  R"({"status":404,"errorCode":"USER_NOT_FOUND","reasons":["no such user"]}]})"),
      two);
  EXPECT_EQ(missing.code(), StatusCode::kNotFound);
  EXPECT_EQ(ReasonOf(missing), v1::ERROR_REASON_USER_NOT_FOUND);
  EXPECT_EQ(ReasonOf(ParseParticipantsSet(Refusal(403, "NOT_A_PARTICIPANT"), two)),
            v1::ERROR_REASON_NOT_A_PARTICIPANT);
  for (const char* data : {"null", R"({"responses":[]})", R"({"responses":[{"status":200}]})",
                           R"({"responses":[{"status":200},{"status":"x"}]})"}) {
    EXPECT_EQ(ReasonOf(ParseParticipantsSet(Answer(200, data), two)),
              v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR)
        << data;
  }
}

TEST(CallParse, AbsenceIsNoError) {
  for (const Reply& reply : {Refusal(404, "X"), Refusal(403, "NOT_A_PARTICIPANT")}) {
    auto conversation = ParseConversation(reply);
    ASSERT_TRUE(conversation.ok());
    EXPECT_FALSE(conversation->has_value());
    auto messages = ParseMessages(reply);
    ASSERT_TRUE(messages.ok());
    EXPECT_FALSE(messages->has_value());
    auto message = ParseMessage(reply);
    ASSERT_TRUE(message.ok());
    EXPECT_FALSE(message->has_value());
  }
  EXPECT_FALSE(ParseConversation(Refusal(403, "X")).ok());
  auto none = ParseConversations(Refusal(404, "USER_NOT_FOUND"));
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->items.empty());
}

TEST(CallParse, PagesEndWithANullCursorAndWithAnEmptyPage) {
  auto page =
      ParseConversations(Answer(200, std::string(R"({"data":[)") + kSide + R"(],"cursor":"x"})"));
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->items.at(0).id, "c1");
  EXPECT_EQ(page->cursor, "x");
  page =
      ParseConversations(Answer(200, std::string(R"({"data":[)") + kSide + R"(],"cursor":null})"));
  ASSERT_TRUE(page.ok());
  EXPECT_FALSE(page->cursor.has_value());
  page = ParseConversations(Answer(200, R"({"data":[],"cursor":"for ever"})"));
  ASSERT_TRUE(page.ok());
  EXPECT_FALSE(page->cursor.has_value());
}

TEST(CallParse, BadShapesAreProtocolErrors) {
  const char* const bad[] = {"null",
                             "7",
                             "[]",
                             "{}",
                             R"({"data":{}})",
                             R"({"data":[7]})",
                             R"({"data":[{}],"cursor":null})",
                             R"({"data":[{"id":7}]})"};
  for (const char* data : bad) {
    SCOPED_TRACE(data);
    const absl::Status list = ParseConversations(Answer(200, data)).status();
    EXPECT_EQ(list.code(), StatusCode::kUnavailable);
    EXPECT_EQ(ReasonOf(list), v1::ERROR_REASON_UPSTREAM_PROTOCOL_ERROR);
    EXPECT_FALSE(ParseMessages(Answer(200, data)).ok());
    EXPECT_FALSE(ParseConversation(Answer(200, data)).ok());
    EXPECT_FALSE(ParseMessage(Answer(200, data)).ok());
    EXPECT_FALSE(ParseSentMessage(Answer(200, data)).ok());
    EXPECT_FALSE(ParseJoined(Answer(200, data)).ok());
  }
  EXPECT_FALSE(ParseUsers(Answer(200, R"({"a":{"id":7}})")).ok());
  EXPECT_FALSE(ParseUsers(Answer(200, "[]")).ok());
}

TEST(CallParse, UsersThatDoNotExistAreLeftOut) {
  auto users = ParseUsers(Answer(
      200,
      R"({"a":{"id":"a","name":"A","custom":{},"locale":null,"photoUrl":null,"role":"default",)"
      R"("welcomeMessage":null},"b":null})"));
  ASSERT_TRUE(users.ok()) << users.status();
  EXPECT_EQ(users->size(), 1u);
  EXPECT_EQ(users->at("a").name, "A");
}

TEST(CallParse, JoiningIsAnsweredByItsOneAction) {
  EXPECT_TRUE(ParseJoined(Answer(200, R"({"responses":[{"status":200,"data":{}}]})")).ok());
  EXPECT_TRUE(
      ParseJoined(Answer(200, R"({"responses":[{"status":409,"errorCode":"X","reasons":[]}]})"))
          .ok());
  const absl::Status refused = ParseJoined(Answer(
      200, R"({"responses":[{"status":403,"errorCode":"NOT_A_PARTICIPANT","reasons":[]}]})"));
  EXPECT_EQ(refused.code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(ReasonOf(refused), v1::ERROR_REASON_NOT_A_PARTICIPANT);
  EXPECT_FALSE(ParseJoined(Answer(200, R"({"responses":[]})")).ok());
  EXPECT_FALSE(ParseJoined(Answer(200, R"({"responses":[{"status":"200"}]})")).ok());
}

}  // namespace
}  // namespace talkjsd::upstream
