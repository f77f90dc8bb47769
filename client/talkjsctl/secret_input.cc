#include "client/talkjsctl/secret_input.h"

#include <errno.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

namespace talkjsd::talkjsctl {
namespace {

constexpr size_t kMaxInputBytes = 64 << 10;

struct Source {
  const char* option;
  const char* variable;
  const std::string& path;
};

std::string_view Trim(std::string_view text) {
  constexpr char kSpace[] = " \t\r\n";
  const size_t first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

std::string FromEnvironment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

}  // namespace

std::string ReadInput(const std::string& path, std::string* content) {
  std::FILE* file = path == "-" ? stdin : std::fopen(path.c_str(), "re");
  const std::string name = path == "-" ? "standard input" : path;
  if (file == nullptr) return "cannot read " + name + ": " + std::strerror(errno);
  content->resize(kMaxInputBytes + 1);
  content->resize(std::fread(content->data(), 1, content->size(), file));
  const bool failed = std::ferror(file) != 0;
  const std::string reason = std::strerror(errno);
  if (file != stdin) std::fclose(file);
  if (failed) return "cannot read " + name + ": " + reason;
  if (content->size() > kMaxInputBytes) return name + " is longer than 64 KiB";
  return "";
}

std::string AddCredentials(const SessionCreateOptions& options, v1::CreateSessionRequest* request) {
  const std::array<Source, 3> sources = {{
      {"--token-file", "TALKJSD_TOKEN", options.secrets.token_file},
      {"--secret-key-file", "TALKJS_SECRET_KEY", options.secrets.secret_key_file},
      {"--signature-file", "TALKJSD_SIGNATURE", options.secrets.signature_file},
  }};
  bool any_file = false;
  for (const Source& source : sources) any_file = any_file || !source.path.empty();

  const Source* chosen = nullptr;
  std::string secret;
  for (const Source& source : sources) {
    std::string found;
    if (any_file) {
      if (source.path.empty()) continue;
      const std::string complaint = ReadInput(source.path, &found);
      if (!complaint.empty()) return std::string(source.option) + ": " + complaint;
      if (Trim(found).empty()) return std::string(source.option) + ": the secret is empty";
    } else if (!options.secrets.no_credentials) {
      found = FromEnvironment(source.variable);
    }
    if (Trim(found).empty()) continue;
    if (chosen != nullptr) {
      return std::string("both ") + chosen->variable + " and " + source.variable +
             " are set in the environment: unset one, or say which with a file option";
    }
    chosen = &source;
    secret = Trim(found);
  }

  if (options.token_lifetime_seconds != 0 && chosen != &sources[1]) {
    return "--token-lifetime is for tokens that the daemon mints: give --secret-key-file";
  }
  if (chosen == &sources[0]) request->set_token(secret);
  if (chosen == &sources[2]) request->set_signature(secret);
  if (chosen == &sources[1]) {
    request->mutable_signing_key()->set_secret_key(secret);
    if (options.token_lifetime_seconds != 0) {
      request->mutable_signing_key()->mutable_token_lifetime()->set_seconds(
          options.token_lifetime_seconds);
    }
  }
  return "";
}

}  // namespace talkjsd::talkjsctl
