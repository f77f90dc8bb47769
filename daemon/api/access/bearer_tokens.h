// The bearer tokens of one listener, from a file that may change.
#ifndef TALKJSD_API_ACCESS_BEARER_TOKENS_H_
#define TALKJSD_API_ACCESS_BEARER_TOKENS_H_

#include <absl/status/statusor.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/mutex.h"

namespace talkjsd::api {

// Thread-safe. Keeps digests (SHA-256), not tokens; every look compares all of them, in constant
// time.
//
// The file: one "name:token" a line, '#' starts a comment. Names have 1 to 64 of A-Z a-z 0-9 . _ -,
// tokens 16 to 512 printable characters without spaces. A name may have several tokens, for the
// time in which one replaces another. Others than owner and group must have no access to the file.
class BearerTokens {
 public:
  using Digest = std::array<unsigned char, 32>;
  struct Match {
    std::string name;
    Digest digest;
  };

  // INVALID_ARGUMENT (INVALID_FIELD) with path, line and what is wrong; never what the line says.
  static absl::StatusOr<std::unique_ptr<BearerTokens>> Open(const std::string& path);

  std::optional<Match> Find(std::string_view token) const;
  // Whether this very token is still there.
  bool Has(const Match& match) const;

  // Reads the file again if it has changed since, or in any case with `force`. True: there are
  // other tokens now. An error leaves the tokens as they were, and is given once a change.
  absl::StatusOr<bool> Refresh(bool force);

 private:
  // What a change of the file changes.
  using Stamp = std::array<int64_t, 6>;
  struct Content {
    std::vector<Match> tokens;
    Stamp stamp{};
  };
  explicit BearerTokens(std::string path) : path_(std::move(path)) {}
  absl::StatusOr<Content> Read() const;

  const std::string path_;
  mutable Mutex mutex_;
  std::vector<Match> tokens_ ABSL_GUARDED_BY(mutex_);
  std::optional<Stamp> stamp_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_BEARER_TOKENS_H_
