// What sessions keep on disk while they run, off their shards.
#ifndef TALKJSD_SESSION_KEEPER_H_
#define TALKJSD_SESSION_KEEPER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/journal/journal.h"
#include "daemon/net/event_loop.h"
#include "daemon/session/session_store.h"

namespace talkjsd::session {

// Thread-safe; nothing waits for the disk. What cannot be written is logged and written again with
// the next progress: the list lags, which costs reading back more after a crash. Journal and store
// outlive it; without a store it does nothing.
class Keeper {
 public:
  Keeper(SessionStore* store, journal::Journal& journal, const Clock& clock);
  ~Keeper();  // Stop

  // Written when the journal has all that was appended before this call. `done` runs then, or when
  // it could not be written, on any thread; at once without a store.
  void Put(std::vector<SessionStore::Progress> progress, std::function<void()> done);
  // TalkJS has the user's attributes.
  void DropUserAttributes(const std::string& session_id);
  void PutExtras(const std::string& session_id, const Extras& extras);
  void Forget(const std::string& session_id);

  // The last progress; it is written when the journal is closed.
  void Stop(std::vector<SessionStore::Progress> last);

 private:
  void OnFailure(const absl::Status& why);

  SessionStore* const store_;
  journal::Journal& journal_;
  const Clock& clock_;
  std::unique_ptr<net::EventLoop> disk_;  // null without a store
  MonoTime next_warning_{};               // on disk_'s thread
};

}  // namespace talkjsd::session

#endif  // TALKJSD_SESSION_KEEPER_H_
