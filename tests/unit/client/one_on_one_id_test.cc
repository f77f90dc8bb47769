#include "talkjsd/one_on_one_id.h"

#include <gtest/gtest.h>

namespace talkjsd::client {
namespace {

// The vectors that TalkJS's JavaScript SDK gave, with what is odd about JSON and UTF-16.
constexpr struct {
  const char* a;
  const char* b;
  const char* id;
} kVectors[] = {
    {"1234", "abcd", "35ec37e6e0ca43ac8ccc"}, {"abcd", "1234", "35ec37e6e0ca43ac8ccc"},
    {"aa", "bb", "fd031b78f1add01539dc"},     {"alice", "bob", "4714b845b86fbe0ed913"},
    {"Zed", "adam", "6c16e1d063ddd1d1467b"},  {"10", "9", "054b7c72c5481c512806"},
    {"a", "a", "31ad8b1d9fc4c78e38b9"},       {"ünï", "zoë", "0b4ff953f415b51e2f83"},
    {"a\"b", "c\\d", "a78b15488a088268ea28"}, {"a/b", "c", "d6ec4ce22834d3b76fc2"},
    {"a\nb", "c", "ee72899508c95ac2c471"},    {"<x>", "&y", "61c7db0b89a870f41611"},
    {"😀", "a", "6d40ef8b028717b348c2"},       {"\xEE\x80\x80", "😀", "85c58968923475b13637"},
    {"\x7f", "x", "14988393e9315cbdfc36"},
};

TEST(OneOnOneIdTest, IsTheOneOfTheSdkInEitherOrder) {
  for (const auto& vector : kVectors) {
    EXPECT_EQ(OneOnOneId(vector.a, vector.b), vector.id) << vector.a << " " << vector.b;
    EXPECT_EQ(OneOnOneId(vector.b, vector.a), vector.id) << vector.b << " " << vector.a;
  }
}

TEST(OneOnOneIdTest, TellsUsersApartWhateverTheyContain) {
  EXPECT_NE(OneOnOneId("a", "b\",\"c"), OneOnOneId("a\",\"b", "c"));
  EXPECT_NE(OneOnOneId(std::string_view("a\0", 2), "b"), OneOnOneId("a", "b"));
  EXPECT_NE(OneOnOneId("", "a"), OneOnOneId("a", "a"));
  EXPECT_EQ(OneOnOneId("a", "ab"), OneOnOneId("ab", "a"));
}

}  // namespace
}  // namespace talkjsd::client
