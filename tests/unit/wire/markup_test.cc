#include "daemon/wire/markup.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "daemon/wire/json.h"
#include "tests/unit/wire/captures.h"

namespace talkjsd::wire {
namespace {

struct Pair {
  std::string input;
  json::value send;
  json::value edit;
};

Pair ReadPair(const json::object& object) {
  Pair pair;
  pair.input = std::string(object.at("input").as_string());
  pair.send = object.at("send");
  const json::value* edit = object.if_contains("edit");
  pair.edit = edit == nullptr ? pair.send : *edit;
  return pair;
}

// The pairs that the protocol's description comes with.
std::vector<Pair> CapturedPairs() {
  std::vector<Pair> pairs;
  for (const Capture& capture : AllCaptures()) {
    if (capture.name != "markup") continue;
    for (const json::value& snapshot : capture.header.at("snapshots").as_array()) {
      const json::object& object = snapshot.as_object();
      if (object.contains("input")) pairs.push_back(ReadPair(object));
    }
  }
  return pairs;
}

// More of them, recorded from the SDK with inputs that ask for the corners of the grammar.
std::vector<Pair> RecordedPairs() {
  std::vector<Pair> pairs;
  std::ifstream file(TALKJSD_TEST_DATA "/markup_pairs.jsonl");
  for (std::string line; std::getline(file, line);) {
    pairs.push_back(ReadPair(ParseJson(line)->as_object()));
  }
  return pairs;
}

json::value Json(const std::vector<TextNode>& nodes) {
  std::vector<ContentBlock> content(1);
  content[0].children = nodes;
  return EncodeContent(content)[0].at("children");
}

// With the names of nodes as they are received.
json::value Canonical(const json::value& children) {
  const auto content =
      DecodeContent(json::array{json::object{{"type", "text"}, {"children", children}}});
  return content.ok() ? Json(content->front().children) : json::value(nullptr);
}

void ExpectParsedAs(const Pair& pair) {
  EXPECT_EQ(Json(ParseMarkup(pair.input, MarkupMode::kSend)), Canonical(pair.send))
      << "send: " << pair.input;
  EXPECT_EQ(Json(ParseMarkup(pair.input, MarkupMode::kFull)), Canonical(pair.edit))
      << "edit: " << pair.input;
}

TEST(MarkupTest, ParsesWhatWasCapturedAsTheSdkDoes) {
  const std::vector<Pair> pairs = CapturedPairs();
  ASSERT_EQ(pairs.size(), 59u);
  for (const Pair& pair : pairs) ExpectParsedAs(pair);
}

TEST(MarkupTest, ParsesTheCornersOfTheGrammarAsTheSdkDoes) {
  const std::vector<Pair> pairs = RecordedPairs();
  ASSERT_GT(pairs.size(), 800u);
  for (const Pair& pair : pairs) ExpectParsedAs(pair);
}

TEST(MarkupTest, PutsTheSignsBack) {
  for (const char* text : {
           "*b* _i_ ~s~ and *_~x~_*",
           "```code\n*x*``` y",
           "<https://talkjs.com|a *b*>",
           "talkjs.com, me@example.com or 0612345678",
           "line\n\nline",
       }) {
    EXPECT_EQ(MarkupOf(ParseMarkup(text, MarkupMode::kFull)), text);
  }
  EXPECT_EQ(MarkupOf(ParseMarkup("x\n- a\n- b\ny", MarkupMode::kFull)), "x\n- a\n- b\ny");
  EXPECT_EQ(MarkupOf(ParseMarkup("<!!mention:a|Al> <!!customemoji::x:>", MarkupMode::kFull)),
            "@Al :x:");
  EXPECT_EQ(MarkupOf(ParseMarkup("<actionbutton:go|*x*>", MarkupMode::kFull)), "*x*");
}

std::string Repeat(const std::string& part, size_t size) {
  std::string text;
  while (text.size() < size) text.append(part);
  return text;
}

double SecondsToParse(const std::string& text) {
  const auto start = std::chrono::steady_clock::now();
  ParseMarkup(text, MarkupMode::kFull);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// A quadratic parser needs much longer for these.
TEST(MarkupTest, TakesTimeProportionalToHostileText) {
  const std::string kParts[] = {
      "*_~<",
      "*a ",
      "_",
      " *a",
      "*a* ",
      "*a_ ~b ",
      "<http:",
      "<",
      "<http:|",
      "<!!mention:",
      "<!!customemoji:",
      "<actionlink:a?b=c&",
      "```",
      "``",
      "- ",
      "\n",
      "\n-",
      "- \n",
      "a.",
      "a-",
      "a:b/",
      "a:",
      "a@",
      "a=",
      "//a",
      "a.com,",
      "http://",
      "1 ",
      "1",
      "+",
      "1.",
      "(((a.com)",
      "a/a:b/",
      "mailto:",
      "\u00e9.",
      "<http://a|",
      "2010-2018 ",
      "x:1/",
      "a:b:1/",
      "\t\n ",
      "5,",
      "+5#",
      "(555) ",
      "5-6 ",
      "<a x=\"",
      "<a>",
      "</a",
      "<!--",
      "<!doctype",
      "&nbsp;",
      "&",
  };
  for (const std::string& part : kParts) {
    EXPECT_LT(SecondsToParse(Repeat(part, 1 << 17)), 5) << part;
    EXPECT_LT(SecondsToParse("*" + Repeat(part, 1 << 17) + "*"), 5) << part;
  }
  EXPECT_LT(SecondsToParse(Repeat("*_~<", 1 << 20)), 20);
}

TEST(MarkupTest, SurvivesBytesThatAreNotUtf8) {
  const std::string text =
      "*\xff* \xc3 - \x80.com \xf0\x9f a@\xe2\x82.com 123\xff"
      "4567";
  EXPECT_FALSE(ParseMarkup(text, MarkupMode::kFull).empty());
  for (size_t size = 0; size < text.size(); ++size) {
    ParseMarkup(text.substr(0, size), MarkupMode::kFull);
    ParseMarkup(text.substr(size), MarkupMode::kSend);
  }
}

}  // namespace
}  // namespace talkjsd::wire
