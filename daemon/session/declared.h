// The sessions that the configuration declares: there as long as it does.
#ifndef TALKJSD_SESSION_DECLARED_H_
#define TALKJSD_SESSION_DECLARED_H_

#include <absl/status/statusor.h>

#include <set>
#include <string>
#include <vector>

#include "daemon/session/info.h"
#include "daemon/session/registry.h"

namespace talkjsd::session {

struct Declaration {
  std::string app_id;
  std::string user_id;
  // An error: what it needs cannot be read now.
  absl::StatusOr<CreateRequest> request;
};

// Remembers in a file which sessions were declared, so that one that was taken out of the
// configuration while the daemon was down is destroyed, too. A session that a client had created
// belongs to the configuration once this declares its app and user. For one thread; Apply waits for
// the disk.
class DeclaredSessions {
 public:
  // `path`: the file; it need not exist. `registry` outlives it.
  DeclaredSessions(Registry& registry, std::string path);

  struct Result {
    int created = 0;
    int kept = 0;  // were there; credentials that are not the same were replaced
    int removed = 0;
    int failed = 0;  // could not be created or read; each is logged with its reason
  };
  // Creates, and destroys what was declared before and is not now. Those in trouble are left as
  // they are; the next Apply tries again.
  Result Apply(const std::vector<Declaration>& declarations);

 private:
  void Remember(const std::set<std::string>& session_ids);

  Registry& registry_;
  const std::string path_;
  std::set<std::string> declared_;  // session ids
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_DECLARED_H_
