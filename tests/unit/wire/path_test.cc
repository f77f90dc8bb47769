#include "daemon/wire/path.h"

#include <gtest/gtest.h>

namespace talkjsd::wire {
namespace {

TEST(PathTest, SegmentsAreEncodedLikeEncodeURIComponent) {
  const struct {
    std::string_view text;
    std::string_view encoded;
  } kCases[] = {
      {"", ""},
      {"alice", "alice"},
      {"bo ken/é", "bo%20ken%2F%C3%A9"},
      {"👍", "%F0%9F%91%8D"},
      {":cat-roomba:", "%3Acat-roomba%3A"},
      {"conv/ü", "conv%2F%C3%BC"},
      {"AZaz09-_.!~*'()", "AZaz09-_.!~*'()"},
      {"%+&=?#@$,;:[]\"<>\\^`{|}",
       "%25%2B%26%3D%3F%23%40%24%2C%3B%3A%5B%5D%22%3C%3E%5C%5E%60%7B%7C%7D"},
      {std::string_view("\0\n\x7F", 3), "%00%0A%7F"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(EncodeSegment(test.text), test.encoded);
    EXPECT_EQ(DecodeSegment(test.encoded), std::string(test.text));
  }
}

TEST(PathTest, DecodingTakesLowerCaseHexAndBareCharacters) {
  EXPECT_EQ(DecodeSegment("%c3%a9"), "é");
  EXPECT_EQ(DecodeSegment("a b+é"), "a b+é");
}

TEST(PathTest, BrokenSegmentsDoNotDecode) {
  for (const std::string_view text : {"%", "%4", "%4g", "%g4", "a%", "%-1", "%FF", "%C3",
                                      "%ED%A0%80", "%C0%80", "%F4%90%80%80", "\xFF"}) {
    EXPECT_EQ(DecodeSegment(text), std::nullopt) << text;
  }
}

TEST(PathTest, JoinEncodesEachSegment) {
  EXPECT_EQ(JoinPath({"session", "renew"}), "/session/renew");
  EXPECT_EQ(JoinPath({"conversations", "c/1", "messages", "m", "reactions", "👍", "bob"}),
            "/conversations/c%2F1/messages/m/reactions/%F0%9F%91%8D/bob");
  EXPECT_EQ(JoinPath({"a", "", "b"}), "/a//b");
  EXPECT_EQ(JoinPath({}), "/");
}

TEST(PathTest, SplitCutsBeforeItDecodes) {
  using Segments = std::vector<std::string>;
  EXPECT_EQ(SplitPath("/me/conversations/conv%2F%C3%BC/messages"),
            (Segments{"me", "conversations", "conv/ü", "messages"}));
  EXPECT_EQ(SplitPath("/"), Segments{});
  EXPECT_EQ(SplitPath("//app"), (Segments{"", "app"}));
  EXPECT_EQ(SplitPath("/a/"), (Segments{"a", ""}));
  EXPECT_EQ(SplitPath(""), std::nullopt);
  EXPECT_EQ(SplitPath("ping"), std::nullopt);
  EXPECT_EQ(SplitPath("/a/%zz"), std::nullopt);
}

TEST(PathTest, Utf8IsValidatedExactly) {
  for (const std::string_view text :
       {"", "abc", "é", "€", "👍", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsValidUtf8(text)) << text;
  }
  for (const std::string_view text :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x80\x80", "\xE2\x82", "\xED\xA0\x80",
        "\xF0\x80\x80\x80", "\xF0\x9F\x91", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "ok\xFE"}) {
    EXPECT_FALSE(IsValidUtf8(text)) << text;
  }
}

}  // namespace
}  // namespace talkjsd::wire
