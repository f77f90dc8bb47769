// Uploaded files: their bytes, and what a file block of a message says about them.
#ifndef TALKJSD_EMULATOR_MODEL_FILES_H_
#define TALKJSD_EMULATOR_MODEL_FILES_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/random.h"
#include "daemon/wire/types.h"

namespace talkjsd::emulator {

struct StoredFile {
  // As a message shows it: token, url, filename, size, subtype, and the measures of that subtype.
  wire::FileBlock block;
  std::string content_type;                    // of a download
  std::shared_ptr<const std::string> content;  // never nullptr; block.size bytes
};

// Lives on one thread. A token is random and is all that a download needs, as with TalkJS. Files
// stay until the store goes.
class FileStore {
 public:
  explicit FileStore(Random& random) : random_(random) {}
  FileStore(const FileStore&) = delete;
  FileStore& operator=(const FileStore&) = delete;

  // Called for every file that is added from then on.
  void OnAdded(std::function<void(const StoredFile&)> listener) { listener_ = std::move(listener); }

  std::string NewToken();
  // Under block.file_token. A refusal if all files together become too large.
  absl::Status Add(StoredFile file);
  std::optional<StoredFile> Find(std::string_view token) const;

 private:
  Random& random_;
  std::function<void(const StoredFile&)> listener_;
  std::map<std::string, StoredFile, std::less<>> files_;
  size_t bytes_ = 0;
};

// A file that is announced (`/files/validate`): BAD_REQUEST unless it could be uploaded.
absl::Status CheckFile(std::string_view filename, int64_t size);

// Replaces every file block, of which only the token counts, by what is known of that file. A
// refusal for a token that does not exist.
absl::Status ResolveFileTokens(const FileStore& files, std::vector<wire::ContentBlock>& content);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_MODEL_FILES_H_
