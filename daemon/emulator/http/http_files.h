// Uploading and downloading files over HTTP (realtime.md 6.11): `.../{appId}/files`.
#ifndef TALKJSD_EMULATOR_HTTP_HTTP_FILES_H_
#define TALKJSD_EMULATOR_HTTP_HTTP_FILES_H_

#include <string>
#include <vector>

#include "daemon/emulator/app.h"
#include "daemon/emulator/decisions.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// `path` is what follows the app id, "files" first:
//   POST files                    a form with the file; needs a bearer token
//   GET|HEAD files/{token}/{name} the file, whole or a range; whoever knows the token may have it
// On the app's loop.
net::ServerResponse AnswerFiles(App& app, const net::ServerRequest& request,
                                const std::vector<std::string>& path);

// A form with the largest file.
inline constexpr size_t kMaxUploadBytes = kMaxFileBytes + (64 << 10);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_HTTP_HTTP_FILES_H_
