#include "daemon/wire/event.h"

#include <gtest/gtest.h>

#include "daemon/wire/json.h"

namespace talkjsd::wire {
namespace {

constexpr std::string_view kMessageText =
    R"({"id":"m","type":"UserMessage","senderId":"bob","custom":{},"createdAt":7,"editedAt":null,)"
    R"("referencedMessageId":null,"origin":"rest","content":[],"reactions":{}})";

absl::StatusOr<Event> Read(std::string_view text) {
  return DecodeEvent(ParseJson(text).value().as_object());
}

template <typename T>
T As(std::string_view text) {
  absl::StatusOr<Event> event = Read(text);
  EXPECT_TRUE(event.ok()) << event.status();
  return std::get<T>(event.value());
}

std::string Error(std::string_view text) { return std::string(Read(text).status().message()); }

TEST(EventTest, EveryTypeBecomesItsStruct) {
  EXPECT_EQ(As<UserCreated>(R"({"type":"user.created","userId":"u","state":{"id":"u","name":"U"}})")
                .state.name,
            "U");
  EXPECT_EQ(As<UserEdited>(R"({"type":"user.edited","userId":"u","diff":{"name":"N"}})").diff.name,
            "N");
  EXPECT_EQ(
      As<SideEdited>(R"({"type":"side.edited","conversationId":"c","diff":{"lastMessageAt":5}})")
          .diff.last_message_at,
      5);
  EXPECT_EQ(As<SideDeleted>(R"({"type":"side.deleted","conversationId":"c"})").conversation_id,
            "c");
  EXPECT_EQ(
      As<MessageEdited>(
          R"({"type":"message.edited","conversationId":"c","messageId":"m","diff":{"editedAt":5}})")
          .diff.edited_at.value,
      5);
  EXPECT_EQ(As<ConversationCleared>(R"({"type":"conversation.cleared","conversationId":"c"})")
                .conversation_id,
            "c");
  As<SessionExpired>(R"({"type":"session.expired"})");
  As<UpstreamRestarting>(R"({"type":"upstream.restarting"})");
}

TEST(EventTest, ConversationEditedIsASideEdited) {
  const auto event = As<SideEdited>(
      R"({"type":"conversation.edited","conversationId":"c","diff":{"subject":null}})");
  EXPECT_EQ(event.conversation_id, "c");
  EXPECT_EQ(event.diff.subject, Patch<std::string>::Null());
}

TEST(EventTest, ParticipantEditedCarriesItsDiff) {
  const auto event = As<ParticipantEdited>(
      R"({"type":"participant.edited","conversationId":"c","userId":"u","diff":{"notify":"MentionsOnly"}})");
  EXPECT_EQ(event.user_id, "u");
  EXPECT_EQ(event.access, std::nullopt);
  EXPECT_EQ(event.notify, Notify::kMentionsOnly);
}

TEST(EventTest, DeletedMessageSaysWhatIsLastNow) {
  const std::string start = R"({"type":"message.deleted","conversationId":"c","messageId":"m")";
  EXPECT_FALSE(As<MessageDeleted>(start + "}").new_last_message.present);
  const auto none = As<MessageDeleted>(start + R"(,"newLastMessage":null})");
  EXPECT_TRUE(none.new_last_message.present);
  EXPECT_EQ(none.new_last_message.value, std::nullopt);
  const auto one =
      As<MessageDeleted>(start + R"(,"newLastMessage":)" + std::string(kMessageText) + "}");
  EXPECT_EQ(one.new_last_message.value->sender_id, "bob");
}

TEST(EventTest, IdsMissingInTheStateComeFromTheEvent) {
  std::string state(kMessageText);
  state.erase(1, std::string_view(R"("id":"m",)").size());
  EXPECT_EQ(As<MessageCreated>(
                R"({"type":"message.created","conversationId":"c","messageId":"x","state":)" +
                state + "}")
                .state.id,
            "x");
  EXPECT_EQ(As<MessageCreated>(R"({"type":"message.created","conversationId":"c","state":)" +
                               std::string(kMessageText) + "}")
                .state.id,
            "m");
  EXPECT_EQ(
      As<UserCreated>(R"({"type":"user.created","userId":"u","state":{"name":"U"}})").state.id,
      "u");
  EXPECT_EQ(Error(R"({"type":"message.created","conversationId":"c","state":)" + state + "}"),
            "message.created: state: id: missing");
}

TEST(EventTest, OtherTypesKeepTheirName) {
  for (const std::string_view type :
       {"typing.changed", "reaction.added", "participant.created", "brand.new.event", ""}) {
    EXPECT_EQ(As<OtherEvent>(R"({"type":")" + std::string(type) + R"(","state":5})").type, type);
  }
}

TEST(EventTest, WrongContentsAreNamed) {
  const struct {
    std::string_view text;
    std::string_view message;
  } kCases[] = {
      {"{}", "type: missing"},
      {R"({"type":5})", "type: not a string"},
      {R"({"type":"side.deleted"})", "side.deleted: conversationId: missing"},
      {R"({"type":"side.edited","conversationId":7,"diff":{}})",
       "side.edited: conversationId: not a string"},
      {R"({"type":"side.edited","conversationId":"c"})", "side.edited: diff: missing"},
      {R"({"type":"side.edited","conversationId":"c","diff":{"isUnread":"no"}})",
       "side.edited: diff: isUnread: neither true nor false"},
      {R"({"type":"side.created","conversationId":"c","state":null})",
       "side.created: state: missing or not an object"},
      {R"({"type":"user.created","userId":5,"state":{"name":"U"}})",
       "user.created: state: id: not a string"},
      {R"({"type":"message.edited","conversationId":"c","messageId":"m","diff":{"content":"x"}})",
       "message.edited: diff: content: not an array"},
      {R"({"type":"message.deleted","conversationId":"c","messageId":"m","newLastMessage":{}})",
       "message.deleted: newLastMessage: id: missing"},
      {R"({"type":"participant.edited","conversationId":"c","userId":"u","diff":{"access":true}})",
       "participant.edited: diff: access: neither \"ReadWrite\" nor \"Read\""},
  };
  for (const auto& test : kCases) EXPECT_EQ(Error(test.text), test.message);
}

}  // namespace
}  // namespace talkjsd::wire
