// A session's credentials as its file holds them.
#ifndef TALKJSD_SESSION_CREDENTIALS_FILE_H_
#define TALKJSD_SESSION_CREDENTIALS_FILE_H_

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <optional>
#include <string>

#include "daemon/session/extras.h"
#include "daemon/session/info.h"
#include "daemon/upstream/call.h"

namespace talkjsd::session {

struct CredentialsFile {
  Credentials credentials;
  std::optional<upstream::UserWrite> user_attributes;  // still to be written to TalkJS
  Extras extras;
};

// 0600, replaced as a whole: a crash leaves the old file or the new one. Errors name the file,
// never what is in it.
absl::Status WriteCredentialsFile(const std::string& path, const CredentialsFile& file);
// NOT_FOUND if there is none; DATA_LOSS if it cannot be understood.
absl::StatusOr<CredentialsFile> ReadCredentialsFile(const std::string& path);
// OK also if there is none.
absl::Status RemoveCredentialsFile(const std::string& path);

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_CREDENTIALS_FILE_H_
