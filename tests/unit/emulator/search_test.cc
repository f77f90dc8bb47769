#include "daemon/emulator/model/search.h"

#include "tests/unit/emulator/world_fixture.h"

namespace talkjsd::emulator {
namespace {

bool Found(std::string_view query, std::string_view text) {
  return SearchQuery(query).Matches(text);
}

TEST(SearchQueryTest, EveryWordIsThePrefixOfSomeWord) {
  EXPECT_TRUE(Found("hel", "Hello world"));
  EXPECT_TRUE(Found("WOR hello", "Hello world"));
  EXPECT_TRUE(Found("a a", "a"));
  EXPECT_FALSE(Found("ello", "Hello world"));
  EXPECT_FALSE(Found("hello there", "Hello world"));
  EXPECT_FALSE(Found("hello", "hell"));
}

TEST(SearchQueryTest, PunctuationAtTheEndsOfWordsDoesNotCount) {
  EXPECT_TRUE(Found("\"world\"", "Hello (world)!"));
  EXPECT_TRUE(Found("don't", "don't."));
  EXPECT_FALSE(Found("dont", "don't"));
  EXPECT_TRUE(Found("👍", "fine 👍"));
  EXPECT_TRUE(Found("?!", "what ?!"));
}

TEST(SearchQueryTest, CaseDoesNotCountInAnyAlphabet) {
  EXPECT_TRUE(Found("élan", "ÉLAN"));
  EXPECT_TRUE(Found("ПРИВЕТ", "привет"));
  EXPECT_TRUE(Found("ώ", "Ώρα"));
  EXPECT_FALSE(Found("elan", "élan"));
}

TEST(SearchQueryTest, WhiteSpaceOfAnyKindPartsWords) {
  EXPECT_TRUE(Found("b", "a\u3000b"));
  EXPECT_TRUE(Found("  b\ta\n", "a\nb"));
}

TEST(SearchQueryTest, NoWordsFindNothing) {
  EXPECT_FALSE(Found("", ""));
  EXPECT_FALSE(Found(" ", "a"));
}

TEST(SearchQueryTest, BytesThatAreNotUtf8AreSurvived) {
  EXPECT_FALSE(Found("\xff\xf8\x80", "\xe2\x82"));
  EXPECT_TRUE(Found("a", "\xc3 a"));
}

class SearchTest : public WorldTest {
 protected:
  SearchTest() {
    EXPECT_TRUE(world.CreateConversation("d", {}).ok());
    EXPECT_TRUE(Join("alice").ok());
    EXPECT_TRUE(Join("bob").ok());
    EXPECT_TRUE(Join("bob", {}, "d").ok());
    Tick(10);  // a message is later than every joining, and joinings are apart
  }

  // The texts of all pages of `size`, newest first.
  std::vector<std::string> Search(std::string_view user, std::string_view text, size_t size = 10,
                                  const ConversationFilter& filter = {}) {
    std::vector<std::string> texts;
    std::optional<MessageKey> before;
    while (true) {
      const auto page = world.SearchMessages(user, SearchQuery(text), filter, size, before);
      EXPECT_LE(page.items.size(), size);
      for (const MessageRecord* record : page.items) {
        texts.push_back(record->message.content[0].children[0].text);
        before = record->key;
      }
      if (!page.more) return texts;
      EXPECT_EQ(page.items.size(), size);
    }
  }
};

using Texts = std::vector<std::string>;

TEST_F(SearchTest, MessagesComeNewestFirstAcrossConversations) {
  for (const char* text : {"one x", "two", "three x", "four x", "five x"}) {
    Send("bob", text, text[0] == 't' ? "d" : "c");
    Tick();
  }
  const Texts all = {"five x", "four x", "three x", "one x"};
  for (size_t size : {1, 2, 3, 4, 10}) EXPECT_EQ(Search("bob", "X", size), all) << size;
  EXPECT_EQ(Search("alice", "x"), Texts({"five x", "four x", "one x"}));
  EXPECT_EQ(Search("carol", "x"), Texts());
  EXPECT_EQ(Search("nobody", "x"), Texts());
}

TEST_F(SearchTest, AFilterLimitsTheConversations) {
  ConversationWrite write;
  write.subject = wire::Patch<std::string>::Of("dogs");
  ASSERT_TRUE(world.PutConversation("d", write).ok());
  Send("bob", "x in c");
  Send("bob", "x in d", "d");
  const auto filter = ConversationFilter::Parse(*wire::ParseJson(R"({"subject":["==","dogs"]})"));
  EXPECT_EQ(Search("bob", "x", 1, *filter), Texts({"x in d"}));
}

TEST_F(SearchTest, OnlyTextIsLookedAt) {
  NewMessage file;
  file.content.resize(1);
  file.content[0].kind = wire::ContentBlock::Kind::kFile;
  file.content[0].file.filename = "x.txt";
  file.content[0].file.url = "http://h/x.txt";
  ASSERT_TRUE(world.SendMessage("bob", "c", file).ok());
  EXPECT_EQ(Search("bob", "x"), Texts());
}

TEST_F(SearchTest, APageGoesOnAfterItsLastMessageWasDeleted) {
  Send("bob", "x1");
  Tick();
  const std::string second = Send("bob", "x2");
  Tick();
  Send("bob", "x3");
  const auto page = world.SearchMessages("bob", SearchQuery("x"), {}, 2, std::nullopt);
  ASSERT_TRUE(page.more);
  const MessageKey last = page.items.back()->key;
  ASSERT_TRUE(world.DeleteMessage("bob", "c", second).ok());
  const auto next = world.SearchMessages("bob", SearchQuery("x"), {}, 2, last);
  ASSERT_EQ(next.items.size(), 1u);
  EXPECT_EQ(next.items[0]->message.content[0].children[0].text, "x1");
}

TEST_F(SearchTest, ConversationsAreFoundBySubjectOrByTheirSearchProperty) {
  ConversationWrite write;
  write.subject = wire::Patch<std::string>::Of("The Red House");
  ASSERT_TRUE(world.PutConversation("c", write).ok());
  write.subject = wire::Patch<std::string>::Of("Blue");
  write.custom = wire::Patch<wire::CustomPatch>::Of({{"search", "red car"}, {"other", "house"}});
  ASSERT_TRUE(world.PutConversation("d", write).ok());
  const auto ids = [&](std::string_view user, std::string_view text) {
    std::string found;
    std::optional<World::ConversationPosition> after;
    while (true) {
      const auto page = world.SearchConversations(user, SearchQuery(text), {}, 1, after);
      for (const auto& side : page.items) {
        found.append(side.id);
        after.emplace(side.last_message_at, side.id);
      }
      if (!page.more) return found;
    }
  };
  EXPECT_EQ(ids("bob", "red"), "dc");
  EXPECT_EQ(ids("bob", "house"), "c");
  EXPECT_EQ(ids("bob", "blue car"), "");  // each property on its own
  EXPECT_EQ(ids("alice", "red"), "c");
  EXPECT_EQ(ids("carol", "red"), "");
}

TEST_F(SearchTest, ASearchMayBeStoppedAndGoesOnWhereItWas) {
  for (int i = 0; i < 10; ++i) {
    Send(i % 2 == 0 ? "alice" : "bob", "word " + std::to_string(i));
    Tick();
  }
  std::vector<std::string> texts;
  std::optional<MessageKey> before;
  int slices = 0;
  while (true) {
    const auto hits = world.SearchMessages("bob", SearchQuery("word"), {}, 10, before, 3);
    EXPECT_LE(hits.items.size(), 3u);
    for (const MessageRecord* record : hits.items) {
      texts.push_back(record->message.content[0].children[0].text);
    }
    ++slices;
    if (!hits.stopped) break;
    before = hits.stopped;
  }
  EXPECT_EQ(slices, 4);
  EXPECT_EQ(texts.size(), 10u);
  EXPECT_EQ(texts.front(), "word 9");
  EXPECT_EQ(texts.back(), "word 0");
}

}  // namespace
}  // namespace talkjsd::emulator
