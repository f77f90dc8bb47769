// Every field of the public messages, from TalkJS's data.
#include "daemon/session/encoder.h"

#include <gtest/gtest.h>

#include <limits>

#include "daemon/wire/json.h"
#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

wire::Conversation Side() {
  wire::Conversation side;
  side.id = "c1";
  side.created_at = 1'000;
  side.joined_at = 2'000;
  side.last_message_at = 3'500;
  side.read_until = 3'000;
  side.everyone_read_until = 2'500;
  side.unread_message_count = 4;
  side.is_unread = true;
  side.access = wire::Access::kRead;
  side.notify = wire::Notify::kMentionsOnly;
  side.custom = {{"k", "v"}};
  side.subject = "";
  side.welcome_messages = {"hello", "there"};
  return side;
}

wire::Message Message(const std::string& content, UnixMillis created_at = 3'000) {
  wire::Message message;
  message.id = "msg_1";
  message.sender_id = "bob";
  message.created_at = created_at;
  message.origin = "web";
  message.custom = {{"a", "b"}};
  auto blocks = wire::DecodeContent(wire::json::parse(content));
  EXPECT_TRUE(blocks.ok()) << blocks.status();
  if (blocks.ok()) message.content = *std::move(blocks);
  return message;
}

v1::Message Fill(const wire::Message& message, const wire::User* sender = nullptr,
                 std::string_view me = "alice") {
  static const wire::Conversation side = Side();
  v1::Message filled;
  FillMessage(message, {"ses_1", me, &side, sender}, &filled);
  return filled;
}

TEST(EncoderTest, AConversationHasItsSideOnlyWhereAsked) {
  v1::Conversation with;
  FillConversation(Side(), /*with_side=*/true, &with);
  EXPECT_EQ(with.id(), "c1");
  EXPECT_EQ(with.custom().at("k"), "v");
  ASSERT_TRUE(with.has_subject());  // empty is not null
  EXPECT_EQ(with.subject(), "");
  EXPECT_FALSE(with.has_photo_url());
  EXPECT_EQ(with.welcome_messages().values_size(), 2);
  EXPECT_EQ(with.create_time().seconds(), 1);
  EXPECT_EQ(with.join_time().seconds(), 2);
  EXPECT_EQ(with.last_message_time().nanos(), 500'000'000);
  EXPECT_EQ(with.unread_message_count(), 4);
  EXPECT_TRUE(with.is_unread());
  EXPECT_EQ(with.access(), v1::ACCESS_READ);
  EXPECT_EQ(with.notify(), v1::NOTIFY_MENTIONS_ONLY);
  EXPECT_EQ(with.read_until_time().seconds(), 3);
  EXPECT_EQ(with.everyone_read_until_time().seconds(), 2);
  v1::Conversation without;
  FillConversation(Side(), /*with_side=*/false, &without);
  EXPECT_FALSE(without.has_create_time());
  EXPECT_FALSE(without.has_unread_message_count());
  EXPECT_EQ(without.access(), v1::ACCESS_UNSPECIFIED);
  wire::Conversation bare = Side();
  bare.welcome_messages.clear();
  v1::Conversation none;
  FillConversation(bare, /*with_side=*/true, &none);
  EXPECT_FALSE(none.has_welcome_messages());
}

TEST(EncoderTest, AUserShowsWhatTalkJSShows) {
  wire::User user;
  user.id = "bob";
  user.name = "Bob";
  user.role = "default";
  user.photo_url = "";
  user.custom = {{"k", ""}};
  v1::User filled;
  FillUser(user, &filled);
  EXPECT_EQ(filled.name(), "Bob");
  EXPECT_EQ(filled.role(), "default");
  EXPECT_TRUE(filled.has_photo_url());
  EXPECT_FALSE(filled.has_locale());
  EXPECT_FALSE(filled.has_welcome_message());
  EXPECT_FALSE(filled.has_email());
  EXPECT_FALSE(filled.has_phone());
  EXPECT_EQ(filled.custom().at("k"), "");
}

TEST(EncoderTest, AMessageHasEveryFieldOfTheSdk) {
  wire::Message message =
      Message(R"([{"type":"text","children":["see ",{"type":"bold","children":["this"]}]}])");
  message.edited_at = 3'100;
  message.referenced_message_id = "msg_0";
  message.reactions["👍"] = {2, 5'000, true};
  message.reactions["a"] = {1, 4'000, false};
  wire::User bob;
  bob.id = "bob";
  bob.name = "Bob";
  const v1::Message filled = Fill(message, &bob);
  EXPECT_EQ(filled.id(), "msg_1");
  EXPECT_EQ(filled.conversation().id(), "c1");
  EXPECT_FALSE(filled.conversation().has_create_time());
  EXPECT_FALSE(filled.is_by_me());
  EXPECT_EQ(filled.sender_id(), "bob");
  EXPECT_EQ(filled.sender().name(), "Bob");
  EXPECT_EQ(filled.body(), "see this");
  EXPECT_EQ(filled.type(), v1::MESSAGE_TYPE_TEXT);
  EXPECT_FALSE(filled.has_attachment());
  EXPECT_FALSE(filled.has_location());
  EXPECT_EQ(filled.create_time().seconds(), 3);
  EXPECT_EQ(filled.origin(), "web");
  EXPECT_EQ(filled.custom().at("a"), "b");
  EXPECT_EQ(filled.message_kind(), v1::MESSAGE_KIND_USER);
  EXPECT_EQ(filled.edit_time().nanos(), 100'000'000);
  EXPECT_EQ(filled.referenced_message_id(), "msg_0");
  ASSERT_EQ(filled.reactions_size(), 2);
  EXPECT_EQ(filled.reactions(0).emoji(), "a");
  EXPECT_TRUE(filled.reactions(1).current_user_reacted());
  ASSERT_EQ(filled.content_size(), 1);
  EXPECT_EQ(filled.content(0).text().children(1).bold().children(0).text(), "this");
}

TEST(EncoderTest, ReadIsByEverybodyForMineAndByMeForOthers) {
  const std::string hi = R"([{"type":"text","children":["hi"]}])";
  EXPECT_TRUE(Fill(Message(hi, 3'000)).read());  // I have read up to 3000
  EXPECT_FALSE(Fill(Message(hi, 3'001)).read());
  EXPECT_TRUE(Fill(Message(hi, 2'500), nullptr, "bob").read());  // everybody up to 2500
  EXPECT_FALSE(Fill(Message(hi, 2'501), nullptr, "bob").read());
  EXPECT_TRUE(Fill(Message(hi), nullptr, "bob").is_by_me());
}

TEST(EncoderTest, AMessageOfTheSystemHasNoSender) {
  wire::Message message = Message(R"([{"type":"text","children":["hi"]}])");
  message.sender_id.reset();
  message.is_system = true;
  const v1::Message filled = Fill(message);
  EXPECT_FALSE(filled.has_sender_id());
  EXPECT_FALSE(filled.has_sender());
  EXPECT_EQ(filled.message_kind(), v1::MESSAGE_KIND_SYSTEM);
}

TEST(EncoderTest, FilesAndPlacesAreThereInTheShortFormToo) {
  const v1::Message file =
      Fill(Message(R"([{"type":"file","subtype":"video","fileToken":"t","url":"https://x/f.mp4",)"
                   R"("filename":"f.mp4","size":7,"width":640,"height":480,"duration":1.5}])"));
  EXPECT_EQ(file.type(), v1::MESSAGE_TYPE_MEDIA);
  EXPECT_EQ(file.attachment().url(), "https://x/f.mp4");
  EXPECT_EQ(file.attachment().size_bytes(), 7);
  const v1::FileBlock& block = file.content(0).file();
  EXPECT_EQ(block.subtype(), "video");
  EXPECT_EQ(block.file_token(), "t");
  EXPECT_EQ(block.filename(), "f.mp4");
  EXPECT_EQ(block.width(), 640);
  EXPECT_EQ(block.height(), 480);
  EXPECT_EQ(block.duration().seconds(), 1);
  EXPECT_EQ(block.duration().nanos(), 500'000'000);
  const v1::Message place =
      Fill(Message(R"([{"type":"location","latitude":51.5,"longitude":-3.25}])"));
  EXPECT_EQ(place.type(), v1::MESSAGE_TYPE_LOCATION);
  EXPECT_EQ(place.location().latitude(), 51.5);
  EXPECT_EQ(place.content(0).location().longitude(), -3.25);
}

TEST(EncoderTest, MeasuresThatNoFileHasAreLeftOut) {
  wire::Message message = Message(R"([{"type":"file","fileToken":"t"}])");
  for (const double odd : {-1.0, 1e300, std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::quiet_NaN()}) {
    message.content[0].file.width = odd;
    message.content[0].file.height = odd;
    message.content[0].file.duration = odd;
    const v1::Message filled = Fill(message);
    EXPECT_FALSE(filled.content(0).file().has_width()) << odd;
    EXPECT_FALSE(filled.content(0).file().has_height()) << odd;
    EXPECT_FALSE(filled.content(0).file().has_duration()) << odd;
  }
}

TEST(EncoderTest, WhatIsNotKnownIsPassedThrough) {
  const v1::Message poll = Fill(Message(R"([{"type":"poll","options":["a"]}])"));
  EXPECT_EQ(poll.type(), v1::MESSAGE_TYPE_UNSPECIFIED);
  EXPECT_EQ(poll.content(0).unknown().type(), "poll");
  EXPECT_EQ(poll.content(0).unknown().json(), R"({"type":"poll","options":["a"]})");
  EXPECT_EQ(Fill(Message("[]")).type(), v1::MESSAGE_TYPE_UNSPECIFIED);
  const v1::Message quoting =
      Fill(Message(R"([{"type":"text","children":["see ",{"type":"bold","children":[)"
                   R"({"type":"quote","by":{"id":"u"},"children":["this"]}]}]}])"));
  EXPECT_EQ(quoting.type(), v1::MESSAGE_TYPE_TEXT);
  EXPECT_EQ(quoting.body(), "see this");
  const v1::TextNode& quote = quoting.content(0).text().children(1).bold().children(0);
  EXPECT_EQ(quote.unknown().type(), "quote");
  EXPECT_EQ(quote.unknown().json(), R"({"type":"quote","by":{"id":"u"},"children":["this"]})");
}

TEST(EncoderTest, EveryNodeOfATextHasItsPlace) {
  const v1::Message filled = Fill(Message(R"([{"type":"text","children":[
      {"type":"italic","children":["i"]},{"type":"strikethrough","children":["s"]},
      {"type":"bulletList","children":[{"type":"bulletPoint","children":["p"]}]},
      {"type":"codeSpan","text":"c"},{"type":"autoLink","url":"http://x","text":"x"},
      {"type":"link","url":"http://y","children":["y"]},
      {"type":"actionLink","action":"l","params":{"k":"v"},"children":["go"]},
      {"type":"actionButton","action":"b","params":{},"children":["push"]},
      {"type":"mention","id":"u","text":"U"},{"type":"customEmoji","text":":e:"}]}])"));
  const auto& nodes = filled.content(0).text().children();
  ASSERT_EQ(nodes.size(), 10);
  EXPECT_EQ(nodes[0].italic().children(0).text(), "i");
  EXPECT_EQ(nodes[1].strikethrough().children(0).text(), "s");
  EXPECT_EQ(nodes[2].bullet_list().children(0).bullet_point().children(0).text(), "p");
  EXPECT_EQ(nodes[3].code_span(), "c");
  EXPECT_EQ(nodes[4].auto_link().url(), "http://x");
  EXPECT_EQ(nodes[5].link().children(0).text(), "y");
  EXPECT_EQ(nodes[6].action_link().params().at("k"), "v");
  EXPECT_EQ(nodes[7].action_button().action(), "b");
  EXPECT_EQ(nodes[8].mention().id(), "u");
  EXPECT_EQ(nodes[9].custom_emoji(), ":e:");
}

}  // namespace
}  // namespace talkjsd::session
