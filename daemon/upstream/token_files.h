// Files that hold tokens, read when asked for and when they change.
#ifndef TALKJSD_UPSTREAM_TOKEN_FILES_H_
#define TALKJSD_UPSTREAM_TOKEN_FILES_H_

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/secret.h"

namespace talkjsd::upstream {

// Thread-safe. Owns one thread, begun with the first file, on which files are looked at: a disk or
// a network file system that hangs holds up nobody else.
//
// A change is anything that gives the path another file, time or size: writing in place, renaming
// over it, and swapping a symbolic link anywhere in the path, as Kubernetes does with mounted
// secrets. It is noticed within `interval`.
class TokenFiles {
 public:
  // The content without the white space around it, or why there is none: TOKEN_FILE_UNREADABLE,
  // TOKEN_FETCH_EMPTY, TOKEN_FETCH_TOO_LARGE. On the files' thread: it must only hand over work.
  using Content = std::function<void(const absl::StatusOr<Secret>&)>;

  explicit TokenFiles(Duration interval = std::chrono::seconds(1));
  ~TokenFiles();
  TokenFiles(const TokenFiles&) = delete;
  TokenFiles& operator=(const TokenFiles&) = delete;

  // Calls `content` soon for the first time, perhaps, and after each change from now on, until
  // Unwatch; one call that is under way then may still come.
  uint64_t Watch(const std::string& path, Content content);
  void Unwatch(uint64_t handle);

  // Calls `content` once, soon, unless the files are destroyed first.
  void Read(const std::string& path, Content content);

 private:
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

// Reads at once, on the caller's thread: what Content gets.
absl::StatusOr<Secret> ReadTokenFile(const std::string& path);

}  // namespace talkjsd::upstream

#endif  // TALKJSD_UPSTREAM_TOKEN_FILES_H_
