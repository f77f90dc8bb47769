#include "daemon/wire/auto_link.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "daemon/wire/ascii.h"
#include "daemon/wire/link_ranges.h"
#include "daemon/wire/tlds.h"
#include "daemon/wire/utf8.h"

namespace talkjsd::wire {
namespace {

constexpr size_t kNone = std::string_view::npos;

// --- kinds of characters ---

// Letters, digits and marks. Outside of ASCII: everything but the blocks that consist of signs.
bool IsWord(CodePoint at) {
  const uint32_t c = at.value;
  if (at.size == 0) return false;
  if (c < 0x80) return IsLetter(static_cast<char>(c)) || IsDigit(static_cast<char>(c));
  if (c < 0xC0) return c == 0xAA || c == 0xB5 || c == 0xBA;
  return c != 0xD7 && c != 0xF7 && !(c >= 0x2000 && c <= 0x206F) && !(c >= 0x20A0 && c <= 0x20CF) &&
         !(c >= 0x2190 && c <= 0x2BFF) && !(c >= 0x2E00 && c <= 0x2E7F) &&
         !(c >= 0x3000 && c <= 0x3004) && !(c >= 0x3007 && c <= 0x3030) &&
         !(c >= 0xFF00 && c <= 0xFF0F) && !(c >= 0xFF1A && c <= 0xFF20) && !IsSpace(c);
}

bool IsOneOf(CodePoint at, std::string_view signs) {
  return at.size == 1 && at.value < 0x80 && signs.find(static_cast<char>(at.value)) != kNone;
}

constexpr std::string_view kFinalPunctuation = "?!:,.;^";

bool IsPath(CodePoint at) {
  return IsWord(at) || IsOneOf(at, "-+&@#/%=~_()|'$*[]{}") || IsOneOf(at, kFinalPunctuation) ||
         at.value == 0x2713;
}

bool IsMailLocal(CodePoint at) { return IsWord(at) || IsOneOf(at, "!#$%&'*+/=?^_`{|}~-"); }

// --- parts of a URL ---

// Where the text stops to be what it was read as, and whether that was enough of it.
struct Scan {
  size_t end = 0;
  bool accepted = false;
};

// Labels of words, "_" and inner "-", with a dot between two. Accepted: two labels or more.
Scan ScanHost(std::string_view text, size_t at) {
  Scan scan{at, false};
  bool after_hyphen = false;
  for (;;) {
    const CodePoint here = CodePointAt(text, scan.end);
    if (IsWord(here) || (here.value == '_' && !after_hyphen)) {
      after_hyphen = false;
      scan.end += here.size;
    } else if (here.value == '-' && here.size != 0) {
      after_hyphen = true;
      ++scan.end;
    } else if (here.value == '.' && !after_hyphen) {
      ++scan.end;
      if (!IsWord(CodePointAt(text, scan.end))) return scan;
      scan.accepted = true;
    } else {
      return scan;
    }
  }
}

// What may follow a host or an address: port, path, query, fragment.
size_t ScanSuffix(std::string_view text, size_t at) {
  if (at < text.size() && text[at] == ':') {
    ++at;
    const size_t digits = at;
    while (at < text.size() && IsDigit(text[at])) ++at;
    if (at == digits) return at;
  }
  if (!IsOneOf(CodePointAt(text, at), "/?#")) return at;
  for (CodePoint here = CodePointAt(text, at); IsPath(here); here = CodePointAt(text, at)) {
    at += here.size;
  }
  return at;
}

// A host that ended with a dot or a hyphen has no suffix.
size_t ScanSuffixOfHost(std::string_view text, size_t at) {
  return text[at - 1] == '.' || text[at - 1] == '-' ? at : ScanSuffix(text, at);
}

// The end without final punctuation and without closing brackets that were not opened.
size_t TrimEnd(std::string_view text, size_t begin, size_t end) {
  constexpr std::string_view kOpening = "([{", kClosing = ")]}";
  std::array<int, 3> open = {};
  for (const char c : text.substr(begin, end - begin)) {
    if (const size_t kind = kOpening.find(c); kind != kNone) ++open[kind];
    if (const size_t kind = kClosing.find(c); kind != kNone) --open[kind];
  }
  for (; end > begin; --end) {
    const char last = text[end - 1];
    if (const size_t kind = kClosing.find(last); kind != kNone) {
      if (open[kind] >= 0) break;
      ++open[kind];
    } else if (kFinalPunctuation.find(last) == kNone) {
      break;
    }
  }
  return end;
}

bool HasKnownTld(std::string_view host) {
  const size_t dot = host.rfind('.');
  return dot != kNone && IsTopLevelDomain(Lower(host.substr(dot + 1)));
}

// --- the kinds of links, each from one place on ---

struct Attempt {
  std::optional<FoundLink> link;
  size_t looked = 0;  // how far it got
};

Attempt TryMail(std::string_view text, size_t begin) {
  constexpr std::string_view kScheme = "mailto:";
  size_t address = begin;
  if (StartsWithIgnoringCase(text.substr(begin), kScheme)) address += kScheme.size();
  size_t at = address;
  bool after_dot = false;
  for (CodePoint here = CodePointAt(text, at);; here = CodePointAt(text, at)) {
    const bool dot = here.value == '.' && here.size != 0 && !after_dot;
    if (!dot && !IsMailLocal(here)) break;
    after_dot = dot;
    at += here.size;
  }
  const bool at_sign = at > address && !after_dot && at < text.size() && text[at] == '@';
  if (!at_sign || !IsWord(CodePointAt(text, at + 1))) return {std::nullopt, at};
  const Scan host = ScanHost(text, at + 1);
  const size_t end = TrimEnd(text, begin, host.end);
  if (!host.accepted || !HasKnownTld(text.substr(at, end - at))) return {std::nullopt, host.end};
  std::string url(kScheme);
  url.append(text.substr(address, end - address));
  return {FoundLink{begin, end, std::move(url)}, host.end};
}

// `begin`: the first letter of the host, or the two slashes before it.
Attempt TryHost(std::string_view text, size_t begin) {
  const bool slashes = text[begin] == '/';
  const Scan host = ScanHost(text, slashes ? begin + 2 : begin);
  const size_t looked = ScanSuffixOfHost(text, host.end);
  const size_t end = TrimEnd(text, begin, looked);
  const std::string_view name = text.substr(begin, std::min(end, host.end) - begin);
  if (!host.accepted || !HasKnownTld(name)) return {std::nullopt, looked};
  std::string url = slashes ? std::string() : std::string("http://");
  url.append(text.substr(begin, end - begin));
  return {FoundLink{begin, end, std::move(url)}, looked};
}

bool IsAddress(std::string_view text) {
  int numbers = 0;
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view number = text.substr(0, dot);
    if (number.empty() || number.size() > 3 || !std::all_of(number.begin(), number.end(), IsDigit))
      return false;
    if (number.size() == 3 && number > "255") return false;
    ++numbers;
    if (dot == kNone) return numbers == 4;
    text.remove_prefix(dot + 1);
  }
}

Attempt TryAddress(std::string_view text, size_t begin) {
  size_t at = begin;
  while (at < text.size() && (IsDigit(text[at]) || text[at] == '.')) ++at;
  if (at == begin || IsWord(CodePointAt(text, at))) return {std::nullopt, at};
  const size_t looked = text[at - 1] == '.' ? at : ScanSuffix(text, at);
  const size_t end = TrimEnd(text, begin, looked);
  if (!IsAddress(text.substr(begin, std::min(at, end) - begin))) return {std::nullopt, looked};
  std::string url("http://");
  url.append(text.substr(begin, end - begin));
  return {FoundLink{begin, end, std::move(url)}, looked};
}

struct SchemeAttempt {
  Attempt attempt;
  size_t colon = kNone;  // behind the scheme's name
};

// "https://" may stand anywhere in the scheme's name: what is before it does not belong to the
// link.
size_t SkipToHttp(std::string_view text, size_t begin, size_t slashes) {
  for (const std::string_view scheme : {"https:", "http:"}) {
    if (slashes - begin < scheme.size()) continue;
    const size_t start = slashes - scheme.size();
    if (StartsWithIgnoringCase(text.substr(start), scheme)) return start;
  }
  return begin;
}

SchemeAttempt TryScheme(std::string_view text, size_t begin) {
  size_t at = begin;
  for (CodePoint here = CodePointAt(text, at);
       (IsWord(here) && here.value < 0x80) || IsOneOf(here, "+-."); here = CodePointAt(text, at)) {
    ++at;
  }
  if (at >= text.size() || text[at] != ':' || text[at - 1] == '-') return {{std::nullopt, at}};
  SchemeAttempt result{{std::nullopt, at + 1}, at};
  const std::string name = Lower(text.substr(begin, at - begin));
  ++at;
  const bool authority = text.substr(at, 2) == "//";
  const size_t host_begin = authority ? at + 2 : at;
  const bool absolute = authority && host_begin < text.size() && text[host_begin] == '/';
  size_t looked = host_begin;
  size_t host_end = host_begin;
  if (!absolute) {
    if (!IsWord(CodePointAt(text, host_begin))) return result;
    host_end = ScanHost(text, host_begin).end;
    looked = ScanSuffixOfHost(text, host_end);
  } else {
    looked = ScanSuffix(text, host_begin);
  }
  result.attempt.looked = looked;
  if (name == "javascript" || name == "vbscript") return result;
  if (authority) begin = SkipToHttp(text, begin, at);
  const size_t end = TrimEnd(text, begin, looked);
  if (!authority) {
    const std::string_view host = text.substr(host_begin, std::min(end, host_end) - host_begin);
    const bool letter = std::any_of(host.begin(), host.end(),
                                    [](char c) { return IsLetter(static_cast<uint8_t>(c)); });
    if (host.find('.') == kNone || !letter) return result;
  }
  result.attempt.link = FoundLink{begin, end, std::string(text.substr(begin, end - begin))};
  return result;
}

// The URL with a scheme that begins at the letter, or at the word behind its colon:
// "see:http://...".
Attempt TrySchemes(std::string_view text, size_t at) {
  size_t looked = at;
  while (true) {
    SchemeAttempt scheme = TryScheme(text, at);
    looked = std::max(looked, scheme.attempt.looked);
    if (scheme.attempt.link) return {std::move(scheme.attempt.link), looked};
    if (scheme.colon == kNone || scheme.colon + 1 >= text.size()) return {std::nullopt, looked};
    at = scheme.colon + 1;
    if (!IsLetter(static_cast<uint8_t>(text[at]))) return {std::nullopt, looked};
  }
}

// A word character that ended an attempt begins nothing but a scheme.
size_t BehindWord(std::string_view text, size_t at) {
  const CodePoint here = CodePointAt(text, at);
  return IsWord(here) ? at + here.size : at;
}

// All URLs with a scheme that begin in [begin, limit). The limit grows with what was looked at.
void FindSchemes(std::string_view text, size_t begin, size_t& limit, std::vector<FoundLink>& out) {
  size_t at = begin;
  while (at < limit) {
    const bool starts = IsLetter(static_cast<uint8_t>(text[at])) &&
                        (at == begin || !IsLetter(static_cast<uint8_t>(text[at - 1])));
    if (!starts) {
      ++at;
      continue;
    }
    Attempt attempt = TrySchemes(text, at);
    limit = std::max(limit, BehindWord(text, attempt.looked));
    at = std::max(attempt.looked, at + 1);
    if (attempt.link) out.push_back(*std::move(attempt.link));
  }
}

// The first of those that overlap stays; of those that begin together the longest.
void KeepOuter(std::vector<FoundLink>& links) {
  std::sort(links.begin(), links.end(), [](const FoundLink& a, const FoundLink& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  size_t end = 0;
  std::erase_if(links, [&](const FoundLink& link) {
    if (link.begin < end) return true;
    end = link.end;
    return false;
  });
}

// How far digits, from a digit on, are taken for a phone number, whatever becomes of them: nothing
// but a scheme begins within.
size_t SkipPhone(std::string_view text, size_t at) {
  while (at < text.size()) {
    if (IsDigit(text[at])) {
      ++at;
      continue;
    }
    const bool pause = text[at] == ',' || text[at] == ';';
    const bool pound = text[at] == '#';
    const bool behind_pound = at > 0 && text[at - 1] == '#';
    if (pause || (pound && !behind_pound)) {
      ++at;
      const bool goes_on =
          at < text.size() && (text[at] == ',' || text[at] == ';' || (text[at] == '#' && pause) ||
                               (IsDigit(text[at]) && pause));
      if (goes_on) continue;
      return BehindWord(text, at);
    }
    const bool separator = text[at] == '-' || text[at] == '.' || text[at] == ' ';
    if (!separator) return BehindWord(text, at);
    ++at;
    if (at >= text.size() || !IsDigit(text[at])) return at;
  }
  return at;
}

// The end of a phone number that begins with a sign at `at`; `at` if none does.
size_t SkipPhoneAtSign(std::string_view text, size_t at) {
  const auto is_digit = [&](size_t i) { return i < text.size() && IsDigit(text[i]); };
  if (text[at] == '+') return is_digit(at + 1) ? SkipPhone(text, at + 1) : at;
  constexpr size_t kAreaCode = 5;  // "(555)"
  const bool area_code = text[at] == '(' && is_digit(at + 1) && is_digit(at + 2) &&
                         is_digit(at + 3) && text.substr(at + 4, 1) == ")";
  if (!area_code) return at;
  const bool pause =
      at + kAreaCode < text.size() && std::string_view(",;#").find(text[at + kAreaCode]) != kNone;
  return pause ? at + kAreaCode : SkipPhone(text, at + kAreaCode);
}

// Tries every kind of link at a word; returns how far the text was looked at.
size_t FindFromWord(std::string_view text, size_t at, std::vector<FoundLink>& out) {
  std::vector<FoundLink> found;
  size_t limit = at + CodePointAt(text, at).size;
  const bool behind_at_sign = at > 0 && text[at - 1] == '@';
  for (const auto attempt : {TryMail, TryHost, TryAddress}) {
    Attempt result = attempt(text, at);
    limit = std::max(limit, BehindWord(text, result.looked));
    if (result.link && !behind_at_sign) found.push_back(*std::move(result.link));
  }
  if (IsDigit(text[at])) limit = std::max(limit, SkipPhone(text, at));
  FindSchemes(text, at, limit, found);
  KeepOuter(found);
  std::move(found.begin(), found.end(), std::back_inserter(out));
  return limit;
}

size_t SkipTag(std::string_view text, size_t at, std::string_view more) {
  for (CodePoint here = CodePointAt(text, at); IsWord(here) || IsOneOf(here, more);
       here = CodePointAt(text, at)) {
    at += here.size;
  }
  return at;
}

std::vector<FoundLink> FindInRange(std::string_view text) {
  std::vector<FoundLink> links;
  size_t at = 0;
  while (at < text.size()) {
    const CodePoint here = CodePointAt(text, at);
    if (here.value == '#') {
      at = SkipTag(text, at + 1, "_");
    } else if (here.value == '@') {
      at = SkipTag(text, at + 1, "_.-");
    } else if (text.substr(at, 2) == "//" && IsWord(CodePointAt(text, at + 2))) {
      Attempt result = TryHost(text, at);
      if (result.link) links.push_back(*std::move(result.link));
      at = result.looked;
    } else if (IsWord(here)) {
      at = FindFromWord(text, at, links);
    } else if (const size_t end = SkipPhoneAtSign(text, at); end > at) {
      size_t limit = end;
      FindSchemes(text, at + 1, limit, links);
      // A sign that ended it begins nothing.
      const CodePoint last = CodePointAt(text, limit);
      at = IsWord(last) ? limit : limit + last.size;
    } else {
      at += here.size;
    }
  }
  return links;
}

}  // namespace

std::vector<FoundLink> FindLinks(std::string_view text) {
  std::vector<FoundLink> links;
  for (const TextRange& range : LinkRanges(text)) {
    for (FoundLink& link : FindInRange(text.substr(range.begin, range.end - range.begin))) {
      link.begin += range.begin;
      link.end += range.begin;
      links.push_back(std::move(link));
    }
  }
  return links;
}

// --- phone numbers ---

namespace {

constexpr size_t kFewestDigits = 7, kMostDigits = 13;

bool IsPhoneNeighbour(std::string_view text, size_t at) {
  if (at >= text.size()) return false;
  const char c = text[at];
  return IsDigit(c) || IsLetter(static_cast<uint8_t>(c)) || c == '_' || c == '-' || c == ':' ||
         c == '/';
}

// Positions of up to kMostDigits digits with at most one separator between two.
std::vector<size_t> ScanDigits(std::string_view text, size_t at) {
  std::vector<size_t> digits;
  while (at < text.size() && IsDigit(text[at]) && digits.size() < kMostDigits) {
    digits.push_back(at);
    ++at;
    const bool separator = at < text.size() && std::string_view("-_+ ().").find(text[at]) != kNone;
    if (separator) ++at;
  }
  return digits;
}

int Number(std::string_view digits) {
  int number = 0;
  for (const char c : digits) number = number * 10 + (c - '0');
  return number;
}

// "2010-2018"
bool IsYears(std::string_view text) {
  if (text.size() != 9 || text[4] != '-') return false;
  const std::string_view first = text.substr(0, 4), second = text.substr(5);
  return std::all_of(first.begin(), first.end(), IsDigit) &&
         std::all_of(second.begin(), second.end(), IsDigit) && Number(first) < Number(second);
}

// "9.30"
bool IsTime(std::string_view text) {
  const size_t dot = text.find('.');
  if (dot == kNone || dot < 1 || dot > 2 || text.size() != dot + 3) return false;
  const std::string_view hour = text.substr(0, dot), minute = text.substr(dot + 1);
  return std::all_of(hour.begin(), hour.end(), IsDigit) &&
         std::all_of(minute.begin(), minute.end(), IsDigit) && Number(hour) < 24 &&
         Number(minute) < 60;
}

bool IsTimes(std::string_view text) {
  const size_t dash = text.find('-');
  return dash != kNone && IsTime(text.substr(0, dash)) && IsTime(text.substr(dash + 1));
}

// The end of the longest number that begins with these digits; kNone if there is none.
size_t EndOfNumber(std::string_view text, const std::vector<size_t>& digits) {
  for (size_t count = digits.size(); count >= kFewestDigits; --count) {
    const size_t end = digits[count - 1] + 1;
    if (digits[count - 2] + 2 == end && !IsPhoneNeighbour(text, end)) return end;
  }
  return kNone;
}

}  // namespace

std::vector<FoundLink> FindPhoneNumbers(std::string_view text) {
  std::vector<FoundLink> numbers;
  size_t at = 0;
  while (at < text.size()) {
    const size_t begin = at++;
    const size_t first = text[begin] == '+' || text[begin] == '(' ? begin + 1 : begin;
    if (first >= text.size() || !IsDigit(text[first])) continue;
    if (begin > 0 && IsPhoneNeighbour(text, begin - 1)) continue;
    const size_t end = EndOfNumber(text, ScanDigits(text, first));
    if (end == kNone) continue;
    at = end;
    const std::string_view number = text.substr(begin, end - begin);
    if (IsYears(number) || IsTimes(number)) continue;
    std::string url("tel:");
    std::copy_if(number.begin(), number.end(), std::back_inserter(url),
                 [](char c) { return IsDigit(c) || c == '+'; });
    numbers.push_back({begin, end, std::move(url)});
  }
  return numbers;
}

}  // namespace talkjsd::wire
