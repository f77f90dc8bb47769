#include "daemon/admin/status.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <utility>

#include "daemon/admin/status_page_html.h"
#include "daemon/base/error.h"
#include "daemon/base/process_stats.h"
#include "daemon/base/version.h"

namespace talkjsd::admin {
namespace {

namespace json = boost::json;
using session::State;

constexpr State kStates[] = {State::kConnected,       State::kConnecting, State::kReconnecting,
                             State::kWaitingForToken, State::kFailed,     State::kAwaitingMe};
// Streams that are listed at most: those that are furthest behind.
constexpr size_t kMaxStreams = 50;
constexpr size_t kMaxFilter = 200;
// Without a request for so long, nobody looks.
constexpr Duration kForgetAfter = std::chrono::seconds(30);

json::string_view ToJson(std::string_view text) { return {text.data(), text.size()}; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string Decode(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && HexDigit(text[i + 1]) >= 0 &&
        HexDigit(text[i + 2]) >= 0) {
      decoded += static_cast<char>(HexDigit(text[i + 1]) * 16 + HexDigit(text[i + 2]));
      i += 2;
    } else {
      decoded += text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

SessionTable::Query ParseQuery(std::string_view text) {
  using Sort = SessionTable::Sort;
  SessionTable::Query query;
  query.text = QueryValue(text, "q").substr(0, kMaxFilter);
  const std::string wanted = QueryValue(text, "state");
  for (const State state : kStates) {
    if (wanted == session::StateName(state)) query.state = state;
  }
  const std::string sort = QueryValue(text, "sort");
  for (const auto& [name, value] :
       {std::pair("user", Sort::kUser), std::pair("app", Sort::kApp),
        std::pair("since", Sort::kSince), std::pair("reason", Sort::kReason)}) {
    if (sort == name) query.sort = value;
  }
  query.descending = QueryValue(text, "descending") == "1";
  const std::string page = QueryValue(text, "page");
  std::from_chars(page.data(), page.data() + page.size(), query.page);
  return query;
}

json::object ToJson(const session::Info& info) {
  json::object item = {{"id", ToJson(info.session_id)},
                       {"app", ToJson(info.app_id)},
                       {"state", ToJson(session::StateName(info.state))},
                       {"since", info.state_since},
                       {"created", info.created_at},
                       {"reason", ToJson(ReasonName(info.reason))},
                       {"why", ToJson(info.reason_message)},
                       {"attempts", info.connect_attempts}};
  if (info.user_id.has_value()) item["user"] = ToJson(*info.user_id);
  if (info.next_attempt_at.has_value()) item["next_attempt"] = *info.next_attempt_at;
  if (info.last_sync_at.has_value()) item["last_sync"] = *info.last_sync_at;
  if (info.token_expires_at.has_value()) item["token_expires"] = *info.token_expires_at;
  json::array& warnings = item["warnings"].emplace_array();
  for (const std::string& warning : info.warnings) warnings.emplace_back(ToJson(warning));
  return item;
}

json::object ToJson(const StreamStatus& stream) {
  return {{"id", ToJson(stream.stream_id)},
          {"kind", ToJson(stream.kind)},
          {"subscription", ToJson(stream.subscription)},
          {"sessions", stream.session_count},
          {"session", ToJson(stream.session_id)},
          {"opened", stream.opened_at},
          {"events", stream.events_written},
          {"behind", stream.behind_seconds},
          {"lag", stream.lag_events},
          {"stalled", stream.stalled}};
}

json::object Streams(std::vector<StreamStatus> streams) {
  const size_t total = streams.size();
  const size_t listed = std::min(total, kMaxStreams);
  std::partial_sort(
      streams.begin(), streams.begin() + static_cast<ptrdiff_t>(listed), streams.end(),
      [](const StreamStatus& a, const StreamStatus& b) {
        return std::tie(b.stalled, b.behind_seconds, b.lag_events, a.opened_at, a.stream_id) <
               std::tie(a.stalled, a.behind_seconds, a.lag_events, b.opened_at, b.stream_id);
      });
  json::array items;
  for (size_t i = 0; i < listed; ++i) items.emplace_back(ToJson(streams[i]));
  return {{"total", total}, {"items", std::move(items)}};
}

json::object Rates(const RateHistory& history) {
  json::object series;
  for (size_t i = 0; i < RateHistory::kSeries.size(); ++i) {
    json::array& values = series[RateHistory::kSeries[i]].emplace_array();
    for (const RateHistory::Sample& sample : history.samples()) values.emplace_back(sample[i]);
  }
  const auto interval = std::chrono::duration_cast<std::chrono::seconds>(RateHistory::kInterval);
  return {{"interval", interval.count()}, {"series", std::move(series)}};
}

}  // namespace

std::string QueryValue(std::string_view query, std::string_view key) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == key) {
      return Decode(pair.substr(equals + 1));
    }
  }
  return {};
}

Status::Status(StatusSource source, const Metrics& metrics, const Clock& clock)
    : source_(std::move(source)),
      metrics_(metrics),
      clock_(clock),
      started_(clock.WallMillis()),
      rates_(metrics) {
  rates_.Take(clock.Now());
}

void Status::Tick() {
  const MonoTime now = clock_.Now();
  rates_.Take(now);
  if (!sessions_.empty() && now - asked_at_ > kForgetAfter) {
    sessions_.Clear();
    version_ = 0;
  }
}

std::string Status::Json(std::string_view query, bool serving) {
  asked_at_ = clock_.Now();
  sessions_.Apply(source_.session_changes(&version_));
  const SessionTable::Page page = sessions_.Find(ParseQuery(query));
  json::array items;
  for (const session::Info* info : page.items) items.emplace_back(ToJson(*info));
  const auto counts = sessions_.CountStates();
  json::object states;
  for (const State state : kStates) {
    states[ToJson(session::StateName(state))] = counts[static_cast<size_t>(state)];
  }
  const absl::Status health = source_.journal_health();
  const ProcessStats process = ReadProcessStats();
  const json::object status = {
      {"time", clock_.WallMillis()},
      {"started", started_},
      {"version", TALKJSD_VERSION},
      {"serving", serving},
      {"upstream", ToJson(source_.upstream)},
      {"trouble", ToJson(health.ok() ? std::string_view() : MessageOf(health))},
      {"states", std::move(states)},
      {"sessions",
       {{"matching", page.matching},
        {"page", page.page},
        {"page_size", SessionTable::kPageSize},
        {"items", std::move(items)}}},
      {"streams", Streams(source_.streams())},
      {"rates", Rates(rates_)},
      {"journal",
       {{"events", metrics_.journal_events->Value()},
        {"bytes", metrics_.journal_bytes->Value()},
        {"queued_bytes", metrics_.journal_queued_bytes->Value()}}},
      {"process",
       {{"memory", process.resident_bytes},
        {"open_fds", process.open_fds},
        {"max_fds", process.max_fds}}}};
  return json::serialize(status);
}

std::string StatusPage(std::string_view nonce) {
  constexpr std::string_view kPlace = "{{nonce}}";
  std::string page(kStatusPageHtml);
  for (size_t at = page.find(kPlace); at != std::string::npos; at = page.find(kPlace, at)) {
    page.replace(at, kPlace.size(), nonce);
  }
  return page;
}

}  // namespace talkjsd::admin
