#include "daemon/wire/plaintext.h"

#include <gtest/gtest.h>

#include "daemon/wire/json.h"

namespace talkjsd::wire {
namespace {

std::string PlainTextOf(std::string_view content) {
  return PlainText(DecodeContent(ParseJson(content).value()).value());
}

std::string Text(std::string_view children) {
  return PlainTextOf(R"([{"type":"text","children":)" + std::string(children) + "}]");
}

std::string File(std::string_view subtype, std::string_view url) {
  ContentBlock block;
  block.kind = ContentBlock::Kind::kFile;
  block.file.subtype = subtype;
  block.file.url = url;
  block.file.filename = "not this one";
  return PlainText({block});
}

std::string Voice(std::optional<double> duration) {
  ContentBlock block;
  block.kind = ContentBlock::Kind::kFile;
  block.file.subtype = "voice";
  block.file.duration = duration;
  return PlainText({block});
}

TEST(PlainTextTest, TextNodes) {
  EXPECT_EQ(Text("[]"), "");
  EXPECT_EQ(
      Text(R"(["a ",{"type":"bold","children":["b ",{"type":"italic","children":["c"]}]},"d"])"),
      "a b cd");
  EXPECT_EQ(
      Text(R"([{"type":"strikethrough","children":["s"]},{"type":"codeSpan","text":"x *y*"}])"),
      "sx *y*");
  EXPECT_EQ(Text(R"([{"type":"autoLink","url":"http://talkjs.com","text":"talkjs.com"}])"),
            "talkjs.com");
  EXPECT_EQ(Text(R"([{"type":"link","url":"https://x.org","children":["label"]}])"), "label");
  EXPECT_EQ(Text(R"([{"type":"actionButton","action":"a","params":{"k":"v"},"children":["Go"]},)"
                 R"({"type":"actionLink","action":"a","params":{},"children":["!"]}])"),
            "Go!");
  EXPECT_EQ(Text(R"([{"type":"mention","id":"bob","text":"Bob"}," ",)"
                 R"({"type":"customEmoji","text":":cat:"}])"),
            "@Bob :cat:");
}

TEST(PlainTextTest, BulletListsStartOnALineOfTheirOwn) {
  EXPECT_EQ(Text(R"(["intro",{"type":"bulletList","children":[)"
                 R"({"type":"bulletPoint","children":["one"]},)"
                 R"({"type":"bulletPoint","children":["two"]}]},"end"])"),
            "intro\n- one\n- two\nend");
}

TEST(PlainTextTest, BlocksAreSeparatedByABlankLine) {
  EXPECT_EQ(PlainTextOf(R"([{"type":"text","children":["a"]},{"type":"hologram","x":1},)"
                        R"({"type":"location","latitude":1,"longitude":2}])"),
            "a\n\n📍");
  EXPECT_EQ(PlainTextOf("[]"), "");
}

TEST(PlainTextTest, FileNamesComeFromTheUrl) {
  const struct {
    std::string_view url;
    std::string_view name;
  } kCases[] = {
      {"http://h/files/T/notes%20%C3%A9.txt", "notes é.txt"},
      {"https://h/o/user_files%2Fapp%2Freport.pdf?alt=media&token=a/b", "report.pdf"},
      {"https://h/o/a%2Fb%252Fc%2520d.txt", "b/c d.txt"},
      {"https://h/o/a%2fb.txt", "b.txt"},
      {"https://h/o/100%25.txt", "100%.txt"},
      {"https://h/o/broken%FF.txt", "broken%FF.txt"},
      {"https://h/o/", ""},
      {"name", "name"},
      {"", ""},
  };
  for (const auto& test : kCases) EXPECT_EQ(File("", test.url), "📎 " + std::string(test.name));
}

TEST(PlainTextTest, FileKindsHaveTheirSigns) {
  EXPECT_EQ(File("video", "/v.mp4"), "🎥 v.mp4");
  EXPECT_EQ(File("image", "/i.png"), "📷 i.png");
  EXPECT_EQ(File("audio", "/a.mp3"), "🎧 a.mp3");
  EXPECT_EQ(File("", "/n.txt"), "📎 n.txt");
  EXPECT_EQ(File("new-kind", "/n.txt"), "📎 n.txt");
}

TEST(PlainTextTest, VoiceShowsItsLength) {
  EXPECT_EQ(Voice(65.2), "🎙️ (1:05)");
  EXPECT_EQ(Voice(0.4), "🎙️ (0:00)");
  EXPECT_EQ(Voice(3600), "🎙️ (60:00)");
  EXPECT_EQ(Voice(std::nullopt), "🎙️");
  EXPECT_EQ(Voice(-1), "🎙️");
  EXPECT_EQ(Voice(1e300), "🎙️");
}

}  // namespace
}  // namespace talkjsd::wire
