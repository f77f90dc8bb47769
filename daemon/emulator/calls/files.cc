// The call about files (realtime.md 6.9); the files themselves travel over HTTP (http_files.h).
#include "daemon/emulator/calls/request.h"
#include "daemon/emulator/calls/router.h"
#include "daemon/emulator/refusal.h"

namespace talkjsd::emulator {
namespace json = boost::json;
namespace {

CallResult ValidateFile(const Call& call) {
  const auto filename = RequiredText(call.data, "filename");
  if (!filename.ok()) return filename.status();
  const json::value* size = Find(call.data, "filesize");
  if (size == nullptr || !size->is_int64())
    return BadRequest("filesize: expected a number of bytes");
  if (auto status = CheckFile(*filename, size->get_int64()); !status.ok()) return status;
  return json::object();
}

}  // namespace

void AddFileCalls(Router& router) { router.Add("POST", "files/validate", ValidateFile); }

}  // namespace talkjsd::emulator
