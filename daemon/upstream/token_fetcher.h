// The settings of token fetchers: sources of tokens outside the daemon.
#ifndef TALKJSD_UPSTREAM_TOKEN_FETCHER_H_
#define TALKJSD_UPSTREAM_TOKEN_FETCHER_H_

#include <map>
#include <string>
#include <variant>

#include "daemon/base/clock.h"
#include "daemon/base/secret.h"

namespace talkjsd::upstream {

// An endpoint of the app's backend.
struct HttpFetcher {
  std::string url;
  std::string method = "POST";  // or GET
  std::map<std::string, Secret> headers;
  // Where in a JSON answer the token is, "." goes one object down; empty: the body is the token.
  std::string token_field;
  Duration timeout = std::chrono::seconds(10);
  friend bool operator==(const HttpFetcher&, const HttpFetcher&) = default;
};

// A file on this host that somebody else keeps fresh.
struct FileFetcher {
  std::string path;  // absolute
  friend bool operator==(const FileFetcher&, const FileFetcher&) = default;
};

// Local clients on ProvideTokens that register under this name.
struct ProviderFetcher {
  std::string provider_name;
  friend bool operator==(const ProviderFetcher&, const ProviderFetcher&) = default;
};

using TokenFetcher = std::variant<HttpFetcher, FileFetcher, ProviderFetcher>;

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_TOKEN_FETCHER_H_
