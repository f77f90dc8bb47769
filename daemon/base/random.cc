#include "daemon/base/random.h"

#include <openssl/rand.h>

#include <cstdlib>
#include <mutex>

namespace talkjsd {
namespace {

class OsRandom : public Random {
 public:
  uint64_t Next() override {
    std::lock_guard lock(mutex_);
    if (used_ == kBatch) {
      // A daemon without randomness must not hand out identifiers.
      if (RAND_bytes(reinterpret_cast<unsigned char*>(pool_), sizeof(pool_)) != 1) std::abort();
      used_ = 0;
    }
    return pool_[used_++];
  }

 private:
  static constexpr size_t kBatch = 64;
  std::mutex mutex_;
  uint64_t pool_[kBatch];
  size_t used_ = kBatch;
};

}  // namespace

double Random::Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

Duration Random::Between(Duration low, Duration high) {
  return low +
         Duration(static_cast<Duration::rep>(Unit() * static_cast<double>((high - low).count())));
}

std::string Random::Text(size_t length, std::string_view alphabet) {
  std::string text;
  text.reserve(length);
  for (size_t i = 0; i < length; ++i) {
    text += alphabet[static_cast<size_t>(Unit() * static_cast<double>(alphabet.size()))];
  }
  return text;
}

Random& SecureRandom() {
  static OsRandom random;
  return random;
}

uint64_t SeededRandom::Next() {
  uint64_t z = (state_ += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace talkjsd
