#include "daemon/api/access/bearer_tokens.h"

#include <absl/cleanup/cleanup.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;
constexpr size_t kMaxNameBytes = 64;
constexpr size_t kMinTokenBytes = 16;
constexpr size_t kMaxTokenBytes = 512;
constexpr mode_t kOthers = 07;

absl::Status WrongTokensFile(const std::string& path, const std::string& what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD,
                   "bearer tokens file " + path + ": " + what);
}

BearerTokens::Digest DigestOf(std::string_view token) {
  BearerTokens::Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return digest;
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
         });
}

bool IsToken(std::string_view token) {
  return token.size() >= kMinTokenBytes && token.size() <= kMaxTokenBytes &&
         std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::string_view Trim(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

absl::StatusOr<std::vector<BearerTokens::Match>> Parse(const std::string& path,
                                                       std::string_view text) {
  std::vector<BearerTokens::Match> tokens;
  for (int number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string where = "line " + std::to_string(number) + ": ";
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || !IsName(Trim(line.substr(0, colon)))) {
      return WrongTokensFile(path,
                             where + "must be name:token, the name 1 to 64 of A-Z a-z 0-9 . _ -");
    }
    const std::string_view token = Trim(line.substr(colon + 1));
    if (!IsToken(token)) {
      return WrongTokensFile(
          path, where + "the token must be 16 to 512 printable characters without spaces");
    }
    BearerTokens::Match match{std::string(Trim(line.substr(0, colon))), DigestOf(token)};
    const bool known = std::any_of(tokens.begin(), tokens.end(),
                                   [&](const auto& other) { return other.digest == match.digest; });
    if (known) return WrongTokensFile(path, where + "the token is in the file already");
    tokens.push_back(std::move(match));
  }
  return tokens;
}

template <typename Stat>
std::array<int64_t, 6> StampOf(const Stat& info) {
  return {static_cast<int64_t>(info.st_ino),
          info.st_size,
          info.st_mtim.tv_sec,
          info.st_mtim.tv_nsec,
          info.st_ctim.tv_sec,
          info.st_ctim.tv_nsec};
}

}  // namespace

absl::StatusOr<std::unique_ptr<BearerTokens>> BearerTokens::Open(const std::string& path) {
  std::unique_ptr<BearerTokens> tokens(new BearerTokens(path));
  const absl::StatusOr<bool> read = tokens->Refresh(/*force=*/true);
  if (!read.ok()) return read.status();
  return tokens;
}

absl::StatusOr<BearerTokens::Content> BearerTokens::Read() const {
  const int fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return WrongTokensFile(path_, std::strerror(errno));
  const absl::Cleanup close_file = [fd] { ::close(fd); };
  struct stat info;
  if (::fstat(fd, &info) != 0) return WrongTokensFile(path_, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return WrongTokensFile(path_, "is not a regular file");
  if ((info.st_mode & kOthers) != 0) {
    return WrongTokensFile(path_, "others than its owner and group have access to it; chmod o= it");
  }
  std::string text;
  char buffer[4096];
  const absl::Cleanup wipe = [&] {
    OPENSSL_cleanse(buffer, sizeof(buffer));
    OPENSSL_cleanse(text.data(), text.size());
  };
  text.reserve(static_cast<size_t>(std::min<off_t>(info.st_size + 1, kMaxFileBytes)));
  for (ssize_t got = 1; got != 0;) {
    got = ::read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno != EINTR) return WrongTokensFile(path_, std::strerror(errno));
    if (got > 0) text.append(buffer, static_cast<size_t>(got));
    if (text.size() > kMaxFileBytes) return WrongTokensFile(path_, "is larger than 1 MiB");
  }
  absl::StatusOr<std::vector<Match>> tokens = Parse(path_, text);
  if (!tokens.ok()) return tokens.status();
  return Content{*std::move(tokens), StampOf(info)};
}

absl::StatusOr<bool> BearerTokens::Refresh(bool force) {
  struct stat info;
  std::optional<Stamp> stamp;  // none: the file is not there
  if (::stat(path_.c_str(), &info) == 0) stamp = StampOf(info);
  {
    MutexLock lock(mutex_);
    if (!force && stamp_.has_value() && stamp.value_or(Stamp{}) == *stamp_) return false;
    stamp_ = stamp.value_or(Stamp{});  // whatever comes of it, once
  }
  absl::StatusOr<Content> content = Read();
  if (!content.ok()) return content.status();
  const auto same = [](const Match& a, const Match& b) {
    return a.name == b.name && a.digest == b.digest;
  };
  MutexLock lock(mutex_);
  stamp_ = content->stamp;
  const bool changed = !std::equal(tokens_.begin(), tokens_.end(), content->tokens.begin(),
                                   content->tokens.end(), same);
  tokens_ = std::move(content->tokens);
  return changed;
}

std::optional<BearerTokens::Match> BearerTokens::Find(std::string_view token) const {
  const Digest digest = DigestOf(token);
  MutexLock lock(mutex_);
  const Match* found = nullptr;
  for (const Match& match : tokens_) {
    if (CRYPTO_memcmp(match.digest.data(), digest.data(), digest.size()) == 0) found = &match;
  }
  if (found == nullptr) return std::nullopt;
  return *found;
}

bool BearerTokens::Has(const Match& match) const {
  MutexLock lock(mutex_);
  return std::any_of(tokens_.begin(), tokens_.end(), [&](const Match& known) {
    return known.name == match.name && known.digest == match.digest;
  });
}

}  // namespace talkjsd::api
