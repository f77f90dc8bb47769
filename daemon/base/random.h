// Randomness, passed in, so that a seed replays a run.
#ifndef TALKJSD_BASE_RANDOM_H_
#define TALKJSD_BASE_RANDOM_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace talkjsd {

inline constexpr std::string_view kBase62 =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;

  // Uniform in [0, 1).
  double Unit();
  // Uniform in [low, high).
  Duration Between(Duration low, Duration high);
  // `length` characters drawn from `alphabet` (at most 256 characters).
  std::string Text(size_t length, std::string_view alphabet = kBase62);
};

// The operating system's generator: fit for identifiers that must not be guessed. Thread-safe,
// lives for ever.
Random& SecureRandom();

// SplitMix64. Reproducible, not fit for secrets. Not thread-safe.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t Next() override;

 private:
  uint64_t state_;
};

}  // namespace talkjsd

#endif  // TALKJSD_BASE_RANDOM_H_
