#include "daemon/emulator/faults/fault_json.h"

#include <algorithm>
#include <iterator>

#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

using Point = FaultPoint;
using Kind = FaultKind;

constexpr int64_t kMaxCount = 1'000'000'000;
constexpr int64_t kMaxMillis = 24 * 60 * 60 * 1000;
constexpr size_t kMaxPattern = 500;
constexpr size_t kMaxCloseReason = 120;

constexpr std::pair<Point, std::string_view> kPoints[] = {{Point::kConnect, "connect"},
                                                          {Point::kRequest, "request"},
                                                          {Point::kAnswer, "answer"},
                                                          {Point::kPublish, "publish"},
                                                          {Point::kHttp, "http"}};

constexpr uint32_t Bit(Point point) { return 1u << static_cast<int>(point); }
constexpr uint32_t kOnFrames = Bit(Point::kRequest) | Bit(Point::kAnswer) | Bit(Point::kPublish);
constexpr uint32_t kOnSent = Bit(Point::kAnswer) | Bit(Point::kPublish);
constexpr uint32_t kOnSocket = kOnFrames | Bit(Point::kConnect);
constexpr uint32_t kAnywhere = kOnSocket | Bit(Point::kHttp);

struct KindInfo {
  Kind kind;
  std::string_view name;
  uint32_t points;
  int64_t preset_millis;  // of "ms"; 0: required; -1: not taken
};
constexpr KindInfo kKinds[] = {
    {Kind::kDrop, "drop", kAnywhere, -1},
    {Kind::kReset, "reset", kAnywhere, -1},
    {Kind::kClose, "close", kOnSocket, -1},
    {Kind::kStall, "stall", kOnSocket, 0},
    {Kind::kHalfOpen, "half_open", kOnSocket, -1},
    {Kind::kDelay, "delay", kOnFrames | Bit(Point::kHttp), 0},
    {Kind::kDuplicate, "duplicate", kOnFrames, -1},
    {Kind::kTear, "tear", kOnSent, -1},
    {Kind::kCorrupt, "corrupt", kOnSent, -1},
    {Kind::kLose, "lose", kOnFrames | Bit(Point::kHttp), -1},
    {Kind::kExpire, "expire", kOnFrames, -1},
    {Kind::kRestart, "restart", kOnSocket, kRestartMillis},
    {Kind::kStatus, "status", kAnywhere & ~Bit(Point::kPublish), -1},
};

std::string_view PointName(Point point) {
  return std::find_if(std::begin(kPoints), std::end(kPoints),
                      [point](const auto& entry) { return entry.first == point; })
      ->second;
}

const KindInfo& InfoOf(Kind kind) {
  return *std::find_if(std::begin(kKinds), std::end(kKinds),
                       [kind](const KindInfo& info) { return info.kind == kind; });
}

std::string CodeForStatus(int status) {
  switch (status) {
    case 400:
      return "BAD_REQUEST";
    case 401:
      return "UNAUTHORIZED";
    case 403:
      return "FORBIDDEN";
    case 404:
      return "NOT_FOUND";
    case 429:
      return "TOO_MANY_REQUESTS";
    case 500:
      return "INTERNAL_ERROR";
    case 503:
      return "SERVICE_UNAVAILABLE";
    default:
      return "INJECTED_FAULT";
  }
}

absl::Status ReadPatterns(const json::object& data, FaultRule& rule) {
  const std::pair<std::string_view, std::string*> patterns[] = {
      {"user", &rule.user}, {"path", &rule.path}, {"method", &rule.method}, {"event", &rule.event}};
  for (const auto& [name, into] : patterns) {
    auto text = ReadText(data, name);
    if (!text.ok()) return text.status();
    if (!text->has_value()) continue;
    if ((*text)->size() > kMaxPattern) return BadRequest(std::string(name) + ": too long");
    *into = **std::move(text);
  }
  const bool publishes = rule.on == Point::kPublish;
  if (!publishes && !rule.event.empty()) return BadRequest("event: only with \"on\": \"publish\"");
  if (publishes && !(rule.path.empty() && rule.method.empty())) {
    return BadRequest("path, method: a PUBLISH has none; use event");
  }
  return absl::OkStatus();
}

absl::Status ReadCounts(const json::object& data, FaultRule& rule) {
  const std::pair<std::string_view, int64_t*> counts[] = {
      {"nth", &rule.nth}, {"every", &rule.every}, {"times", &rule.times}};
  for (const auto& [name, into] : counts) {
    const auto count = ReadWhole(data, name, 1, kMaxCount);
    if (!count.ok()) return count.status();
    *into = count->value_or(0);
  }
  const auto seed = ReadWhole(data, "seed", 1, INT64_MAX);
  if (!seed.ok()) return seed.status();
  rule.seed = static_cast<uint64_t>(seed->value_or(0));
  if (const json::value* given = Find(data, "probability")) {
    if (!given->is_number()) return BadRequest("probability: not a number");
    rule.probability = given->to_number<double>();
    if (!(rule.probability >= 0 && rule.probability <= 1)) {
      return BadRequest("probability: must be from 0 to 1");
    }
  }
  return absl::OkStatus();
}

// "status", "error_code", "reasons".
absl::Status ReadStatus(const json::object& data, FaultAction& action) {
  const auto status = ReadWhole(data, "status", 200, 599);
  if (!status.ok()) return status.status();
  if (!status->has_value()) return BadRequest("status: the action needs it");
  action.status = static_cast<int>(**status);
  auto code = ReadText(data, "error_code");
  if (!code.ok()) return code.status();
  action.error_code = code->value_or(CodeForStatus(action.status));
  action.reasons = {"fault injected by the emulator"};
  if (Find(data, "reasons") != nullptr) {
    auto reasons = TextList(data, "reasons");
    if (!reasons.ok()) return reasons.status();
    action.reasons = *std::move(reasons);
  }
  return absl::OkStatus();
}

// What only some actions take.
absl::Status ReadParameters(const json::object& data, const KindInfo& info, FaultRule& rule) {
  FaultAction& action = rule.action;
  const bool is_status = info.kind == Kind::kStatus;
  const bool is_close = info.kind == Kind::kClose;
  const bool copies_publish = info.kind == Kind::kDuplicate && rule.on == Point::kPublish;
  const std::pair<std::string_view, bool> parameters[] = {
      {"ms", info.preset_millis >= 0}, {"status", is_status}, {"error_code", is_status},
      {"reasons", is_status},          {"code", is_close},    {"reason", is_close},
      {"renumber", copies_publish}};
  for (const auto& [name, taken] : parameters) {
    if (taken || Find(data, name) == nullptr) continue;
    return BadRequest(std::string(name) + ": not a property of this action at this point");
  }
  if (is_status) return ReadStatus(data, action);
  if (is_close) {
    const auto frame = ReadClose(data);
    if (!frame.ok()) return frame.status();
    action.code = frame->code;
    action.reason = frame->reason;
    return absl::OkStatus();
  }
  if (info.preset_millis >= 0) {
    const auto millis = ReadWhole(data, "ms", 1, kMaxMillis);
    if (!millis.ok()) return millis.status();
    if (!millis->has_value() && info.preset_millis == 0)
      return BadRequest("ms: the action needs it");
    action.time = std::chrono::milliseconds(millis->value_or(info.preset_millis));
  }
  const auto renumber = ReadFlag(data, "renumber");
  if (!renumber.ok()) return renumber.status();
  action.renumber = *renumber;
  if (info.kind == Kind::kLose) action.event = rule.event;
  return absl::OkStatus();
}

// A short name for the commonest refusal.
FaultRule RefusedToken(FaultRule rule) {
  rule.on = Point::kRequest;
  rule.method = "POST";
  rule.path = "/session/renew";
  rule.action.kind = Kind::kStatus;
  rule.action.status = 401;
  rule.action.error_code = CodeForStatus(401);
  rule.action.reasons = {"token refused: fault injected by the emulator"};
  return rule;
}

absl::Status ReadPoint(const json::object& data, FaultRule& rule) {
  const auto on = ReadText(data, "on");
  if (!on.ok()) return on.status();
  for (const auto& [point, name] : kPoints) {
    if (*on != name) continue;
    rule.on = point;
    return absl::OkStatus();
  }
  return BadRequest("on: must be connect, request, answer, publish or http");
}

absl::StatusOr<const KindInfo*> FindKind(std::string_view action) {
  std::string names;
  for (const KindInfo& info : kKinds) {
    if (info.name == action) return &info;
    names.append(info.name).append(", ");
  }
  return BadRequest("action: must be one of " + names + "refuse_token");
}

}  // namespace

absl::StatusOr<FaultRule> ReadFaultRule(const json::object& data) {
  FaultRule rule;
  absl::Status status = CheckNames(data, {"on", "action", "user", "path", "method", "event", "nth",
                                          "every", "times", "ms", "seed", "probability", "status",
                                          "code", "reason", "reasons", "error_code", "renumber"});
  if (!status.ok()) return status;
  const auto action = ReadText(data, "action");
  if (!action.ok()) return action.status();
  if (status = ReadCounts(data, rule); !status.ok()) return status;
  if (*action == "refuse_token") {
    for (const char* name : {"on", "path", "method", "event", "ms", "status", "code", "reason",
                             "reasons", "error_code", "renumber"}) {
      if (Find(data, name) != nullptr) {
        return BadRequest(std::string(name) + ": not a property of refuse_token");
      }
    }
    if (status = ReadPatterns(data, rule); !status.ok()) return status;
    return RefusedToken(std::move(rule));
  }
  const auto info = FindKind(action->value_or(""));
  if (!info.ok()) return info.status();
  if (status = ReadPoint(data, rule); !status.ok()) return status;
  if (((*info)->points & Bit(rule.on)) == 0) {
    return BadRequest("action: " + std::string((*info)->name) + " does not happen at " +
                      std::string(PointName(rule.on)));
  }
  rule.action.kind = (*info)->kind;
  if (status = ReadPatterns(data, rule); !status.ok()) return status;
  if (status = ReadParameters(data, **info, rule); !status.ok()) return status;
  return rule;
}

json::object EncodeFaultRule(const FaultRule& rule) {
  const FaultAction& action = rule.action;
  const KindInfo& info = InfoOf(action.kind);
  json::object shown;
  shown["id"] = rule.id;
  shown["on"] = PointName(rule.on);
  shown["action"] = info.name;
  const std::pair<std::string_view, const std::string*> patterns[] = {
      {"user", &rule.user}, {"path", &rule.path}, {"method", &rule.method}, {"event", &rule.event}};
  for (const auto& [name, pattern] : patterns) {
    if (!pattern->empty()) shown[name] = *pattern;
  }
  if (rule.nth > 0) shown["nth"] = rule.nth;
  if (rule.every > 0) shown["every"] = rule.every;
  if (rule.times > 0) shown["times"] = rule.times;
  if (rule.probability < 1) {
    shown["probability"] = rule.probability;
    shown["seed"] = rule.seed;
  }
  if (info.preset_millis >= 0) {
    shown["ms"] = std::chrono::duration_cast<std::chrono::milliseconds>(action.time).count();
  }
  if (action.kind == Kind::kStatus) {
    shown["status"] = action.status;
    shown["error_code"] = action.error_code;
    shown["reasons"] = json::array(action.reasons.begin(), action.reasons.end());
  }
  if (action.kind == Kind::kClose) {
    shown["code"] = action.code;
    shown["reason"] = action.reason;
  }
  if (action.renumber) shown["renumber"] = true;
  shown["matched"] = rule.matched;
  shown["fired"] = rule.fired;
  if (rule.times > 0) shown["remaining"] = static_cast<uint64_t>(rule.times) - rule.fired;
  return shown;
}

absl::StatusOr<CloseFrame> ReadClose(const json::object& data) {
  CloseFrame frame;
  const auto code = ReadWhole(data, "code", 1000, 4999);
  if (!code.ok()) return code.status();
  frame.code = static_cast<uint16_t>(code->value_or(frame.code));
  // Not to be sent in a close frame (RFC 6455, 7.4.1).
  if (frame.code == 1004 || frame.code == 1005 || frame.code == 1006 || frame.code == 1015) {
    return BadRequest("code: no close frame may carry it");
  }
  auto reason = ReadText(data, "reason");
  if (!reason.ok()) return reason.status();
  frame.reason = reason->value_or("");
  if (frame.reason.size() > kMaxCloseReason) return BadRequest("reason: at most 120 bytes");
  return frame;
}

absl::StatusOr<std::optional<int64_t>> ReadWhole(const json::object& data, std::string_view name,
                                                 int64_t low, int64_t high) {
  const json::value* given = Find(data, name);
  if (given == nullptr) return std::nullopt;
  json::error_code error;
  const int64_t number = given->is_number() ? given->to_number<int64_t>(error) : low - 1;
  if (error || number < low || number > high) {
    return BadRequest(std::string(name) + ": must be a whole number from " + std::to_string(low) +
                      " to " + std::to_string(high));
  }
  return number;
}

absl::StatusOr<std::optional<std::string>> ReadText(const json::object& data,
                                                    std::string_view name) {
  const json::value* given = Find(data, name);
  if (given == nullptr) return std::nullopt;
  if (!given->is_string()) return BadRequest(std::string(name) + ": not a string");
  return std::string(given->get_string());
}

absl::StatusOr<bool> ReadFlag(const json::object& data, std::string_view name) {
  const json::value* given = Find(data, name);
  if (given == nullptr) return false;
  if (!given->is_bool()) return BadRequest(std::string(name) + ": not true or false");
  return given->get_bool();
}

absl::Status CheckNames(const json::object& data, std::initializer_list<std::string_view> known) {
  for (const auto& member : data) {
    const std::string_view name(member.key());
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return BadRequest("unknown property: " + std::string(name.substr(0, 100)));
    }
  }
  return absl::OkStatus();
}

}  // namespace talkjsd::emulator
