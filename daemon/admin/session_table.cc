#include "daemon/admin/session_table.h"

#include <absl/strings/ascii.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::admin {
namespace {

using session::Info;
using session::State;
using Sort = SessionTable::Sort;

bool Holds(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) { return absl::ascii_tolower(a) == absl::ascii_tolower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

bool Matches(const Info& info, const SessionTable::Query& query) {
  if (query.state.has_value() && info.state != *query.state) return false;
  if (query.text.empty()) return true;
  return Holds(info.session_id, query.text) || Holds(info.app_id, query.text) ||
         (info.user_id.has_value() && Holds(*info.user_id, query.text)) ||
         Holds(info.reason_message, query.text) || Holds(ReasonName(info.reason), query.text);
}

// What needs a person first, what is well last.
int Urgency(State state) {
  switch (state) {
    case State::kFailed:
      return 0;
    case State::kWaitingForToken:
      return 1;
    case State::kReconnecting:
      return 2;
    case State::kConnecting:
      return 3;
    case State::kAwaitingMe:
      return 4;
    case State::kConnected:
    case State::kDestroyed:
      return 5;
  }
  return 5;
}

std::string_view UserOf(const Info& info) {
  return info.user_id.has_value() ? std::string_view(*info.user_id) : std::string_view();
}

bool Before(const Info& a, const Info& b, Sort sort) {
  switch (sort) {
    case Sort::kState:
      return std::make_tuple(Urgency(a.state), -a.state_since) <
             std::make_tuple(Urgency(b.state), -b.state_since);
    case Sort::kUser:
      return UserOf(a) < UserOf(b);
    case Sort::kApp:
      return std::make_tuple(std::string_view(a.app_id), UserOf(a)) <
             std::make_tuple(std::string_view(b.app_id), UserOf(b));
    case Sort::kSince:
      return a.state_since > b.state_since;
    case Sort::kReason:
      // Those with a reason first.
      return std::make_tuple(a.reason == 0, a.reason) < std::make_tuple(b.reason == 0, b.reason);
  }
  return false;
}

}  // namespace

std::string ReasonName(ErrorReason reason) {
  if (reason == 0) return {};
  constexpr std::string_view kPrefix = "ERROR_REASON_";
  const std::string name = talkjs::sidecar::v1::ErrorReason_Name(reason);
  return name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : std::to_string(reason);
}

void SessionTable::Apply(std::vector<Info> changes) {
  for (Info& info : changes) {
    if (info.state == State::kDestroyed) {
      sessions_.erase(info.session_id);
    } else {
      std::string id = info.session_id;
      sessions_[std::move(id)] = std::move(info);
    }
  }
}

std::array<size_t, 7> SessionTable::CountStates() const {
  std::array<size_t, 7> counts{};
  for (const auto& [id, info] : sessions_) ++counts[static_cast<size_t>(info.state)];
  return counts;
}

SessionTable::Page SessionTable::Find(const Query& query) const {
  std::vector<const Info*> found;
  for (const auto& [id, info] : sessions_) {
    if (Matches(info, query)) found.push_back(&info);
  }
  const auto before = [&query](const Info* a, const Info* b) {
    if (query.descending) std::swap(a, b);
    if (Before(*a, *b, query.sort)) return true;
    if (Before(*b, *a, query.sort)) return false;
    return a->session_id < b->session_id;
  };
  Page page;
  page.matching = found.size();
  const size_t last = found.empty() ? 0 : (found.size() - 1) / kPageSize;
  page.page = std::min(query.page, last);
  const size_t begin = page.page * kPageSize;
  const size_t end = std::min(begin + kPageSize, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<ptrdiff_t>(end), found.end(),
                    before);
  page.items.assign(found.begin() + static_cast<ptrdiff_t>(begin),
                    found.begin() + static_cast<ptrdiff_t>(end));
  return page;
}

}  // namespace talkjsd::admin
