#include "daemon/emulator/model/files.h"

#include "daemon/emulator/decisions.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {

std::string FileStore::NewToken() { return random_.Text(kFileTokenLength); }

absl::Status FileStore::Add(StoredFile file) {
  if (file.content->size() > kMaxStoredFileBytes - bytes_) {
    return Refuse(403, "STORAGE_FULL", "the emulator's files take up 1 GiB: start a new one");
  }
  bytes_ += file.content->size();
  std::string token = file.block.file_token;
  const auto added = files_.emplace(std::move(token), std::move(file));
  if (added.second && listener_) listener_(added.first->second);
  return absl::OkStatus();
}

std::optional<StoredFile> FileStore::Find(std::string_view token) const {
  const auto found = files_.find(token);
  if (found == files_.end()) return std::nullopt;
  return found->second;
}

absl::Status CheckFile(std::string_view filename, int64_t size) {
  if (filename.empty()) return BadRequest("filename: expected a name");
  if (size < 0) return BadRequest("filesize: expected a number of bytes");
  if (static_cast<uint64_t>(size) > kMaxFileBytes) {
    return Refuse(400, "FILE_TOO_LARGE", "files may have 50 MB at most");
  }
  return absl::OkStatus();
}

absl::Status ResolveFileTokens(const FileStore& files, std::vector<wire::ContentBlock>& content) {
  for (wire::ContentBlock& block : content) {
    if (block.kind != wire::ContentBlock::Kind::kFile) continue;
    const auto file = files.Find(block.file.file_token);
    if (!file) return Refuse(400, "INVALID_FILE_TOKEN", "unknown fileToken: upload the file first");
    block.file = file->block;
  }
  return absl::OkStatus();
}

}  // namespace talkjsd::emulator
