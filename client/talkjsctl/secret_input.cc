#include "client/talkjsctl/secret_input.h"

#include <errno.h>

#include <algorithm>
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

// "Name: value" a line.
std::string AddHeaders(const std::string& path, v1::HttpTokenSource* http) {
  std::string content;
  const std::string complaint = ReadInput(path, &content);
  if (!complaint.empty()) return "--token-url-header-file: " + complaint;
  std::string_view rest = content;
  while (!rest.empty()) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = Trim(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty()) continue;
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return "--token-url-header-file: a line is not of the form Name: value";
    }
    (*http->mutable_headers())[std::string(Trim(line.substr(0, colon)))] =
        Trim(line.substr(colon + 1));
  }
  return "";
}

// Nothing is set if the options name no fetcher.
std::string AddFetcher(const FetcherOptions& options, v1::CreateSessionRequest* request) {
  const bool has_fetcher =
      !options.url.empty() || !options.watched_file.empty() || options.has_provider;
  if (options.url.empty() && (!options.method.empty() || !options.header_file.empty() ||
                              !options.field.empty() || options.timeout_seconds != 0)) {
    return "--token-url-method, --token-url-header-file, --token-url-field and "
           "--token-url-timeout need --token-url";
  }
  if (!has_fetcher) {
    if (options.initial_token_file.empty()) return "";
    return "--initial-token-file needs --token-url, --watch-token-file or --token-provider";
  }
  v1::TokenFetcher* fetcher = request->mutable_token_fetcher();
  if (!options.initial_token_file.empty()) {
    const std::string complaint = ReadSecret("--initial-token-file", options.initial_token_file, "",
                                             fetcher->mutable_initial_token());
    if (!complaint.empty()) return complaint;
  }
  if (!options.watched_file.empty()) {
    fetcher->mutable_file()->set_path(options.watched_file);
    return "";
  }
  if (options.has_provider) {
    fetcher->mutable_provider()->set_provider_name(options.provider);
    return "";
  }
  v1::HttpTokenSource* http = fetcher->mutable_http();
  http->set_url(options.url);
  http->set_method(options.method);
  http->set_token_field(options.field);
  if (options.timeout_seconds != 0) {
    const auto millis = static_cast<int64_t>(options.timeout_seconds * 1000);
    http->mutable_timeout()->set_seconds(millis / 1000);
    http->mutable_timeout()->set_nanos(static_cast<int32_t>(millis % 1000 * 1'000'000));
  }
  return options.header_file.empty() ? "" : AddHeaders(options.header_file, http);
}

}  // namespace

std::string ReadSecret(const char* option, const std::string& path, const char* variable,
                       std::string* secret) {
  std::string found;
  if (!path.empty()) {
    const std::string complaint = ReadInput(path, &found);
    if (!complaint.empty()) return std::string(option) + ": " + complaint;
  } else {
    found = FromEnvironment(variable);
    if (found.empty()) return std::string(option) + " or " + variable + " is required";
  }
  *secret = Trim(found);
  return secret->empty() ? std::string(option) + ": the secret is empty" : "";
}

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
  const std::string complaint = AddFetcher(options.fetcher, request);
  if (!complaint.empty()) return complaint;
  const bool has_fetcher = request->has_token_fetcher();
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
    } else if (!options.secrets.no_credentials && !has_fetcher) {
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
