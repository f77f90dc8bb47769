#include "daemon/wire/ids.h"

#include <string_view>

namespace talkjsd::wire {
namespace {

// In ASCII order, so that keys made later sort later.
constexpr std::string_view kKeyAlphabet =
    "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
static_assert(kKeyAlphabet.size() == 64);

constexpr size_t kTimeCharacters = 8;
constexpr size_t kRandomCharacters = 12;

}  // namespace

std::string IdempotencyKey(UnixMillis now, Random& random) {
  std::string key(kTimeCharacters, kKeyAlphabet[0]);
  auto rest = static_cast<uint64_t>(now);
  for (size_t i = kTimeCharacters; i-- > 0; rest /= 64) key[i] = kKeyAlphabet[rest % 64];
  key += random.Text(kRandomCharacters, kKeyAlphabet);
  return key;
}

std::string ClientId(Random& random) { return random.Text(17, "0123456789"); }

std::string MessageId(Random& random) { return "msg_" + random.Text(22); }

}  // namespace talkjsd::wire
