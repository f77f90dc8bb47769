// Who was refused what, as lines of the log.
#ifndef TALKJSD_API_ACCESS_AUDIT_H_
#define TALKJSD_API_ACCESS_AUDIT_H_

#include <string>
#include <string_view>

#include "daemon/api/access/methods.h"
#include "daemon/api/access/policy.h"
#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace talkjsd::api {

// Thread-safe. At most five lines a second on average; how many were left out is said with the
// next.
class Audit {
 public:
  explicit Audit(const Clock& clock) : clock_(clock) {}

  struct Refusal {
    std::string_view listener;  // its address
    std::string_view policy;    // empty: none admits the peer
    const Method& method;
    std::string_view why;      // no secret, and nothing that the client has said but ids
    std::string_view session;  // its id; empty: it is not about one
  };
  void Refused(const Identity& identity, const Refusal& refusal);

 private:
  // Whether a line may be written now, and how many were left out before it.
  bool MayWrite(int* left_out);

  const Clock& clock_;
  Mutex mutex_;
  double allowance_ ABSL_GUARDED_BY(mutex_) = 20;
  MonoTime as_of_ ABSL_GUARDED_BY(mutex_){};
  int left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One line about what a peer does: its uid and pid, or its name.
void LogPeer(std::string_view event, std::string_view session_id, const Identity& identity);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_AUDIT_H_
