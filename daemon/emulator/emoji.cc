#include "daemon/emulator/emoji.h"

#include <algorithm>
#include <cstdint>
#include <iterator>

#include "daemon/emulator/decisions.h"

namespace talkjsd::emulator {
namespace {

constexpr std::string_view kVariationSelector = "\xEF\xB8\x8F";  // U+FE0F
constexpr size_t kMaxEmojiBytes = 64;  // the longest family of Unicode's has 35

struct Range {
  uint32_t first, last;
};

// Below U+1F000, the code points with Emoji_Presentation; from there on most emoji have it, so the
// second table lists those that have not. From Unicode's emoji-data.
constexpr Range kPresentation[] = {
    {0x231A, 0x231B}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0}, {0x23F3, 0x23F3}, {0x25FD, 0x25FE},
    {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267F, 0x267F}, {0x2693, 0x2693}, {0x26A1, 0x26A1},
    {0x26AA, 0x26AB}, {0x26BD, 0x26BE}, {0x26C4, 0x26C5}, {0x26CE, 0x26CE}, {0x26D4, 0x26D4},
    {0x26EA, 0x26EA}, {0x26F2, 0x26F3}, {0x26F5, 0x26F5}, {0x26FA, 0x26FA}, {0x26FD, 0x26FD},
    {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C}, {0x274E, 0x274E},
    {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797}, {0x27B0, 0x27B0}, {0x27BF, 0x27BF},
    {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55}};
constexpr Range kTextPresentation[] = {
    {0x1F170, 0x1F171}, {0x1F17E, 0x1F17F}, {0x1F202, 0x1F202}, {0x1F237, 0x1F237},
    {0x1F321, 0x1F321}, {0x1F324, 0x1F32C}, {0x1F336, 0x1F336}, {0x1F37D, 0x1F37D},
    {0x1F396, 0x1F397}, {0x1F399, 0x1F39B}, {0x1F39E, 0x1F39F}, {0x1F3CB, 0x1F3CE},
    {0x1F3D4, 0x1F3DF}, {0x1F3F3, 0x1F3F3}, {0x1F3F5, 0x1F3F5}, {0x1F3F7, 0x1F3F7},
    {0x1F43F, 0x1F43F}, {0x1F441, 0x1F441}, {0x1F4FD, 0x1F4FD}, {0x1F549, 0x1F54A},
    {0x1F56F, 0x1F570}, {0x1F573, 0x1F579}, {0x1F587, 0x1F587}, {0x1F58A, 0x1F58D},
    {0x1F590, 0x1F590}, {0x1F5A5, 0x1F5A5}, {0x1F5A8, 0x1F5A8}, {0x1F5B1, 0x1F5B2},
    {0x1F5BC, 0x1F5BC}, {0x1F5C2, 0x1F5C4}, {0x1F5D1, 0x1F5D3}, {0x1F5DC, 0x1F5DE},
    {0x1F5E1, 0x1F5E1}, {0x1F5E3, 0x1F5E3}, {0x1F5E8, 0x1F5E8}, {0x1F5EF, 0x1F5EF},
    {0x1F5F3, 0x1F5F3}, {0x1F5FA, 0x1F5FA}, {0x1F6CB, 0x1F6CB}, {0x1F6CD, 0x1F6CF},
    {0x1F6E0, 0x1F6E5}, {0x1F6E9, 0x1F6E9}, {0x1F6F0, 0x1F6F0}, {0x1F6F3, 0x1F6F3}};

template <size_t N>
bool Contains(const Range (&ranges)[N], uint32_t code_point) {
  return std::any_of(std::begin(ranges), std::end(ranges), [&](const Range& range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

// The only code point of the text, 0 if there are several or if it is ASCII. The text is valid
// UTF-8.
uint32_t SingleCodePoint(std::string_view text) {
  if (text.empty()) return 0;
  const auto lead = static_cast<unsigned char>(text[0]);
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (length == 1 || text.size() != length) return 0;
  uint32_t code_point = lead & (0x7F >> length);
  for (size_t i = 1; i < length; ++i) {
    code_point = code_point << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  }
  return code_point;
}

}  // namespace

std::string NormalizeEmoji(std::string_view emoji) {
  std::string_view base = emoji;
  if (base.ends_with(kVariationSelector)) {
    base.remove_suffix(kVariationSelector.size());
    const uint32_t code_point = SingleCodePoint(base);
    const bool qualified = code_point >= 0x1F000 ? !Contains(kTextPresentation, code_point)
                                                 : Contains(kPresentation, code_point);
    if (code_point != 0 && qualified) return std::string(base);
  }
  return std::string(emoji);
}

bool IsReactionName(std::string_view emoji) {
  if (emoji.starts_with(':')) {
    return emoji.size() > 2 && emoji.ends_with(':') && emoji.size() <= kMaxCustomEmojiLength;
  }
  const bool ascii = std::all_of(emoji.begin(), emoji.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  return !ascii && emoji.size() <= kMaxEmojiBytes;
}

}  // namespace talkjsd::emulator
