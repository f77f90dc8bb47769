// The status page's view of the sessions: counted, filtered, sorted, a page at a time.
#ifndef TALKJSD_ADMIN_SESSION_TABLE_H_
#define TALKJSD_ADMIN_SESSION_TABLE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/session/info.h"

namespace talkjsd::admin {

// One thread at a time.
class SessionTable {
 public:
  static constexpr size_t kPageSize = 50;

  enum class Sort {
    kState,  // what needs a person first
    kUser,
    kApp,
    kSince,  // newest change first
    kReason,
  };
  struct Query {
    std::optional<session::State> state;
    std::string text;  // in the id, app, user, reason or its message; letters of any case
    Sort sort = Sort::kState;
    bool descending = false;
    size_t page = 0;  // from 0; beyond the last one: the last one
  };
  struct Page {
    std::vector<const session::Info*> items;  // until the next Apply
    size_t matching = 0;
    size_t page = 0;
  };

  // In the order of their changes, as Registry::ChangesSince gives them.
  void Apply(std::vector<session::Info> changes);
  // Forgets everything.
  void Clear() { sessions_.clear(); }
  bool empty() const { return sessions_.empty(); }

  Page Find(const Query& query) const;
  // By session::State.
  std::array<size_t, 7> CountStates() const;

 private:
  std::unordered_map<std::string, session::Info> sessions_;
};

// "CREDENTIALS_INVALID"; empty without a reason.
std::string ReasonName(ErrorReason reason);

}  // namespace talkjsd::admin

#endif  // TALKJSD_ADMIN_SESSION_TABLE_H_
