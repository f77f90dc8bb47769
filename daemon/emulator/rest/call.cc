#include "daemon/emulator/rest/call.h"

#include <absl/strings/cord.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_split.h>

#include <algorithm>

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/path_pattern.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

constexpr char kReasonsPayload[] = "talkjs/reasons";

}  // namespace

void RestRouter::Add(std::string_view method, std::string_view pattern, RestHandler handler) {
  entries_.push_back({std::string(method), absl::StrSplit(std::string(pattern), '/'), handler});
}

RestResult RestRouter::Route(std::string_view method, const std::vector<std::string>& path,
                             RestCall& call) const {
  bool known = false;
  for (const Entry& entry : entries_) {
    if (!MatchesPath(entry.pattern, path)) continue;
    known = true;
    if (entry.method != method) continue;
    call.args.clear();
    for (size_t i = 0; i < path.size(); ++i) {
      if (entry.pattern[i] == "*") call.args.push_back(path[i]);
    }
    return entry.handler(call);
  }
  if (known) return Refuse(405, "METHOD_NOT_ALLOWED", "this path does not take that method");
  return Refuse(404, "NOT_FOUND", "no such path");
}

RestResult Done(const absl::Status& status) {
  if (!status.ok()) return status;
  return json::value(json::object());
}

// --- errors ---

absl::Status WithReasons(absl::Status status, const json::value& reasons) {
  status.SetPayload(kReasonsPayload, absl::Cord(json::serialize(reasons)));
  return status;
}

json::value ReasonsOf(const absl::Status& status) {
  if (const auto reasons = status.GetPayload(kReasonsPayload)) {
    return json::parse(std::string(*reasons));
  }
  const Refusal refusal = RefusalOf(status);
  if (refusal.field.empty()) return json::array{refusal.reason};
  std::string_view reason = refusal.reason;
  reason.remove_prefix(
      std::min(reason.size(), refusal.field.size() + std::string_view(": ").size()));
  json::object reasons;
  reasons[refusal.field] = json::array{json::string_view(reason.data(), reason.size())};
  return reasons;
}

// --- parameters ---

absl::StatusOr<const json::object*> BodyObject(const RestCall& call) {
  const json::object* object = call.body.if_object();
  if (object == nullptr) return BadRequest("the body: expected an object");
  return object;
}

absl::StatusOr<const json::array*> BodyList(const RestCall& call, size_t most) {
  const json::array* list = call.body.if_array();
  if (list == nullptr || list->empty() || list->size() > most) {
    return BadRequest("the body: expected a list of 1 to " + std::to_string(most));
  }
  return list;
}

std::optional<std::string> TextOf(const RestCall& call, std::string_view name) {
  const auto found = call.query.find(name);
  if (found == call.query.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<size_t> LimitOf(const RestCall& call) {
  const auto text = TextOf(call, "limit");
  if (!text) return kRestPage;
  size_t limit = 0;
  if (!absl::SimpleAtoi(*text, &limit) || limit < 1 || limit > kMaxRestPage) {
    return BadField("limit", "expected a number from 1 to " + std::to_string(kMaxRestPage));
  }
  return limit;
}

absl::StatusOr<std::optional<bool>> FlagOf(const RestCall& call, std::string_view name) {
  const auto text = TextOf(call, name);
  if (!text) return std::optional<bool>();
  if (*text != "true" && *text != "false") return BadField(name, "expected true or false");
  return std::optional<bool>(*text == "true");
}

absl::StatusOr<std::optional<UnixMillis>> TimeOf(const RestCall& call, std::string_view name) {
  const auto text = TextOf(call, name);
  if (!text) return std::optional<UnixMillis>();
  UnixMillis time = 0;
  if (!absl::SimpleAtoi(*text, &time)) {
    return BadField(name, "expected milliseconds since the epoch");
  }
  return std::optional<UnixMillis>(time);
}

absl::StatusOr<bool> IsAscending(const RestCall& call) {
  const auto text = TextOf(call, "orderDirection");
  if (!text || *text == "DESC") return false;
  if (*text == "ASC") return true;
  return BadField("orderDirection", "expected ASC or DESC");
}

std::vector<ListPosition> PageOf(std::vector<ListPosition> all, bool ascending, size_t limit,
                                 const std::optional<ListPosition>& after) {
  const auto comes_before = [&](const ListPosition& a, const ListPosition& b) {
    return ascending ? a < b : b < a;
  };
  if (after) {
    std::erase_if(all, [&](const ListPosition& one) { return !comes_before(*after, one); });
  }
  const size_t size = std::min(limit, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size), all.end(),
                    comes_before);
  all.resize(size);
  return all;
}

json::value EncodeList(json::array items) { return json::object{{"data", std::move(items)}}; }

}  // namespace talkjsd::emulator
