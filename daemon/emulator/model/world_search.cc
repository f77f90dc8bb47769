// The part of World that searches.
#include <algorithm>
#include <iterator>

#include "daemon/emulator/model/search.h"
#include "daemon/emulator/model/world.h"
#include "daemon/wire/plaintext.h"

namespace talkjsd::emulator {
namespace {

// Files and places have no text to be found by.
bool Matches(const SearchQuery& query, const MessageRecord& record) {
  const auto& content = record.message.content;
  const bool text = std::all_of(content.begin(), content.end(), [](const auto& block) {
    return block.kind == wire::ContentBlock::Kind::kText;
  });
  return text && query.Matches(wire::PlainText(content));
}

bool Matches(const SearchQuery& query, const wire::Conversation& side) {
  if (side.subject && query.Matches(*side.subject)) return true;
  const auto extra = side.custom.find("search");
  return extra != side.custom.end() && query.Matches(extra->second);
}

}  // namespace

World::MessageHits World::SearchMessages(std::string_view caller, const SearchQuery& query,
                                         const ConversationFilter& filter, size_t limit,
                                         const std::optional<MessageKey>& before,
                                         size_t most) const {
  MessageHits page;
  const auto mine = conversations_of_.find(std::string(caller));
  if (mine == conversations_of_.end()) return page;
  // One place in each conversation, going back in time; the heap knows the newest of them.
  using Messages = std::map<MessageKey, MessageRecord>;
  struct Place {
    Messages::const_reverse_iterator next;
    Messages::const_reverse_iterator end;
  };
  const auto older = [](const Place& a, const Place& b) { return a.next->first < b.next->first; };
  std::vector<Place> places;
  for (const std::string& id : mine->second) {
    const ConversationRecord& conversation = *FindConversation(id);
    const auto& participant = conversation.participants.find(std::string(caller))->second;
    if (!filter.Matches(SideOf(conversation, participant))) continue;
    const Messages& messages = conversation.messages;
    const auto from = before ? messages.lower_bound(*before) : messages.end();
    const Place place{std::make_reverse_iterator(from), messages.rend()};
    if (place.next != place.end) places.push_back(place);
  }
  std::make_heap(places.begin(), places.end(), older);
  std::optional<MessageKey> last;
  while (!places.empty()) {
    if (most-- == 0) {
      page.stopped = last;
      break;
    }
    std::pop_heap(places.begin(), places.end(), older);
    Place& place = places.back();
    const MessageRecord& record = place.next->second;
    last = record.key;
    if (Matches(query, record)) {
      if (page.items.size() == limit) {
        page.more = true;
        break;
      }
      page.items.push_back(&record);
    }
    if (++place.next == place.end) {
      places.pop_back();
    } else {
      std::push_heap(places.begin(), places.end(), older);
    }
  }
  return page;
}

Page<wire::Conversation> World::SearchConversations(
    std::string_view caller, const SearchQuery& query, const ConversationFilter& filter,
    size_t limit, const std::optional<ConversationPosition>& after) const {
  return PageOfConversations(
      caller,
      [&](const wire::Conversation& side) { return filter.Matches(side) && Matches(query, side); },
      limit, after);
}

}  // namespace talkjsd::emulator
