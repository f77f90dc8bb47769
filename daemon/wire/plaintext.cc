#include "daemon/wire/plaintext.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>

#include "daemon/wire/path.h"

namespace talkjsd::wire {
namespace {

bool HasEscape(std::string_view text) {
  const auto is_hex = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') || (c >= 'a' && c <= 'f');
  };
  for (size_t i = 0; i + 2 < text.size(); ++i) {
    if (text[i] == '%' && is_hex(text[i + 1]) && is_hex(text[i + 2])) return true;
  }
  return false;
}

// The last path segment of the URL, where an encoded slash separates segments too. Decoded a second
// time if escapes are left, because some stores encode names twice; what does not decode stays as
// it is.
std::string FileNameFromUrl(std::string_view url) {
  url = url.substr(0, url.find('?'));
  size_t start = 0;
  if (const size_t slash = url.rfind('/'); slash != std::string_view::npos) start = slash + 1;
  for (const std::string_view escaped_slash : {"%2F", "%2f"}) {
    const size_t at = url.rfind(escaped_slash);
    if (at != std::string_view::npos && at >= start) start = at + escaped_slash.size();
  }
  std::string name(url.substr(start));
  for (int pass = 0; pass < 2 && HasEscape(name); ++pass) {
    std::optional<std::string> decoded = DecodeSegment(name);
    if (!decoded) break;
    name = std::move(*decoded);
  }
  return name;
}

std::string FileText(const FileBlock& file) {
  if (file.subtype == "voice") {
    // A duration past a day is nonsense; without the bound, a hostile one would not fit an integer.
    if (!file.duration || !(*file.duration >= 0 && *file.duration < 86400)) return "🎙️";
    const int seconds = static_cast<int>(*file.duration);
    char length[32];
    std::snprintf(length, sizeof(length), " (%d:%02d)", seconds / 60, seconds % 60);
    return std::string("🎙️") + length;
  }
  const char* sign = "📎 ";
  if (file.subtype == "video") sign = "🎥 ";
  if (file.subtype == "image") sign = "📷 ";
  if (file.subtype == "audio") sign = "🎧 ";
  return sign + FileNameFromUrl(file.url);
}

void AppendNodes(const std::vector<TextNode>& nodes, std::string& out);

void AppendNode(const TextNode& node, std::string& out) {
  switch (node.kind) {
    case TextNode::Kind::kText:
    case TextNode::Kind::kCodeSpan:
    case TextNode::Kind::kAutoLink:
    case TextNode::Kind::kCustomEmoji:
      out += node.text;
      return;
    case TextNode::Kind::kMention:
      out += '@';
      out += node.text;
      return;
    case TextNode::Kind::kBulletList:
      out += '\n';
      AppendNodes(node.children, out);
      return;
    case TextNode::Kind::kBulletPoint:
      out += "- ";
      AppendNodes(node.children, out);
      out += '\n';
      return;
    case TextNode::Kind::kBold:
    case TextNode::Kind::kItalic:
    case TextNode::Kind::kStrikethrough:
    case TextNode::Kind::kLink:
    case TextNode::Kind::kActionLink:
    case TextNode::Kind::kActionButton:
    case TextNode::Kind::kUnknown:
      AppendNodes(node.children, out);
      return;
  }
}

void AppendNodes(const std::vector<TextNode>& nodes, std::string& out) {
  for (const TextNode& node : nodes) AppendNode(node, out);
}

}  // namespace

std::string PlainText(const std::vector<ContentBlock>& content) {
  std::string out;
  bool first = true;
  for (const ContentBlock& block : content) {
    if (block.kind == ContentBlock::Kind::kUnknown) continue;
    if (!first) out += "\n\n";
    first = false;
    switch (block.kind) {
      case ContentBlock::Kind::kText:
        AppendNodes(block.children, out);
        break;
      case ContentBlock::Kind::kFile:
        out += FileText(block.file);
        break;
      case ContentBlock::Kind::kLocation:
        out += "📍";
        break;
      case ContentBlock::Kind::kUnknown:
        break;
    }
  }
  return out;
}

}  // namespace talkjsd::wire
