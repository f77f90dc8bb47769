// Structured logging: a fixed event text and named values, as text or as JSON lines on stderr.
//
//   LogInfo("session connected", {{"session", id}, {"user", user_id}});
//
// Secrets are of type Secret and do not convert to a value. Thread-safe.
#ifndef TALKJSD_BASE_LOG_H_
#define TALKJSD_BASE_LOG_H_

#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace talkjsd {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

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

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

inline void LogDebug(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kDebug, event, fields);
}
inline void LogInfo(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kInfo, event, fields);
}
inline void LogWarning(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kWarning, event, fields);
}
inline void LogError(std::string_view event, std::initializer_list<LogField> fields = {}) {
  Log(LogLevel::kError, event, fields);
}

}  // namespace talkjsd

#endif  // TALKJSD_BASE_LOG_H_
