#include "daemon/config/proxy_environment.h"

#include <charconv>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/config/field.h"

namespace talkjsd::config {
namespace {

// The name of the variable that is set, small letters first; empty: none.
std::string FirstSet(const System& system, const char* small, const char* large) {
  for (const char* name : {small, large}) {
    if (!system.environment(name).empty()) return name;
  }
  return "";
}

// "%41" is "A". What is no such thing stays.
std::string Unescape(std::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    unsigned code = 0;
    const char* const digits = text.data() + i + 1;
    const bool escaped = text[i] == '%' && i + 2 < text.size() &&
                         std::from_chars(digits, digits + 2, code, 16).ptr == digits + 2;
    result += escaped ? static_cast<char>(code) : text[i];
    if (escaped) i += 2;
  }
  return result;
}

// To "http://host:port", as upstream.proxy has it; what is before "@" goes to *credentials.
std::string Normalize(std::string value, Secret* credentials) {
  constexpr std::string_view kScheme = "http://";
  constexpr std::string_view kDefaultPort = ":1080";  // as curl
  if (value.find("://") == std::string::npos) value.insert(0, kScheme);
  if (value.ends_with('/')) value.pop_back();
  if (!value.starts_with(kScheme)) return value;
  if (const size_t at = value.rfind('@'); at != std::string::npos) {
    std::string both =
        Unescape(std::string_view(value).substr(kScheme.size(), at - kScheme.size()));
    if (both.find(':') == std::string::npos) both += ':';
    *credentials = Secret(std::move(both));
    value = std::string(kScheme) + value.substr(at + 1);
  }
  const size_t colon = value.rfind(':');
  if (colon < kScheme.size() || value.back() == ']') value += kDefaultPort;
  return value;
}

void FillNoProxy(const System& system, talkjs::sidecar::config::v1::Upstream* upstream) {
  const std::string variable = FirstSet(system, "no_proxy", "NO_PROXY");
  if (variable.empty()) return;
  const std::string value = system.environment(variable.c_str());
  constexpr std::string_view kBetween = ", \t";
  for (size_t begin = value.find_first_not_of(kBetween); begin != std::string::npos;) {
    const size_t end = value.find_first_of(kBetween, begin);
    upstream->add_no_proxy(value.substr(begin, end == std::string::npos ? end : end - begin));
    begin = value.find_first_not_of(kBetween, end);
  }
}

}  // namespace

void FillProxy(const System& system, talkjs::sidecar::config::v1::Upstream* upstream,
               Secret* credentials, Problems* problems) {
  if (upstream->no_proxy().empty()) FillNoProxy(system, upstream);
  const std::string variable = FirstSet(system, "https_proxy", "HTTPS_PROXY");
  if (!upstream->proxy().empty() || variable.empty()) return;
  const auto& field = *upstream->GetDescriptor()->FindFieldByName("proxy");
  Scalar scalar;
  scalar.text = Normalize(system.environment(variable.c_str()), credentials);
  const std::string problem = SetField(field, scalar, system, upstream);
  if (!problem.empty()) {
    problems->Add("$" + variable, "", "must be http://host:port; or set upstream.proxy to direct");
  }
}

}  // namespace talkjsd::config
