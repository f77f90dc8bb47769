#include "daemon/config/units.h"

#include <charconv>
#include <iterator>
#include <limits>

namespace talkjsd::config {
namespace {

struct Unit {
  std::string_view name;
  int64_t factor;
};

// The smallest first.
constexpr Unit kTimes[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
constexpr Unit kSizes[] = {{"B", 1},
                           {"KiB", int64_t{1} << 10},
                           {"MiB", int64_t{1} << 20},
                           {"GiB", int64_t{1} << 30},
                           {"TiB", int64_t{1} << 40}};

template <size_t count>
std::optional<int64_t> Parse(std::string_view text, const Unit (&units)[count]) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, number);
  if (result.ec != std::errc() || number < 0) return std::nullopt;
  const std::string_view rest(result.ptr, static_cast<size_t>(end - result.ptr));
  for (const Unit& unit : units) {
    if (rest != unit.name) continue;
    if (number > std::numeric_limits<int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

template <size_t count>
std::string Format(int64_t amount, const Unit (&units)[count]) {
  const Unit* best = &units[0];
  for (const Unit& unit : units) {
    if (amount != 0 && amount % unit.factor == 0) best = &unit;
  }
  return std::to_string(amount / best->factor).append(best->name);
}

}  // namespace

std::optional<int64_t> ParseMillis(std::string_view text) { return Parse(text, kTimes); }
std::optional<int64_t> ParseBytes(std::string_view text) { return Parse(text, kSizes); }
std::string FormatMillis(int64_t millis) { return Format(millis, kTimes); }
std::string FormatBytes(int64_t bytes) { return Format(bytes, kSizes); }

}  // namespace talkjsd::config
