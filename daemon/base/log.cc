#include "daemon/base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>

#include "daemon/base/clock.h"
#include "daemon/base/log_limiter.h"

namespace talkjsd {
namespace {

LogFormat g_format = LogFormat::kText;
std::array<std::atomic<uint64_t>, 4> g_written{};
std::atomic<uint64_t> g_suppressed = 0;
thread_local LogScope* t_scope = nullptr;

LogLimiter& Limiter() {
  static LogLimiter limiter(kLogBurst, kLogLinesPerSecond);
  return limiter;
}

spdlog::logger& Logger() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = std::make_shared<spdlog::logger>("talkjsd",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void AppendQuoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char raw : text) {
    const auto c = static_cast<unsigned char>(raw);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += raw;
    } else if (c < 0x20 || c == 0x7f) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    } else {
      out += raw;
    }
  }
  out += '"';
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char raw : text) {
    const auto c = static_cast<unsigned char>(raw);
    if (c <= 0x20 || c == '"' || c == '=' || c == '\\' || c == 0x7f) return true;
  }
  return false;
}

void AppendField(std::string& line, const LogField& field) {
  const bool is_json = g_format == LogFormat::kJson;
  line += is_json ? ',' : ' ';
  if (is_json) {
    AppendQuoted(line, field.name);
  } else {
    line += field.name;
  }
  line += is_json ? ':' : '=';
  if (!field.is_number && (is_json || NeedsQuotes(field.value))) {
    AppendQuoted(line, field.value);
  } else {
    line += field.value;
  }
}

void Write(LogLevel level, std::string_view event, const std::vector<const LogField*>& fields) {
  std::string line;
  if (g_format == LogFormat::kJson) {
    AppendQuoted(line, event);
  } else {
    line = event;
  }
  for (const LogField* field : fields) AppendField(line, *field);
  ++g_written[static_cast<size_t>(level)];
  Logger().log(ToSpdlog(level), line);
}

}  // namespace

void ConfigureLog(LogLevel level, LogFormat format) {
  g_format = format;
  Logger().set_level(ToSpdlog(level));
  if (format == LogFormat::kJson) {
    Logger().set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","event":%v})",
                         spdlog::pattern_time_type::utc);
  }
}

void SetLogLevel(LogLevel level) { Logger().set_level(ToSpdlog(level)); }

LogLevel CurrentLogLevel() {
  for (const LogLevel level : {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning}) {
    if (Logger().should_log(ToSpdlog(level))) return level;
  }
  return LogLevel::kError;
}

std::string_view LogLevelName(LogLevel level) {
  const spdlog::string_view_t name = spdlog::level::to_string_view(ToSpdlog(level));
  return {name.data(), name.size()};
}

LogScope::LogScope(std::vector<LogField> fields) : fields_(std::move(fields)), outer_(t_scope) {
  t_scope = this;
}

LogScope::~LogScope() { t_scope = outer_; }

void AppendScopes(std::vector<const LogField*>& fields) {
  for (const LogScope* scope = t_scope; scope != nullptr; scope = scope->outer_) {
    for (const LogField& field : scope->fields_) {
      const bool is_there =
          std::any_of(fields.begin(), fields.end(),
                      [&field](const LogField* other) { return other->name == field.name; });
      if (!is_there) fields.push_back(&field);
    }
  }
}

void Log(LogLevel level, std::string_view event, LogFields fields, const LogSite& site) {
  if (!Logger().should_log(ToSpdlog(level))) return;
  const LogLimiter::Verdict verdict =
      Limiter().Ask(site.file_name(), site.line(), event, SystemClock().Now());
  if (!verdict.write) {
    ++g_suppressed;
    return;
  }
  std::vector<const LogField*> all;
  for (const LogField& field : fields) all.push_back(&field);
  AppendScopes(all);
  const LogField suppressed("suppressed", verdict.suppressed);
  if (verdict.suppressed > 0) all.push_back(&suppressed);
  Write(level, event, all);
}

void ReportSuppressedLines() {
  for (const LogLimiter::Silent& silent : Limiter().TakeSilent(SystemClock().Now())) {
    const LogField line("line", silent.event);
    const LogField suppressed("suppressed", silent.suppressed);
    Write(LogLevel::kWarning, "lines were left out of the log: too many of one kind",
          {&line, &suppressed});
  }
}

LogCounts CountLogLines() {
  LogCounts counts;
  std::copy(g_written.begin(), g_written.end(), counts.written.begin());
  counts.suppressed = g_suppressed;
  return counts;
}

}  // namespace talkjsd
