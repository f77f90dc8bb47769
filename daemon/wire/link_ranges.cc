#include "daemon/wire/link_ranges.h"

#include <algorithm>
#include <string>

#include "daemon/wire/ascii.h"

namespace talkjsd::wire {
namespace {

constexpr size_t kNone = std::string_view::npos;

bool IsBlank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool IsQuote(char c) { return c == '"' || c == '\''; }

struct Tag {
  std::string name;  // lower case; empty for comments and declarations
  bool opens = false;
  bool closes = false;
};

// A tag, character by character. It may turn out to be none at any of them.
class TagReader {
 public:
  enum class Verdict {
    kMore,
    kDone,     // the character was the tag's last
    kNone,     // it is no tag
    kRestart,  // it is no tag, but this "<" may begin one
  };

  Verdict Read(char c) {
    switch (state_) {
      case State::kOpen:
      case State::kEndOpen:
        return ReadFirst(c);
      case State::kName:
        if (IsLetter(c) || IsDigit(c) || c == ':') {
          tag_.name.push_back(ToLower(c));
          return Verdict::kMore;
        }
        return IsBlank(c) || c == '/' || c == '>' || c == '<' ? ReadBetween(c) : Verdict::kNone;
      case State::kBeforeAttribute:
        if (IsQuote(c) || c == '=') return Verdict::kNone;
        return ReadBetween(c);
      case State::kAttribute:
      case State::kAfterAttribute:
        if (IsQuote(c)) return Verdict::kNone;
        if (c == '=') return Go(State::kBeforeValue);
        if (IsBlank(c)) return Go(State::kAfterAttribute);
        return ReadBetween(c);
      case State::kBeforeValue:
        return ReadBeforeValue(c);
      case State::kQuotedValue:
        return c == quote_ ? Go(State::kAfterQuoted) : Verdict::kMore;
      case State::kValue:
        if (c == '>' || c == '<' || IsBlank(c)) return ReadBetween(c);
        return Verdict::kMore;
      case State::kAfterQuoted:
        if (IsQuote(c) || c == '=') return Verdict::kNone;
        return ReadBetween(c);
      case State::kSlash:
        if (c != '>') return Verdict::kNone;
        tag_.closes = true;
        return Verdict::kDone;
    }
    return Verdict::kNone;
  }

  const Tag& tag() const { return tag_; }

 private:
  enum class State {
    kOpen,
    kEndOpen,
    kName,
    kBeforeAttribute,
    kAttribute,
    kAfterAttribute,
    kBeforeValue,
    kQuotedValue,
    kValue,
    kAfterQuoted,
    kSlash,
  };

  Verdict Go(State state) {
    state_ = state;
    return Verdict::kMore;
  }

  // Behind "<" or "</".
  Verdict ReadFirst(char c) {
    const bool end_tag = state_ == State::kEndOpen;
    if (c == '/' && !end_tag) return Go(State::kEndOpen);
    if (c == '<' && !end_tag) return Verdict::kRestart;
    if (!IsLetter(c)) return Verdict::kNone;
    (end_tag ? tag_.closes : tag_.opens) = true;
    tag_.name.push_back(ToLower(c));
    return Go(State::kName);
  }

  // Where an attribute may begin.
  Verdict ReadBetween(char c) {
    if (c == '>') return Verdict::kDone;
    if (c == '<') return Verdict::kRestart;
    if (c == '/') return Go(State::kSlash);
    if (IsBlank(c)) return Go(State::kBeforeAttribute);
    return Go(State::kAttribute);
  }

  Verdict ReadBeforeValue(char c) {
    if (IsBlank(c)) return Verdict::kMore;
    if (c == '<') return Verdict::kRestart;
    if (c == '>' || c == '=' || c == '`') return Verdict::kNone;
    if (!IsQuote(c)) return Go(State::kValue);
    quote_ = c;
    return Go(State::kQuotedValue);
  }

  State state_ = State::kOpen;
  char quote_ = 0;
  Tag tag_;
};

// The length of the comment or declaration that the text begins with: 0 if there is none, kNone if
// it has no end.
size_t DeclarationSize(std::string_view text) {
  if (StartsWithIgnoringCase(text, "<!doctype")) {
    const size_t end = text.find_first_of("<>", 2);
    if (end == kNone) return kNone;
    return text[end] == '<' ? 0 : end + 1;
  }
  if (!text.starts_with("<!--") || text.starts_with("<!-->") || text.starts_with("<!--->")) {
    return 0;
  }
  const size_t end = std::min(text.find("-->", 4), text.find("--!>", 4));
  return end == kNone ? kNone : text.find('>', end) + 1;
}

// The length of the reference at `at`, 0 if there is none.
size_t ReferenceAt(std::string_view text, size_t at) {
  for (const std::string_view reference :
       {"&nbsp;", "&#160;", "&lt;", "&#60;", "&gt;", "&#62;", "&quot;", "&#34;", "&#39;"}) {
    if (StartsWithIgnoringCase(text.substr(at), reference)) return reference.size();
  }
  return 0;
}

class RangeReader {
 public:
  explicit RangeReader(std::string_view text) : text_(text) {}

  std::vector<TextRange> Read() && {
    size_t at = text_.find('<');
    while (at != kNone) {
      const size_t behind = Skip(at);
      if (behind == kNone) break;
      at = text_.find('<', behind);
    }
    AddText(text_.size());
    return std::move(ranges_);
  }

 private:
  // What begins with the "<" at `at`; returns where to look for the next, kNone for nowhere: what
  // has no end is text.
  size_t Skip(size_t at) {
    if (text_.substr(at).starts_with("<!")) {
      const size_t size = DeclarationSize(text_.substr(at));
      if (size == 0) return text_.substr(at + 2, 1) == "<" ? at + 3 : at + 1;
      if (size == kNone) return kNone;
      AddText(at);
      return done_ = at + size;
    }
    TagReader reader;
    for (size_t i = at + 1; i < text_.size(); ++i) {
      switch (reader.Read(text_[i])) {
        case TagReader::Verdict::kMore:
          break;
        case TagReader::Verdict::kDone:
          AddText(at);
          done_ = i + 1;
          Enter(reader.tag());
          return done_;
        case TagReader::Verdict::kNone:
          return i + 1;
        case TagReader::Verdict::kRestart:
          return i;
      }
    }
    return kNone;
  }

  void Enter(const Tag& tag) {
    if (tag.name != "a" && tag.name != "style" && tag.name != "script") return;
    if (tag.opens) ++hidden_;
    if (tag.closes && hidden_ > 0) --hidden_;
  }

  // The text from where the last tag ended.
  void AddText(size_t end) {
    if (hidden_ > 0) return;
    const std::string_view text = text_.substr(0, end);
    size_t begin = done_;
    for (size_t at = text.find('&', begin); at != kNone; at = text.find('&', at + 1)) {
      const size_t size = ReferenceAt(text, at);
      if (size == 0) continue;
      AddRange(begin, at);
      begin = at + size;
    }
    AddRange(begin, end);
  }

  void AddRange(size_t begin, size_t end) {
    if (begin < end) ranges_.push_back({begin, end});
  }

  const std::string_view text_;
  std::vector<TextRange> ranges_;
  size_t done_ = 0;    // behind the last tag
  size_t hidden_ = 0;  // elements that are open, and in which nothing is looked for
};

}  // namespace

std::vector<TextRange> LinkRanges(std::string_view text) { return RangeReader(text).Read(); }

}  // namespace talkjsd::wire
