#include "daemon/emulator/http/http_search.h"

#include <absl/strings/numbers.h>

#include <memory>
#include <optional>
#include <utility>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/decisions.h"
#include "daemon/emulator/http/http_request.h"
#include "daemon/emulator/model/filter.h"
#include "daemon/emulator/model/search.h"
#include "daemon/emulator/refusal.h"
#include "daemon/wire/json.h"
#include "daemon/wire/path.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

// A request for a page, first or later.
struct Search {
  std::string text;
  json::value filter_json;
  SearchQuery query{""};
  ConversationFilter filter;
  size_t limit = kSearchPage;
  // Where the page before ended: time, and number or id.
  std::optional<std::pair<UnixMillis, json::value>> after;
};

absl::Status WrongCursor() { return BadRequest("cursor: expected the cursor of an earlier page"); }

// A cursor is [time, number or id, text, filter].
absl::Status ReadNext(const std::string& cursor, Search& search) {
  const auto parts = ReadCursor(json::object{{"cursor", cursor}});
  if (!parts.ok()) return parts.status();
  const json::array& list = **parts;
  if (list.size() != 4 || !list[0].is_int64() || !list[2].is_string()) return WrongCursor();
  search.after.emplace(list[0].get_int64(), list[1]);
  search.text = std::string(list[2].get_string());
  search.filter_json = list[3];
  return absl::OkStatus();
}

absl::Status ReadFirst(std::string_view query, Search& search) {
  const auto once = QueryValue(query, "searchString");
  if (!once.ok()) return once.status();
  if (!once->has_value()) return BadRequest("searchString: expected text, or a cursor");
  auto text = wire::DecodeSegment(**once);
  if (!text) return BadRequest("searchString: expected UTF-8 that is percent-encoded twice");
  search.text = *std::move(text);
  const auto filter = QueryValue(query, "conversationFilter");
  if (!filter.ok()) return filter.status();
  if (!filter->has_value()) {
    search.filter_json = json::object();
    return absl::OkStatus();
  }
  auto parsed = wire::ParseJson(**filter);
  if (!parsed.ok()) return BadRequest("conversationFilter: expected JSON");
  search.filter_json = *std::move(parsed);
  return absl::OkStatus();
}

absl::StatusOr<Search> ReadSearch(std::string_view query) {
  Search search;
  const auto cursor = QueryValue(query, "cursor");
  if (!cursor.ok()) return cursor.status();
  const absl::Status status =
      cursor->has_value() ? ReadNext(**cursor, search) : ReadFirst(query, search);
  if (!status.ok()) return status;
  const auto limit = QueryValue(query, "limit");
  if (!limit.ok()) return limit.status();
  if (limit->has_value()) {
    if (!absl::SimpleAtoi(**limit, &search.limit) || search.limit == 0) {
      return BadRequest("limit: expected a number from 1 on");
    }
    search.limit = std::min(search.limit, kMaxSearchPage);
  }
  auto filter = ConversationFilter::Parse(search.filter_json);
  if (!filter.ok()) return filter.status();
  search.filter = *std::move(filter);
  search.query = SearchQuery(search.text);
  return search;
}

// Writes the answer in the lines that clients count on: the opening, an item each, the end.
class Lines {
 public:
  void Add(const json::object& item) {
    if (!empty_) text_.push_back(',');
    empty_ = false;
    text_.append(json::serialize(item)).push_back('\n');
  }
  // `cursor`: absent at the end of the results, and then not written at all.
  std::string End(const std::optional<std::string>& cursor) {
    text_.push_back(']');
    if (cursor) text_.append(",\"cursor\":").append(json::serialize(json::value(*cursor)));
    text_.push_back('}');
    return std::move(text_);
  }

 private:
  std::string text_ = "{\"data\":[\n";
  bool empty_ = true;
};

std::string CursorAt(UnixMillis time, json::value number_or_id, const Search& search) {
  return EncodeCursor({time, std::move(number_or_id), search.text, search.filter_json});
}

// A page of messages, put together little by little: the world may change in between.
class MessageSearch {
 public:
  MessageSearch(std::string caller, Search search, std::optional<MessageKey> before)
      : caller_(std::move(caller)), search_(std::move(search)), before_(before) {}

  // Looks at so many messages at most. The answer, once there is one.
  std::optional<std::string> Advance(const World& world, size_t most) {
    const auto hits = world.SearchMessages(caller_, search_.query, search_.filter,
                                           search_.limit - found_, before_, most);
    for (const MessageRecord* record : hits.items) {
      json::object item = wire::EncodeMessage(world.MessageFor(caller_, *record));
      item["conversationId"] = record->conversation_id;
      lines_.Add(item);
      last_ = record->key;
    }
    found_ += hits.items.size();
    before_ = hits.stopped;
    if (hits.stopped) return std::nullopt;
    if (!hits.more) return lines_.End(std::nullopt);
    return lines_.End(CursorAt(last_.created_at, static_cast<int64_t>(last_.number), search_));
  }

 private:
  const std::string caller_;
  const Search search_;
  std::optional<MessageKey> before_;
  Lines lines_;
  size_t found_ = 0;
  MessageKey last_;
};

absl::StatusOr<std::optional<MessageKey>> PlaceOf(const Search& search) {
  if (!search.after) return std::optional<MessageKey>();
  const auto& [time, number] = *search.after;
  if (!number.is_int64()) return WrongCursor();
  return std::optional(MessageKey{time, static_cast<uint64_t>(number.get_int64())});
}

absl::StatusOr<std::string> SearchConversations(const World& world, std::string_view caller,
                                                const Search& search) {
  std::optional<World::ConversationPosition> after;
  if (search.after) {
    const auto& [time, id] = *search.after;
    if (!id.is_string()) return WrongCursor();
    after.emplace(time, std::string(id.get_string()));
  }
  const auto page =
      world.SearchConversations(caller, search.query, search.filter, search.limit, after);
  Lines lines;
  for (const wire::Conversation& side : page.items) lines.Add(wire::EncodeConversation(side));
  if (!page.more) return lines.End(std::nullopt);
  const wire::Conversation& last = page.items.back();
  return lines.End(CursorAt(last.last_message_at, json::value(last.id), search));
}

struct Request {
  std::string caller;
  bool messages = false;
  Search search;
};

absl::StatusOr<Request> ReadRequest(const App& app, const net::ServerRequest& request,
                                    const std::vector<std::string>& path, std::string_view query) {
  const bool known = path.size() == 3 && path[2] == "search" &&
                     (path[1] == "messages" || path[1] == "conversations");
  if (!known) return Refuse(404, "NOT_FOUND", "no such path");
  if (request.method != "GET") {
    return Refuse(405, "METHOD_NOT_ALLOWED", "this path does not take that method");
  }
  const auto login = BearerOf(request, app.authenticator());
  if (!login.ok()) return login.status();
  auto search = ReadSearch(query);
  if (!search.ok()) return search.status();
  return Request{login->user_id, path[1] == "messages", *std::move(search)};
}

net::ServerResponse ResponseOf(absl::StatusOr<std::string> answer) {
  if (!answer.ok()) return RefusalResponse(answer.status());
  net::ServerResponse response;
  response.body = *std::move(answer);
  return response;
}

void Advance(App& app, const std::shared_ptr<MessageSearch>& search, size_t slice,
             const net::HttpServer::Respond& respond) {
  if (auto answer = search->Advance(app.world(), slice)) {
    return respond(ResponseOf(*std::move(answer)));
  }
  app.loop().Post([&app, search, slice, respond] { Advance(app, search, slice, respond); });
}

}  // namespace

void AnswerMe(App& app, const net::ServerRequest& request, const std::vector<std::string>& path,
              std::string_view query, size_t slice, const net::HttpServer::Respond& respond) {
  auto read = ReadRequest(app, request, path, query);
  if (!read.ok()) return respond(RefusalResponse(read.status()));
  if (!read->messages) {
    return respond(ResponseOf(SearchConversations(app.world(), read->caller, read->search)));
  }
  const auto before = PlaceOf(read->search);
  if (!before.ok()) return respond(RefusalResponse(before.status()));
  Advance(
      app,
      std::make_shared<MessageSearch>(std::move(read->caller), std::move(read->search), *before),
      slice, respond);
}

}  // namespace talkjsd::emulator
