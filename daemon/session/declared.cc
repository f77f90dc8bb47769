#include "daemon/session/declared.h"

#include <cstdio>
#include <fstream>
#include <utility>

#include "daemon/base/error.h"
#include "daemon/base/log.h"

namespace talkjsd::session {
namespace {

std::set<std::string> ReadIds(const std::string& path) {
  std::set<std::string> ids;
  std::ifstream file(path);
  for (std::string id; std::getline(file, id);) {
    if (!id.empty()) ids.insert(id);
  }
  return ids;
}

void LogFailure(const Declaration& declaration, const absl::Status& why) {
  LogError("a declared session is in trouble; it is tried again at the next reload",
           {{"app", declaration.app_id}, {"user", declaration.user_id}, {"error", MessageOf(why)}});
}

}  // namespace

DeclaredSessions::DeclaredSessions(Registry& registry, std::string path)
    : registry_(registry), path_(std::move(path)), declared_(ReadIds(path_)) {}

DeclaredSessions::Result DeclaredSessions::Apply(const std::vector<Declaration>& declarations) {
  Result result;
  std::set<std::string> wanted;
  for (const Declaration& declaration : declarations) {
    absl::Status why = declaration.request.status();
    if (why.ok()) {
      CreateRequest request = *declaration.request;
      request.replace_credentials = true;
      const absl::StatusOr<Registry::Created> created = registry_.Create(std::move(request));
      if (created.ok()) {
        wanted.insert(created->info.session_id);
        ++(created->created ? result.created : result.kept);
        continue;
      }
      why = created.status();
    }
    ++result.failed;
    LogFailure(declaration, why);
    for (const Info& info : registry_.List()) {
      if (info.app_id == declaration.app_id && info.user_id == declaration.user_id) {
        wanted.insert(info.session_id);
      }
    }
  }
  // Before they are destroyed: a daemon that dies meanwhile does it at its next start.
  std::set<std::string> either = wanted;
  either.insert(declared_.begin(), declared_.end());
  Remember(either);
  for (const std::string& id : declared_) {
    if (wanted.contains(id)) continue;
    const absl::StatusOr<Info> info = registry_.GetAlive(id);
    if (!info.ok()) continue;  // a client has destroyed it
    ++result.removed;
    registry_.Destroy(id, [id](const absl::Status& status) {
      if (status.ok()) return;
      LogError("a session that is not declared any more could not be destroyed",
               {{"session", id}, {"error", MessageOf(status)}});
    });
    // Where that failed it is tried again at the next start.
    if (registry_.GetAlive(id).ok()) wanted.insert(id);
  }
  Remember(wanted);
  declared_ = std::move(wanted);
  return result;
}

void DeclaredSessions::Remember(const std::set<std::string>& session_ids) {
  if (session_ids == ReadIds(path_)) return;
  const std::string next = path_ + ".new";
  std::ofstream file(next, std::ios::trunc);
  for (const std::string& id : session_ids) file << id << '\n';
  file.close();
  if (file.fail() || std::rename(next.c_str(), path_.c_str()) != 0) {
    LogError("which sessions are declared could not be written down", {{"file", path_}});
  }
}

}  // namespace talkjsd::session
