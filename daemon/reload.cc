#include "daemon/reload.h"

#include <sstream>

#include "daemon/base/error.h"
#include "daemon/base/log.h"
#include "daemon/config/difference.h"

namespace talkjsd {
namespace {

void LogProblems(const absl::Status& problems) {
  std::istringstream lines{std::string(MessageOf(problems))};
  for (std::string line; std::getline(lines, line);) {
    LogError("reload refused, nothing has changed", {{"error", line}});
  }
}

std::string Join(const std::vector<std::string>& keys) {
  std::string text;
  for (const std::string& key : keys) text.append(text.empty() ? "" : ", ").append(key);
  return text;
}

}  // namespace

void Reloader::Reload() {
  const absl::StatusOr<config::Config> next = config::Load(arguments_, config::ThisProcess());
  if (!next.ok()) return LogProblems(next.status());
  const std::vector<std::string> changed = config::Compare(current_, next->values).live;
  const std::vector<std::string> waiting = config::Compare(started_, next->values).restart;
  bool all = true;
  for (const Part& part : parts_) {
    const absl::Status applied = part.apply(next->values);
    if (applied.ok()) continue;
    all = false;
    LogError("a part of the reload failed; that part is as it was",
             {{"part", part.name}, {"error", MessageOf(applied)}});
  }
  current_ = next->values;
  if (!waiting.empty()) LogWarning("these changes wait for a restart", {{"keys", Join(waiting)}});
  LogInfo(all ? "configuration reloaded" : "configuration reloaded in part",
          {{"file", next->file}, {"changed", changed.empty() ? "nothing" : Join(changed)}});
}

}  // namespace talkjsd
