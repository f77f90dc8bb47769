#include "client/talkjsctl/text.h"

#include <gtest/gtest.h>

#include "talkjs/sidecar/v1/types.pb.h"

namespace talkjsd::talkjsctl {
namespace {

TEST(EscapeTest, LeavesOrdinaryTextAlone) {
  EXPECT_EQ(Escape("Grüße, 世界 👋 \\o/"), "Grüße, 世界 👋 \\o/");
}

TEST(EscapeTest, KeepsTextOnOneLine) {
  EXPECT_EQ(Escape("a\nb\r\tc\xE2\x80\xA8"
                   "d"),
            "a\\nb\\r\\tc\\u{2028}d");
}

TEST(EscapeTest, TakesTheTeethFromTerminalSequences) {
  EXPECT_EQ(Escape("\x1b[2J\x1b]0;title\x07"), "\\x1b[2J\\x1b]0;title\\x07");
  EXPECT_EQ(Escape(std::string_view("\x00\x7f", 2)), "\\x00\\x7f");
  EXPECT_EQ(Escape("\xC2\x9B"
                   "31m"),
            "\\u{9b}31m");
}

TEST(EscapeTest, ShowsWhatChangesTheDirectionOfText) {
  EXPECT_EQ(Escape("\xE2\x80\xAE"
                   "txt"),
            "\\u{202e}txt");
}

TEST(EscapeTest, ShowsBytesThatAreNoUtf8) {
  EXPECT_EQ(Escape("\xff"), "\\xff");
  EXPECT_EQ(Escape("\xc0\xaf"), "\\xc0\\xaf");           // overlong
  EXPECT_EQ(Escape("\xe2\x80"), "\\xe2\\x80");           // cut off
  EXPECT_EQ(Escape("\xed\xa0\x80"), "\\xed\\xa0\\x80");  // surrogate
}

TEST(TableTest, ColumnsAreAsWideAsTheirWidestEscapedCell) {
  EXPECT_EQ(Table({{"A", "B"}, {"\n\n", "x"}, {"ü", "y"}}), "A     B\n\\n\\n  x\nü     y\n");
}

TEST(RowTest, ACellThatIsTooLongMovesTheRest) {
  EXPECT_EQ(Row({"ab", "c"}, {4}), "ab    c");
  EXPECT_EQ(Row({"abcdef", "c"}, {4}), "abcdef  c");
}

TEST(FormatTimeTest, IsUtcWithMilliseconds) {
  google::protobuf::Timestamp time;
  time.set_seconds(1769903999);
  time.set_nanos(7'999'999);
  EXPECT_EQ(FormatTime(true, time), "2026-01-31 23:59:59.007Z");
  EXPECT_EQ(FormatTime(false, time), "-");
}

TEST(CursorTest, BothFormsOfACursorAreRead) {
  const std::string cursor = std::string("\x01\xfe", 2) + std::string(15, '\0');
  EXPECT_EQ(CursorToHex(cursor), "01fe000000000000000000000000000000");
  EXPECT_EQ(ParseCursor(CursorToHex(cursor)), cursor);
  EXPECT_EQ(ParseCursor("Af4AAAAAAAAAAAAAAAAAAAA="), cursor);
  EXPECT_EQ(ParseCursor("Af4AAAAAAAAAAAAAAAAAAAA"), cursor);
}

TEST(CursorTest, WhatIsNoCursorIsRefused) {
  EXPECT_EQ(ParseCursor(""), std::nullopt);
  EXPECT_EQ(ParseCursor("01fe"), std::nullopt);
  EXPECT_EQ(ParseCursor("zzfe000000000000000000000000000000"), std::nullopt);
  EXPECT_EQ(ParseCursor("Af4AAAAAAAAAAAAAAAAAAA!="), std::nullopt);
}

TEST(JsonTest, IsOneLineWithTheNamesOfTheProtosAndDefaultsWritten) {
  talkjs::sidecar::v1::Reaction reaction;
  reaction.set_emoji("a\nb");
  EXPECT_EQ(ToJsonLine(reaction),
            "{\"emoji\":\"a\\nb\",\"count\":\"0\",\"current_user_reacted\":false}\n");
}

}  // namespace
}  // namespace talkjsd::talkjsctl
