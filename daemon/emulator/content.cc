#include "daemon/emulator/content.h"

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

// Host of a URL or of its visible form, which may lack the scheme.
std::string HostOf(std::string_view url) {
  if (const size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    url.remove_prefix(scheme + 3);
  }
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t user = url.rfind('@'); user != std::string_view::npos)
    url.remove_prefix(user + 1);
  return Lower(url);
}

bool LinkAgrees(std::string_view url, std::string_view text) {
  constexpr std::string_view kMail = "mailto:", kPhone = "tel:";
  const std::string lower = Lower(url);
  if (lower.starts_with(kMail)) {
    const std::string shown = Lower(text);
    return shown == lower || shown == lower.substr(kMail.size());
  }
  if (lower.starts_with(kPhone)) return Digits(url) == Digits(text);
  const std::string host = HostOf(url);
  return !host.empty() && host == HostOf(text);
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

}  // namespace talkjsd::emulator
