// Content blocks and text nodes (realtime.md 8.5).
#include <array>
#include <cmath>

#include "daemon/wire/json_reader.h"

namespace talkjsd::wire {
namespace {

using Kind = TextNode::Kind;

struct NodeName {
  Kind kind;
  std::string_view name;        // received, and what this side writes
  std::string_view lower_name;  // also accepted: what the SDK's own text parser writes
};

constexpr std::array<NodeName, 12> kNodeNames = {{
    {Kind::kBold, "bold", "bold"},
    {Kind::kItalic, "italic", "italic"},
    {Kind::kStrikethrough, "strikethrough", "strikethrough"},
    {Kind::kBulletList, "bulletList", "bulletlist"},
    {Kind::kBulletPoint, "bulletPoint", "bulletpoint"},
    {Kind::kCodeSpan, "codeSpan", "codespan"},
    {Kind::kAutoLink, "autoLink", "autolink"},
    {Kind::kLink, "link", "link"},
    {Kind::kActionLink, "actionLink", "actionlink"},
    {Kind::kActionButton, "actionButton", "actionbutton"},
    {Kind::kMention, "mention", "mention"},
    {Kind::kCustomEmoji, "customEmoji", "customemoji"},
}};

absl::Status ReadNodes(const json::value& value, std::vector<TextNode>& out);

// Lets ObjectReader read children without a ReadValue that all of the room could see.
struct Nodes {
  std::vector<TextNode>& list;
};
absl::Status ReadValue(const json::value& value, Nodes& out) { return ReadNodes(value, out.list); }

void ReadNodeProperties(ObjectReader& reader, TextNode& node) {
  Nodes children{node.children};
  switch (node.kind) {
    case Kind::kText:
      break;
    case Kind::kBold:
    case Kind::kItalic:
    case Kind::kStrikethrough:
    case Kind::kBulletList:
    case Kind::kBulletPoint:
      reader.Required("children", children);
      break;
    case Kind::kCodeSpan:
    case Kind::kCustomEmoji:
      reader.Required("text", node.text);
      break;
    case Kind::kAutoLink:
      reader.Required("url", node.url);
      reader.Required("text", node.text);
      break;
    case Kind::kLink:
      reader.Required("url", node.url);
      reader.Required("children", children);
      break;
    case Kind::kActionLink:
    case Kind::kActionButton:
      reader.Required("action", node.action);
      reader.OrDefault("params", node.params);
      reader.Required("children", children);
      break;
    case Kind::kMention:
      reader.Required("id", node.id);
      reader.Required("text", node.text);
      break;
    case Kind::kUnknown:
      break;
  }
}

// Of a block or node that a newer TalkJS may have.
std::string KeepJson(const json::value& value, const std::string& type) {
  std::string text = json::serialize(value);
  // A number past the range of double (1e999) is read, but what is written for it cannot be read
  // again.
  if (!ParseJson(text).ok()) text = json::serialize(json::object{{"type", type}});
  return text;
}

// Whatever it is made of, it is no error.
TextNode ReadUnknownNode(const json::value& value, const std::string& type) {
  TextNode node;
  node.kind = Kind::kUnknown;
  node.text = KeepJson(value, type);
  const json::value* children = value.get_object().if_contains("children");
  if (children != nullptr && !ReadNodes(*children, node.children).ok()) node.children.clear();
  const json::value* text = value.get_object().if_contains("text");
  if (text != nullptr && text->is_string()) {
    node.children.emplace_back().text = std::string(text->get_string());
  }
  return node;
}

// Appends what the value stands for to `out`.
absl::Status ReadNode(const json::value& value, std::vector<TextNode>& out) {
  if (const json::string* text = value.if_string()) {
    out.emplace_back().text.assign(text->data(), text->size());
    return absl::OkStatus();
  }
  if (!value.is_object()) return TypeError("neither a string nor an object");
  ObjectReader reader(value);
  std::string type;
  reader.Required("type", type);
  if (!reader.status().ok()) return reader.status();
  for (const NodeName& entry : kNodeNames) {
    if (type != entry.name && type != entry.lower_name) continue;
    TextNode node;
    node.kind = entry.kind;
    ReadNodeProperties(reader, node);
    if (!reader.status().ok()) return InProperty(type, reader.status());
    out.push_back(std::move(node));
    return absl::OkStatus();
  }
  out.push_back(ReadUnknownNode(value, type));
  return absl::OkStatus();
}

absl::Status ReadNodes(const json::value& value, std::vector<TextNode>& out) {
  const json::array* array = value.if_array();
  if (array == nullptr) return TypeError("not an array");
  for (const json::value& item : *array) {
    if (absl::Status status = ReadNode(item, out); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ReadFile(ObjectReader& reader, FileBlock& file) {
  // A block that is being sent has nothing but its token.
  reader.Required("fileToken", file.file_token);
  reader.OrDefault("subtype", file.subtype);
  reader.OrDefault("url", file.url);
  reader.OrDefault("filename", file.filename);
  reader.OrDefault("size", file.size);
  reader.OrDefault("width", file.width);
  reader.OrDefault("height", file.height);
  reader.OrDefault("duration", file.duration);
  return reader.status();
}

absl::Status ReadBlock(const json::value& value, ContentBlock& block) {
  ObjectReader reader(value);
  std::string type;
  reader.Required("type", type);
  if (!reader.status().ok()) return reader.status();
  if (type == "text") {
    block.kind = ContentBlock::Kind::kText;
    Nodes children{block.children};
    reader.Required("children", children);
  } else if (type == "file") {
    block.kind = ContentBlock::Kind::kFile;
    return ReadFile(reader, block.file);
  } else if (type == "location") {
    block.kind = ContentBlock::Kind::kLocation;
    reader.Required("latitude", block.latitude);
    reader.Required("longitude", block.longitude);
  } else {
    block.kind = ContentBlock::Kind::kUnknown;
    block.unknown_json = KeepJson(value, type);
  }
  return reader.status();
}

// Whole numbers without a fraction, as JavaScript prints them.
json::value EncodeNumber(double number) {
  constexpr double kExact = 9007199254740992.0;
  if (std::abs(number) <= kExact && std::trunc(number) == number) {
    return static_cast<int64_t>(number);
  }
  return number;
}

json::array EncodeNodes(const std::vector<TextNode>& nodes);

json::value EncodeNode(const TextNode& node) {
  if (node.kind == Kind::kText) return json::value(node.text);
  if (node.kind == Kind::kUnknown) return ParseJson(node.text).value_or(json::object());
  json::object out;
  for (const NodeName& entry : kNodeNames) {
    if (entry.kind == node.kind) out["type"] = entry.name;
  }
  switch (node.kind) {
    case Kind::kText:
    case Kind::kUnknown:
      break;
    case Kind::kCodeSpan:
    case Kind::kCustomEmoji:
      out["text"] = node.text;
      return out;
    case Kind::kAutoLink:
      out["url"] = node.url;
      out["text"] = node.text;
      return out;
    case Kind::kMention:
      out["id"] = node.id;
      out["text"] = node.text;
      return out;
    case Kind::kLink:
      out["url"] = node.url;
      break;
    case Kind::kActionLink:
    case Kind::kActionButton:
      out["action"] = node.action;
      out["params"] = EncodeCustom(node.params);
      break;
    case Kind::kBold:
    case Kind::kItalic:
    case Kind::kStrikethrough:
    case Kind::kBulletList:
    case Kind::kBulletPoint:
      break;
  }
  out["children"] = EncodeNodes(node.children);
  return out;
}

json::array EncodeNodes(const std::vector<TextNode>& nodes) {
  json::array out;
  out.reserve(nodes.size());
  for (const TextNode& node : nodes) out.push_back(EncodeNode(node));
  return out;
}

json::object EncodeFile(const FileBlock& file) {
  json::object out;
  out["type"] = "file";
  if (!file.subtype.empty()) out["subtype"] = file.subtype;
  out["fileToken"] = file.file_token;
  // A block that is being sent: the token says all.
  if (file == FileBlock{.subtype = file.subtype, .file_token = file.file_token}) return out;
  out["url"] = file.url;
  out["filename"] = file.filename;
  out["size"] = file.size;
  if (file.width) out["width"] = EncodeNumber(*file.width);
  if (file.height) out["height"] = EncodeNumber(*file.height);
  if (file.duration) out["duration"] = EncodeNumber(*file.duration);
  return out;
}

}  // namespace

absl::Status ReadValue(const json::value& value, std::vector<ContentBlock>& out) {
  const json::array* array = value.if_array();
  if (array == nullptr) return TypeError("not an array");
  out.reserve(array->size());
  for (const json::value& item : *array) {
    if (absl::Status status = ReadBlock(item, out.emplace_back()); !status.ok()) {
      return InProperty("block " + std::to_string(out.size() - 1), status);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<ContentBlock>> DecodeContent(const json::value& value) {
  return Decode<std::vector<ContentBlock>>(value);
}

json::array EncodeContent(const std::vector<ContentBlock>& content) {
  json::array out;
  for (const ContentBlock& block : content) {
    switch (block.kind) {
      case ContentBlock::Kind::kText:
        out.push_back(json::object{{"type", "text"}, {"children", EncodeNodes(block.children)}});
        break;
      case ContentBlock::Kind::kFile:
        out.push_back(EncodeFile(block.file));
        break;
      case ContentBlock::Kind::kLocation:
        out.push_back(json::object{{"type", "location"},
                                   {"latitude", EncodeNumber(block.latitude)},
                                   {"longitude", EncodeNumber(block.longitude)}});
        break;
      case ContentBlock::Kind::kUnknown:
        if (absl::StatusOr<json::value> value = ParseJson(block.unknown_json); value.ok()) {
          out.push_back(std::move(*value));
        }
        break;
    }
  }
  return out;
}

}  // namespace talkjsd::wire
