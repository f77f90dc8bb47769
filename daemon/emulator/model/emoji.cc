#include "daemon/emulator/model/emoji.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <vector>

#include "daemon/emulator/decisions.h"
#include "daemon/wire/utf8.h"

namespace talkjsd::emulator {
namespace {

constexpr std::string_view kSelector = "\xEF\xB8\x8F";  // U+FE0F: show as an emoji, not as text
constexpr uint32_t kSelectorCode = 0xFE0F;
constexpr uint32_t kJoiner = 0x200D;
constexpr uint32_t kKeycap = 0x20E3;
constexpr uint32_t kBlackFlag = 0x1F3F4;
constexpr size_t kMaxEmojiBytes = 64;  // the longest family of Unicode's has 35

struct Range {
  uint32_t first, last;
};

// Code points with Emoji_Presentation, and emoji without, below U+1F000. From there on most have
// it, and the third table lists those that have not. From Unicode's emoji-data.
constexpr Range kLowEmoji[] = {
    {0x231A, 0x231B}, {0x23E9, 0x23EC}, {0x23F0, 0x23F0}, {0x23F3, 0x23F3}, {0x25FD, 0x25FE},
    {0x2614, 0x2615}, {0x2648, 0x2653}, {0x267F, 0x267F}, {0x2693, 0x2693}, {0x26A1, 0x26A1},
    {0x26AA, 0x26AB}, {0x26BD, 0x26BE}, {0x26C4, 0x26C5}, {0x26CE, 0x26CE}, {0x26D4, 0x26D4},
    {0x26EA, 0x26EA}, {0x26F2, 0x26F3}, {0x26F5, 0x26F5}, {0x26FA, 0x26FA}, {0x26FD, 0x26FD},
    {0x2705, 0x2705}, {0x270A, 0x270B}, {0x2728, 0x2728}, {0x274C, 0x274C}, {0x274E, 0x274E},
    {0x2753, 0x2755}, {0x2757, 0x2757}, {0x2795, 0x2797}, {0x27B0, 0x27B0}, {0x27BF, 0x27BF},
    {0x2B1B, 0x2B1C}, {0x2B50, 0x2B50}, {0x2B55, 0x2B55}};
constexpr Range kLowText[] = {
    {0x00A9, 0x00A9}, {0x00AE, 0x00AE}, {0x203C, 0x203C}, {0x2049, 0x2049}, {0x2122, 0x2122},
    {0x2139, 0x2139}, {0x2194, 0x2199}, {0x21A9, 0x21AA}, {0x2328, 0x2328}, {0x23CF, 0x23CF},
    {0x23ED, 0x23EF}, {0x23F1, 0x23F2}, {0x23F8, 0x23FA}, {0x24C2, 0x24C2}, {0x25AA, 0x25AB},
    {0x25B6, 0x25B6}, {0x25C0, 0x25C0}, {0x25FB, 0x25FC}, {0x2600, 0x2604}, {0x260E, 0x260E},
    {0x2611, 0x2611}, {0x2618, 0x2618}, {0x261D, 0x261D}, {0x2620, 0x2620}, {0x2622, 0x2623},
    {0x2626, 0x2626}, {0x262A, 0x262A}, {0x262E, 0x262F}, {0x2638, 0x263A}, {0x2640, 0x2640},
    {0x2642, 0x2642}, {0x265F, 0x2660}, {0x2663, 0x2663}, {0x2665, 0x2666}, {0x2668, 0x2668},
    {0x267B, 0x267B}, {0x267E, 0x267E}, {0x2692, 0x2692}, {0x2694, 0x2697}, {0x2699, 0x2699},
    {0x269B, 0x269C}, {0x26A0, 0x26A0}, {0x26A7, 0x26A7}, {0x26B0, 0x26B1}, {0x26C8, 0x26C8},
    {0x26CF, 0x26CF}, {0x26D1, 0x26D1}, {0x26D3, 0x26D3}, {0x26E9, 0x26E9}, {0x26F0, 0x26F1},
    {0x26F4, 0x26F4}, {0x26F7, 0x26F9}, {0x2702, 0x2702}, {0x2708, 0x2709}, {0x270C, 0x270D},
    {0x270F, 0x270F}, {0x2712, 0x2712}, {0x2714, 0x2714}, {0x2716, 0x2716}, {0x271D, 0x271D},
    {0x2721, 0x2721}, {0x2733, 0x2734}, {0x2744, 0x2744}, {0x2747, 0x2747}, {0x2763, 0x2764},
    {0x27A1, 0x27A1}, {0x2934, 0x2935}, {0x2B05, 0x2B07}, {0x3030, 0x3030}, {0x303D, 0x303D},
    {0x3297, 0x3297}, {0x3299, 0x3299}};
constexpr Range kHighText[] = {
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

// An emoji only with U+FE0F.
bool IsText(uint32_t c) { return c < 0x1F000 ? Contains(kLowText, c) : Contains(kHighText, c); }

bool IsEmoji(uint32_t c) {
  return c < 0x1F000 ? Contains(kLowEmoji, c) || Contains(kLowText, c) : c <= 0x1FAFF;
}

bool IsSkin(uint32_t c) { return c >= 0x1F3FB && c <= 0x1F3FF; }
bool IsRegion(uint32_t c) { return c >= 0x1F1E6 && c <= 0x1F1FF; }
bool IsTag(uint32_t c) { return c >= 0xE0020 && c <= 0xE007F; }
bool IsKeycapBase(uint32_t c) { return (c >= '0' && c <= '9') || c == '#' || c == '*'; }

std::vector<wire::CodePoint> CodePoints(std::string_view text) {
  std::vector<wire::CodePoint> points;
  for (size_t at = 0; at < text.size(); at += points.back().size) {
    points.push_back(wire::CodePointAt(text, at));
  }
  return points;
}

// Reads an emoji's parts one after another.
class EmojiReader {
 public:
  explicit EmojiReader(std::string_view text) : points_(CodePoints(text)) {}

  bool IsOne() {
    if (points_.size() == 2 && IsRegion(Here()) && IsRegion(points_[1].value)) return true;
    if (IsKeycapBase(Here())) {
      ++at_;
      Take(kSelectorCode);
      return Take(kKeycap) && AtEnd();
    }
    do {
      if (!TakePart()) return false;
    } while (Take(kJoiner));
    return AtEnd();
  }

 private:
  uint32_t Here() const { return AtEnd() ? 0 : points_[at_].value; }
  bool AtEnd() const { return at_ == points_.size(); }

  bool Take(uint32_t code_point) {
    if (AtEnd() || Here() != code_point) return false;
    ++at_;
    return true;
  }

  // What may be joined to others.
  bool TakePart() {
    const uint32_t first = Here();
    if (!IsEmoji(first) || IsRegion(first)) return false;
    ++at_;
    Take(kSelectorCode);
    if (IsSkin(Here())) ++at_;
    while (first == kBlackFlag && IsTag(Here())) ++at_;
    return true;
  }

  const std::vector<wire::CodePoint> points_;
  size_t at_ = 0;
};

bool IsOneEmoji(std::string_view emoji) {
  return !emoji.empty() && emoji.size() <= kMaxEmojiBytes && EmojiReader(emoji).IsOne();
}

}  // namespace

std::string NormalizeEmoji(std::string_view emoji) {
  if (!IsOneEmoji(emoji)) return std::string(emoji);
  std::string qualified;
  size_t at = 0;
  const std::vector<wire::CodePoint> points = CodePoints(emoji);
  for (size_t i = 0; i < points.size(); at += points[i].size, ++i) {
    const uint32_t c = points[i].value;
    if (c == kSelectorCode) continue;
    qualified.append(emoji.substr(at, points[i].size));
    // A skin tone makes an emoji of what is text otherwise.
    const bool toned = i + 1 < points.size() && IsSkin(points[i + 1].value);
    if ((IsText(c) && !toned) || IsKeycapBase(c)) qualified.append(kSelector);
  }
  return qualified;
}

bool IsReactionName(std::string_view emoji) {
  if (!emoji.starts_with(':')) return IsOneEmoji(emoji);
  return emoji.size() > 2 && emoji.ends_with(':') &&
         CodePoints(emoji).size() <= kMaxCustomEmojiLength;
}

}  // namespace talkjsd::emulator
