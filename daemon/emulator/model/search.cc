#include "daemon/emulator/model/search.h"

#include <locale.h>
#include <wctype.h>

#include <algorithm>

namespace talkjsd::emulator {
namespace {

// The C library's own table of Unicode characters, whatever the environment says. Lives for ever.
locale_t Characters() {
  static const locale_t unicode = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  static const locale_t any = unicode != nullptr ? unicode : newlocale(LC_CTYPE_MASK, "C", nullptr);
  return any;
}

bool IsSpace(char32_t c) { return iswspace_l(static_cast<wint_t>(c), Characters()) != 0; }
bool IsPunctuation(char32_t c) { return iswpunct_l(static_cast<wint_t>(c), Characters()) != 0; }

// The next code point in lower case. A byte that starts none stands for itself.
char32_t TakeCharacter(std::string_view& text) {
  const auto lead = static_cast<unsigned char>(text.front());
  size_t size = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  char32_t c = size == 1 ? lead : lead & (0x7f >> size);
  for (size_t i = 1; i < size; ++i) {
    const auto next = static_cast<unsigned char>(i < text.size() ? text[i] : 0);
    if ((next & 0xc0) != 0x80) {
      size = 1;
      c = lead;
      break;
    }
    c = c << 6 | (next & 0x3f);
  }
  text.remove_prefix(size);
  return static_cast<char32_t>(towlower_l(static_cast<wint_t>(c), Characters()));
}

// Calls visit(word) for each word until it returns true; says whether one did.
template <typename Visit>
bool AnyWord(std::string_view text, Visit visit) {
  std::u32string word;
  while (!text.empty()) {
    word.clear();
    while (!text.empty()) {
      const char32_t c = TakeCharacter(text);
      if (IsSpace(c)) break;
      word.push_back(c);
    }
    const auto first = std::find_if_not(word.begin(), word.end(), IsPunctuation);
    const auto last = std::find_if_not(word.rbegin(), word.rend(), IsPunctuation).base();
    // A word of signs, such as an emoji, is kept as it is.
    if (first != word.end()) word = std::u32string(first, last);
    if (!word.empty() && visit(word)) return true;
  }
  return false;
}

}  // namespace

SearchQuery::SearchQuery(std::string_view text) {
  AnyWord(text, [this](std::u32string& word) {
    words_.push_back(std::move(word));
    return false;
  });
}

bool SearchQuery::Matches(std::string_view text) const {
  if (words_.empty()) return false;
  std::vector<bool> found(words_.size());
  size_t missing = words_.size();
  return AnyWord(text, [&](const std::u32string& word) {
    for (size_t i = 0; i < words_.size(); ++i) {
      if (found[i] || !word.starts_with(words_[i])) continue;
      found[i] = true;
      --missing;
    }
    return missing == 0;
  });
}

}  // namespace talkjsd::emulator
