#include "talkjsd/one_on_one_id.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace talkjsd::client {
namespace {

constexpr size_t kIdLength = 20;

// Whether `a` sorts before `b` by UTF-16 code units, as strings do in JavaScript. UTF-8 sorts by
// code points, which differs for one thing only: code points past U+FFFF are surrogates in UTF-16,
// which sort before U+E000 to U+FFFF.
bool IsBefore(std::string_view a, std::string_view b) {
  const auto [in_a, in_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (in_a == a.end() || in_b == b.end()) return in_b != b.end();
  const auto weight = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0xF0) return 0xEE * 2 - 1;  // between U+DFFF and U+E000, which begins with 0xEE
    return byte * 2;
  };
  const int weight_a = weight(*in_a);
  const int weight_b = weight(*in_b);
  if (weight_a != weight_b) return weight_a < weight_b;
  return static_cast<unsigned char>(*in_a) < static_cast<unsigned char>(*in_b);
}

// As JSON.stringify writes it.
void AppendJson(std::string_view text, std::string* out) {
  out->push_back('"');
  for (const char c : text) {
    switch (c) {
      case '"':
        out->append("\\\"");
        continue;
      case '\\':
        out->append("\\\\");
        continue;
      case '\b':
        out->append("\\b");
        continue;
      case '\t':
        out->append("\\t");
        continue;
      case '\n':
        out->append("\\n");
        continue;
      case '\f':
        out->append("\\f");
        continue;
      case '\r':
        out->append("\\r");
        continue;
      default:
        break;
    }
    if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned>(c));
      out->append(escape);
    } else {
      out->push_back(c);
    }
  }
  out->push_back('"');
}

std::string Sha1Hex(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha1(), nullptr);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  for (unsigned i = 0; i < size; ++i) {
    hex.push_back(kDigits[digest[i] >> 4]);
    hex.push_back(kDigits[digest[i] & 15]);
  }
  return hex;
}

}  // namespace

std::string OneOnOneId(std::string_view a, std::string_view b) {
  if (IsBefore(b, a)) std::swap(a, b);
  std::string json = "[";
  AppendJson(a, &json);
  json.push_back(',');
  AppendJson(b, &json);
  json.push_back(']');
  return Sha1Hex(json).substr(0, kIdLength);
}

}  // namespace talkjsd::client
