#include "daemon/emulator/model/content.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>
#include <string_view>

#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace {

using Kind = wire::TextNode::Kind;

std::string Lower(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

std::string Digits(std::string_view text) {
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits),
               [](unsigned char c) { return std::isdigit(c) || c == '+'; });
  return digits;
}

// A URL, or what is visible of one.
struct UrlParts {
  std::string scheme;     // lower case; empty if there is none
  std::string host;       // lower case, with the port
  std::string_view rest;  // from the path on
};

UrlParts SplitUrl(std::string_view url) {
  constexpr std::string_view kSlashes = "://";
  UrlParts parts;
  if (const size_t scheme = url.find(kSlashes); scheme != std::string_view::npos) {
    parts.scheme = Lower(url.substr(0, scheme));
    url.remove_prefix(scheme + kSlashes.size());
  } else if (url.starts_with("//")) {
    url.remove_prefix(2);
  }
  const size_t end = std::min(url.find_first_of("/?#"), url.size());
  std::string_view host = url.substr(0, end);
  if (const size_t user = host.rfind('@'); user != std::string_view::npos) {
    host.remove_prefix(user + 1);
  }
  parts.host = Lower(host);
  parts.rest = url.substr(end);
  return parts;
}

// What the text shows of the address must be so: whoever clicks it knows where it leads.
bool LinkAgrees(std::string_view url, std::string_view text) {
  constexpr std::string_view kMail = "mailto:", kPhone = "tel:";
  const std::string lower = Lower(url);
  if (lower.starts_with(kMail)) {
    const std::string shown = Lower(text);
    return shown == lower || shown == lower.substr(kMail.size());
  }
  if (lower.starts_with(kPhone)) return Digits(url) == Digits(text);
  for (const std::string_view script : {"javascript:", "vbscript:", "data:"}) {
    if (lower.starts_with(script)) return false;
  }
  if (url == text) return true;
  const UrlParts target = SplitUrl(url);
  const UrlParts shown = SplitUrl(text);
  if (target.host.empty() || target.host != shown.host) return false;
  const bool web = target.scheme == "http" || target.scheme == "https";
  if (shown.scheme.empty() ? !web : shown.scheme != target.scheme) return false;
  return shown.rest.empty() || shown.rest == target.rest;
}

bool HasUnknownKind(const std::vector<wire::TextNode>& nodes) {
  return std::any_of(nodes.begin(), nodes.end(), [](const wire::TextNode& node) {
    return node.kind == Kind::kUnknown || HasUnknownKind(node.children);
  });
}

absl::Status CheckNodes(const std::vector<wire::TextNode>& nodes, const ContentRules& rules) {
  for (const wire::TextNode& node : nodes) {
    const bool restricted = node.kind == Kind::kLink || node.kind == Kind::kActionLink ||
                            node.kind == Kind::kActionButton;
    if (restricted && !rules.users_may_send_links) {
      return Refuse(403, "UNAUTHORIZED_TO_SEND", "links and actions are not permitted for users");
    }
    if (node.kind == Kind::kAutoLink && !LinkAgrees(node.url, node.text)) {
      return BadRequest("an autoLink's url and text must lead to the same place");
    }
    if (absl::Status status = CheckNodes(node.children, rules); !status.ok()) return status;
  }
  return absl::OkStatus();
}

bool OnEarth(double degrees, double bound) {
  return std::isfinite(degrees) && std::abs(degrees) <= bound;
}

}  // namespace

absl::Status CheckContent(const std::vector<wire::ContentBlock>& content,
                          const ContentRules& rules) {
  if (content.size() != 1) return BadRequest("content: exactly one block");
  const wire::ContentBlock& block = content.front();
  switch (block.kind) {
    case wire::ContentBlock::Kind::kText:
      if (block.children.empty()) return BadRequest("content: the text is empty");
      if (HasUnknownKind(block.children)) {
        return BadRequest("content: unknown type of text node");
      }
      return CheckNodes(block.children, rules);
    case wire::ContentBlock::Kind::kLocation:
      if (!OnEarth(block.latitude, 90) || !OnEarth(block.longitude, 180)) {
        return BadRequest("content: latitude or longitude out of range");
      }
      return absl::OkStatus();
    case wire::ContentBlock::Kind::kFile:
      return absl::OkStatus();
    case wire::ContentBlock::Kind::kUnknown:
      break;
  }
  return BadRequest("content: unknown type of block");
}

bool HasUnknownKind(const std::vector<wire::ContentBlock>& content) {
  return std::any_of(content.begin(), content.end(), [](const wire::ContentBlock& block) {
    return block.kind == wire::ContentBlock::Kind::kUnknown || HasUnknownKind(block.children);
  });
}

}  // namespace talkjsd::emulator
