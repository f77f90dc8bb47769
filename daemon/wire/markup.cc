#include "daemon/wire/markup.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <optional>
#include <utility>

#include "daemon/wire/ascii.h"
#include "daemon/wire/auto_link.h"
#include "daemon/wire/path.h"
#include "daemon/wire/utf8.h"

namespace talkjsd::wire {
namespace {

using Kind = TextNode::Kind;
using Nodes = std::vector<TextNode>;

constexpr size_t kNone = std::string_view::npos;

// --- building ---

void AddText(Nodes& nodes, std::string_view text) {
  if (text.empty()) return;
  if (!nodes.empty() && nodes.back().kind == Kind::kText) {
    nodes.back().text.append(text);
  } else {
    nodes.emplace_back().text.assign(text);
  }
}

void AddAll(Nodes& nodes, Nodes more) {
  for (TextNode& node : more) {
    if (node.kind == Kind::kText) {
      AddText(nodes, node.text);
    } else {
      nodes.push_back(std::move(node));
    }
  }
}

TextNode Leaf(Kind kind, std::string_view text) {
  TextNode node;
  node.kind = kind;
  node.text = text;
  return node;
}

TextNode Parent(Kind kind, Nodes children) {
  TextNode node;
  node.kind = kind;
  node.children = std::move(children);
  return node;
}

// --- searching ---

// Finds what comes next from places that only move forward, and remembers it, so that many searches
// in a row look at each character once.
class Finder {
 public:
  Finder(std::string_view text, std::string_view signs) : text_(text), signs_(signs) {}

  // The first of the signs at or behind `from`.
  size_t From(size_t from) {
    if (found_ == kNone && searched_) return kNone;
    if (!searched_ || found_ < from) {
      found_ = text_.find_first_of(signs_, from);
      searched_ = true;
    }
    return found_;
  }

 private:
  const std::string_view text_;
  const std::string_view signs_;
  bool searched_ = false;
  size_t found_ = kNone;
};

// --- <...> ---

struct Token {
  TextNode node;
  size_t end = 0;  // behind its ">"
};

// Reads tokens of one kind from one text, at places that only move forward.
class TokenReader {
 public:
  explicit TokenReader(std::string_view text)
      : text_(text), bar_(text, "|"), closing_(text, ">"), id_end_(text, "|> \t\r\f\v\n") {}

  // All take the place of a "<".
  std::optional<Token> Mention(size_t at) {
    constexpr std::string_view kStart = "<!!mention:";
    if (!text_.substr(at).starts_with(kStart)) return std::nullopt;
    const size_t begin = at + kStart.size();
    const size_t bar = id_end_.From(begin);
    if (bar == kNone || text_[bar] != '|') return std::nullopt;
    const size_t end = closing_.From(bar);
    if (end == kNone) return std::nullopt;
    auto id = DecodeSegment(text_.substr(begin, bar - begin));
    if (!id) return std::nullopt;
    TextNode node = Leaf(Kind::kMention, text_.substr(bar + 1, end - bar - 1));
    node.id = *std::move(id);
    return Token{std::move(node), end + 1};
  }

  std::optional<Token> CustomEmoji(size_t at) {
    constexpr std::string_view kStart = "<!!customemoji:";
    if (!text_.substr(at).starts_with(kStart)) return std::nullopt;
    const size_t begin = at + kStart.size();
    const size_t end = closing_.From(begin);
    if (end == kNone) return std::nullopt;
    return Token{Leaf(Kind::kCustomEmoji, text_.substr(begin, end - begin)), end + 1};
  }

  std::optional<Token> Link(size_t at) {
    const std::string_view rest = text_.substr(at);
    const bool known = StartsWithIgnoringCase(rest, "<http:") ||
                       StartsWithIgnoringCase(rest, "<https:") ||
                       StartsWithIgnoringCase(rest, "<mailto:");
    if (!known) return std::nullopt;
    auto token = WithLabel(Kind::kLink, at + 1);
    if (token) token->node.url = text_.substr(at + 1, bar_.From(at) - at - 1);
    return token;
  }

  std::optional<Token> Action(size_t at) {
    constexpr std::string_view kLink = "<actionlink:", kButton = "<actionbutton:";
    const std::string_view rest = text_.substr(at);
    const bool link = StartsWithIgnoringCase(rest, kLink);
    if (!link && !StartsWithIgnoringCase(rest, kButton)) return std::nullopt;
    const size_t begin = at + (link ? kLink : kButton).size();
    auto token = WithLabel(link ? Kind::kActionLink : Kind::kActionButton, begin);
    if (!token) return std::nullopt;
    const std::string_view target = text_.substr(begin, bar_.From(begin) - begin);
    const size_t question = target.find('?');
    token->node.action = target.substr(0, question);
    if (token->node.action.empty()) return std::nullopt;
    if (question != kNone) token->node.params = ParseQuery(target.substr(question + 1));
    return token;
  }

 private:
  // "target|label>", with the label as the only child.
  std::optional<Token> WithLabel(Kind kind, size_t begin) {
    const size_t bar = bar_.From(begin);
    if (bar == kNone) return std::nullopt;
    const size_t end = closing_.From(bar);
    if (end == kNone) return std::nullopt;
    TextNode node = Parent(kind, {});
    AddText(node.children, text_.substr(bar + 1, end - bar - 1));
    return Token{std::move(node), end + 1};
  }

  // As the query of a URL; the last of several values wins.
  static CustomMap ParseQuery(std::string_view query) {
    const auto decode = [](std::string_view part) {
      std::string text(part);
      std::replace(text.begin(), text.end(), '+', ' ');
      return DecodeSegment(text).value_or(text);
    };
    CustomMap params;
    while (!query.empty()) {
      const size_t end = query.find('&');
      const std::string_view pair = query.substr(0, end);
      const size_t equals = pair.find('=');
      if (!pair.empty()) {
        params[decode(pair.substr(0, equals))] =
            equals == kNone ? std::string() : decode(pair.substr(equals + 1));
      }
      query = end == kNone ? std::string_view() : query.substr(end + 1);
    }
    return params;
  }

  const std::string_view text_;
  Finder bar_;
  Finder closing_;
  Finder id_end_;
};

using ReadToken = std::optional<Token> (TokenReader::*)(size_t at);

void SplitTokens(std::string_view text, ReadToken read, Nodes& out) {
  TokenReader reader(text);
  size_t done = 0;
  for (size_t at = text.find('<'); at != kNone; at = text.find('<', at)) {
    auto token = (reader.*read)(at);
    if (!token) {
      ++at;
      continue;
    }
    AddText(out, text.substr(done, at - done));
    out.push_back(std::move(token->node));
    at = done = token->end;
  }
  AddText(out, text.substr(done));
}

// --- emphasis ---

constexpr std::string_view kEmphasisSigns = "*_~";
constexpr std::array<Kind, 3> kEmphasisKinds = {Kind::kBold, Kind::kItalic, Kind::kStrikethrough};

// White space and punctuation next to which emphasis may begin and end. Not next to: " + = `, and
// most of what is not Latin.
bool IsBoundary(uint32_t c) {
  if (IsSpace(c)) return true;
  if (c < 0x80) {
    constexpr std::string_view kSigns = "!#$%&'()*,-./:;<>?@[\\]^_{|}~";
    return kSigns.find(static_cast<char>(c)) != kNone;
  }
  if (c < 0xC0) return c > 0xA0 && c != 0xAA && c != 0xB5 && c != 0xBA;
  return c == 0xD7 || c == 0xF7 || (c >= 0x2010 && c <= 0x2027) || (c >= 0x2030 && c <= 0x205E) ||
         (c >= 0x20A0 && c <= 0x20CF);
}

// The places of one sign that can close: behind the content's last character and before a boundary.
class Closers {
 public:
  Closers(std::string_view text, char sign) : text_(text), sign_(sign) {}

  bool Closes(size_t at) const {
    if (at == 0 || at >= text_.size() || text_[at] != sign_) return false;
    const uint32_t before = CodePointBefore(text_, at).value;
    if (IsSpace(before) || before == static_cast<uint8_t>(sign_)) return false;
    const CodePoint after = CodePointAt(text_, at + 1);
    return after.size == 0 || IsBoundary(after.value);
  }

  // The first at or behind `from`; `from` only grows.
  size_t From(size_t from) {
    if (next_ != kNone && next_ < from) next_ = from;
    while (next_ != kNone && !Closes(next_)) {
      next_ = text_.find(sign_, next_ + 1);
    }
    return next_;
  }

 private:
  const std::string_view text_;
  const char sign_;
  size_t next_ = 0;
};

// Recursion ends soon: within one sign's emphasis the same sign cannot close again.
void SplitEmphasis(std::string_view text, Nodes& out) {
  std::array<Closers, 3> closers = {Closers(text, '*'), Closers(text, '_'), Closers(text, '~')};
  size_t done = 0;
  size_t at = text.find_first_of(kEmphasisSigns);
  while (at != kNone) {
    const size_t kind = kEmphasisSigns.find(text[at]);
    const CodePoint before = CodePointBefore(text, at);
    const bool may_open = at == 0 || (IsBoundary(before.value) && at >= done + before.size);
    const CodePoint first = CodePointAt(text, at + 1);
    size_t close = kNone;
    if (may_open && first.size != 0 && !IsSpace(first.value) &&
        first.value != static_cast<uint8_t>(text[at])) {
      // Two characters or more first; one only if that fails.
      const size_t behind_first = at + 1 + first.size;
      close = closers[kind].From(behind_first + 1);
      if (close == kNone && closers[kind].Closes(behind_first)) close = behind_first;
    }
    if (close == kNone) {
      at = text.find_first_of(kEmphasisSigns, at + 1);
      continue;
    }
    if (at > 0) {
      // TalkJS's parser replaces the character before the sign with a space.
      AddText(out, text.substr(done, at - before.size - done));
      AddText(out, " ");
    }
    TextNode& node = out.emplace_back(Parent(kEmphasisKinds[kind], {}));
    SplitEmphasis(text.substr(at + 1, close - at - 1), node.children);
    done = close + 1;
    at = text.find_first_of(kEmphasisSigns, done);
  }
  AddText(out, text.substr(done));
}

// --- automatic links ---

void SplitLinks(std::string_view text, const std::vector<FoundLink>& links, Nodes& out) {
  size_t done = 0;
  for (const FoundLink& link : links) {
    AddText(out, text.substr(done, link.begin - done));
    out.push_back(Leaf(Kind::kAutoLink, text.substr(link.begin, link.end - link.begin)));
    out.back().url = link.url;
    done = link.end;
  }
  AddText(out, text.substr(done));
}

// --- lines ---

using Split = std::function<void(std::string_view text, Nodes& out)>;

// Replaces every string of the nodes, nested ones included, by what `split` makes of it.
Nodes SplitStrings(Nodes nodes, const Split& split, bool within_links) {
  Nodes out;
  for (TextNode& node : nodes) {
    if (node.kind == Kind::kText) {
      split(node.text, out);
      continue;
    }
    const bool link = node.kind == Kind::kLink || node.kind == Kind::kActionLink ||
                      node.kind == Kind::kActionButton;
    if (!link || within_links) {
      node.children = SplitStrings(std::move(node.children), split, within_links);
    }
    out.push_back(std::move(node));
  }
  return out;
}

Split Tokens(ReadToken read) {
  return [read](std::string_view text, Nodes& out) { SplitTokens(text, read, out); };
}

Nodes ParseLine(std::string_view line, MarkupMode mode) {
  Nodes nodes;
  AddText(nodes, line);
  if (line.find('<') != kNone) {
    nodes = SplitStrings(std::move(nodes), Tokens(&TokenReader::Mention), true);
    nodes = SplitStrings(std::move(nodes), Tokens(&TokenReader::CustomEmoji), true);
    if (mode == MarkupMode::kFull) {
      nodes = SplitStrings(std::move(nodes), Tokens(&TokenReader::Link), true);
      nodes = SplitStrings(std::move(nodes), Tokens(&TokenReader::Action), true);
    }
  }
  if (line.find_first_of(kEmphasisSigns) != kNone) {
    nodes = SplitStrings(std::move(nodes), SplitEmphasis, true);
  }
  const Split links = [](std::string_view text, Nodes& out) {
    SplitLinks(text, FindLinks(text), out);
  };
  const Split phones = [](std::string_view text, Nodes& out) {
    SplitLinks(text, FindPhoneNumbers(text), out);
  };
  nodes = SplitStrings(std::move(nodes), links, false);
  return SplitStrings(std::move(nodes), phones, false);
}

void ParseLines(std::string_view text, MarkupMode mode, Nodes& out) {
  while (true) {
    const size_t newline = text.find('\n');
    AddAll(out, ParseLine(text.substr(0, newline), mode));
    if (newline == kNone) return;
    AddText(out, "\n");
    text.remove_prefix(newline + 1);
  }
}

// --- code ---

// What the raw text of code shows of mentions and custom emoji.
std::string CodeText(std::string_view raw) {
  Nodes nodes;
  AddText(nodes, raw);
  nodes = SplitStrings(std::move(nodes), Tokens(&TokenReader::Mention), true);
  nodes = SplitStrings(std::move(nodes), Tokens(&TokenReader::CustomEmoji), true);
  std::string text;
  for (const TextNode& node : nodes) {
    if (node.kind == Kind::kMention) text.push_back('@');
    text.append(node.text);
  }
  return text;
}

void ParseCode(std::string_view text, MarkupMode mode, Nodes& out) {
  constexpr std::string_view kFence = "```";
  size_t open = text.find(kFence);
  while (open != kNone) {
    const size_t begin = open + kFence.size();
    // The content is one character at least.
    const size_t close = text.find(kFence, begin + 1);
    if (close == kNone) break;
    ParseLines(text.substr(0, open), mode, out);
    out.push_back(Leaf(Kind::kCodeSpan, CodeText(text.substr(begin, close - begin))));
    text.remove_prefix(close + kFence.size());
    open = text.find(kFence);
  }
  ParseLines(text, mode, out);
}

// --- bullet lists ---

size_t SkipSpace(std::string_view text, size_t at) {
  for (CodePoint here = CodePointAt(text, at); here.size != 0 && IsSpace(here.value);
       here = CodePointAt(text, at)) {
    at += here.size;
  }
  return at;
}

struct Bullet {
  std::string_view text;
  size_t end = 0;  // behind its newline
};

// A list's line that begins at `marker`, which is behind its white space.
std::optional<Bullet> ReadBullet(std::string_view text, size_t marker) {
  if (marker >= text.size() || std::string_view("-*+").find(text[marker]) == kNone) {
    return std::nullopt;
  }
  const CodePoint space = CodePointAt(text, marker + 1);
  if (space.size == 0 || !IsSpace(space.value)) return std::nullopt;
  size_t begin = SkipSpace(text, marker + 1);
  if (begin == text.size()) {
    // Nothing but white space follows: its last character is the text, unless that is the one
    // behind the marker.
    while (begin > marker + 1 && text[begin - 1] == '\n') --begin;
    begin -= CodePointBefore(text, begin).size;
    if (begin < marker + 1 + space.size) return std::nullopt;
  }
  const size_t newline = text.find('\n', begin);
  return Bullet{text.substr(begin, newline - begin), newline == kNone ? text.size() : newline + 1};
}

void ParseBlocks(std::string_view text, MarkupMode mode, Nodes& out) {
  size_t done = 0;
  size_t line = 0;  // the beginning of a line, or the newline before it
  while (line < text.size()) {
    const size_t marker = SkipSpace(text, line);
    auto bullet = ReadBullet(text, marker);
    if (!bullet) {
      line = text.find('\n', marker);
      if (line == kNone) break;
      continue;
    }
    ParseCode(text.substr(done, line - done), mode, out);
    TextNode& list = out.emplace_back(Parent(Kind::kBulletList, {}));
    while (bullet) {
      Nodes children;
      ParseCode(bullet->text, mode, children);
      list.children.push_back(Parent(Kind::kBulletPoint, std::move(children)));
      done = bullet->end;
      bullet = ReadBullet(text, SkipSpace(text, done));
    }
    line = text.find('\n', done);
    if (line == kNone) break;
  }
  ParseCode(text.substr(done), mode, out);
}

// --- back to text ---

void Write(const Nodes& nodes, std::string& out);

void WriteWithin(std::string_view before, const TextNode& node, std::string_view after,
                 std::string& out) {
  out.append(before);
  Write(node.children, out);
  out.append(after);
}

void WriteNode(const TextNode& node, std::string& out) {
  switch (node.kind) {
    case Kind::kText:
    case Kind::kAutoLink:
    case Kind::kCustomEmoji:
      out.append(node.text);
      return;
    case Kind::kCodeSpan:
      out.append("```").append(node.text).append("```");
      return;
    case Kind::kMention:
      out.append("@").append(node.text);
      return;
    case Kind::kBold:
      return WriteWithin("*", node, "*", out);
    case Kind::kItalic:
      return WriteWithin("_", node, "_", out);
    case Kind::kStrikethrough:
      return WriteWithin("~", node, "~", out);
    case Kind::kBulletList:
      return WriteWithin("\n", node, "", out);
    case Kind::kBulletPoint:
      return WriteWithin("- ", node, "\n", out);
    case Kind::kLink:
      out.append("<").append(node.url).append("|");
      return WriteWithin("", node, ">", out);
    case Kind::kActionLink:
    case Kind::kActionButton:
    case Kind::kUnknown:
      return WriteWithin("", node, "", out);
  }
}

void Write(const Nodes& nodes, std::string& out) {
  for (const TextNode& node : nodes) WriteNode(node, out);
}

}  // namespace

std::vector<TextNode> ParseMarkup(std::string_view text, MarkupMode mode) {
  Nodes nodes;
  ParseBlocks(text, mode, nodes);
  return nodes;
}

std::string MarkupOf(const std::vector<TextNode>& nodes) {
  std::string text;
  Write(nodes, text);
  return text;
}

}  // namespace talkjsd::wire
