// How routes name paths: segment by segment, "*" for any one.
#ifndef TALKJSD_EMULATOR_PATH_PATTERN_H_
#define TALKJSD_EMULATOR_PATH_PATTERN_H_

#include <algorithm>
#include <string>
#include <vector>

namespace talkjsd::emulator {

inline bool MatchesPath(const std::vector<std::string>& pattern,
                        const std::vector<std::string>& path) {
  return std::equal(pattern.begin(), pattern.end(), path.begin(), path.end(),
                    [](const auto& expected, const auto& segment) {
                      return expected == "*" || expected == segment;
                    });
}

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_PATH_PATTERN_H_
