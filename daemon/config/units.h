// Numbers with a unit: "7d", "256MiB".
#ifndef TALKJSD_CONFIG_UNITS_H_
#define TALKJSD_CONFIG_UNITS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace talkjsd::config {

// A whole number with ms, s, m, h or d, as milliseconds; nothing if it is something else or does
// not fit.
std::optional<int64_t> ParseMillis(std::string_view text);
// A whole number with B, KiB, MiB, GiB or TiB.
std::optional<int64_t> ParseBytes(std::string_view text);

// In the largest unit that leaves a whole number: "7d", "90s"; "0ms" for nothing.
std::string FormatMillis(int64_t millis);
std::string FormatBytes(int64_t bytes);

}  // namespace talkjsd::config

#endif  // TALKJSD_CONFIG_UNITS_H_
