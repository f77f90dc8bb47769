// Structured logging: a fixed event text and named values, as text or as JSON lines on stderr.
//
//   LogInfo("session connected", {{"session", id}, {"user", user_id}});
//
// One place in the code writes at most kLogBurst lines at once and kLogLinesPerSecond in the long
// run; the next line of it says how many were left out (`suppressed`). Secrets are of type Secret
// and do not convert to a value. Thread-safe.
#ifndef TALKJSD_BASE_LOG_H_
#define TALKJSD_BASE_LOG_H_

#include <array>
#include <cstdint>
#include <initializer_list>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace talkjsd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

inline constexpr int kLogBurst = 200;
inline constexpr int kLogLinesPerSecond = 10;

struct LogField {
  LogField(std::string_view field_name, std::string_view text) : name(field_name), value(text) {}
  LogField(std::string_view field_name, const char* text) : name(field_name), value(text) {}
  LogField(std::string_view field_name, const std::string& text) : name(field_name), value(text) {}
  template <typename T, typename = std::enable_if_t<std::is_arithmetic_v<T>>>
  LogField(std::string_view field_name, T number)
      : name(field_name), value(std::to_string(number)), is_number(true) {}

  std::string_view name;
  std::string value;
  bool is_number = false;
};

// Call once, before other threads log. The default is text at level info.
void ConfigureLog(LogLevel level, LogFormat format);

// At any time, on any thread.
void SetLogLevel(LogLevel level);
LogLevel CurrentLogLevel();
// "debug", "info", "warning", "error".
std::string_view LogLevelName(LogLevel level);

// Fields for every line that this thread writes while it lives, such as the request it answers. A
// line's own field of the same name counts. Scopes may be nested; they end in reverse order.
class LogScope {
 public:
  explicit LogScope(std::vector<LogField> fields);
  ~LogScope();
  LogScope(const LogScope&) = delete;
  LogScope& operator=(const LogScope&) = delete;

 private:
  friend void AppendScopes(std::vector<const LogField*>& fields);
  const std::vector<LogField> fields_;
  LogScope* const outer_;
};

using LogFields = std::initializer_list<LogField>;
using LogSite = std::source_location;

void Log(LogLevel level, std::string_view event, LogFields fields = {},
         const LogSite& site = LogSite::current());

inline void LogDebug(std::string_view event, LogFields fields = {},
                     const LogSite& site = LogSite::current()) {
  Log(LogLevel::kDebug, event, fields, site);
}
inline void LogInfo(std::string_view event, LogFields fields = {},
                    const LogSite& site = LogSite::current()) {
  Log(LogLevel::kInfo, event, fields, site);
}
inline void LogWarning(std::string_view event, LogFields fields = {},
                       const LogSite& site = LogSite::current()) {
  Log(LogLevel::kWarning, event, fields, site);
}
inline void LogError(std::string_view event, LogFields fields = {},
                     const LogSite& site = LogSite::current()) {
  Log(LogLevel::kError, event, fields, site);
}

// Says what was left out at places that have fallen silent since. Call it about once a second.
void ReportSuppressedLines();

// Since the start of the process.
struct LogCounts {
  std::array<uint64_t, 4> written{};  // by level
  uint64_t suppressed = 0;
};
LogCounts CountLogLines();

}  // namespace talkjsd

#endif  // TALKJSD_BASE_LOG_H_
