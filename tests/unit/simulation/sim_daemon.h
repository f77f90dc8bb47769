// The daemon on simulated time: real journal and list of sessions on disk, simulated sessions.
#ifndef TALKJSD_TESTS_UNIT_SIMULATION_SIM_DAEMON_H_
#define TALKJSD_TESTS_UNIT_SIMULATION_SIM_DAEMON_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/metrics.h"
#include "daemon/base/random.h"
#include "daemon/journal/journal.h"
#include "daemon/session/session_store.h"
#include "daemon/upstream/pacer.h"
#include "tests/unit/simulation/schedule.h"
#include "tests/unit/simulation/sim_session.h"
#include "tests/unit/simulation/sim_upstream.h"

namespace talkjsd::simulation {

// One start of the daemon, to its end by SIGKILL: what the journal was given and not yet written is
// written (it was handed over), the rest is lost. Takes up what an earlier one left in `state_dir`.
// Sets the schedule's before_time_moves: all that happens at one time is in the journal before time
// moves on, so that a run does not depend on the machine.
class SimDaemon {
 public:
  // `observed`, by user, outlives it, as do the others.
  SimDaemon(Schedule& schedule, const SimClock& clock, SimUpstream& upstream,
            const std::string& state_dir, uint64_t seed, std::map<std::string, Observed>* observed);
  ~SimDaemon();
  SimDaemon(const SimDaemon&) = delete;
  SimDaemon& operator=(const SimDaemon&) = delete;

  void Create(const std::string& user, session::Credentials credentials);
  void ReplaceCredentials(const std::string& user, session::Credentials credentials);
  SimSession& session(const std::string& user) { return *sessions_.at(user); }
  const std::map<std::string, std::unique_ptr<SimSession>>& sessions() const { return sessions_; }
  journal::Journal& journal() { return *journal_; }
  // Waits until the journal has written what it was given.
  void Flush();

  static std::string SessionId(const std::string& user) { return "ses_" + user; }

 private:
  void Open(const std::string& state_dir);
  void Restore();
  void Add(SimSession::Options options);
  void PutProgress(std::vector<session::SessionStore::Progress> progress);
  void StoreProgressOften();

  Schedule& schedule_;
  const SimClock& clock_;
  SimUpstream& upstream_;
  std::map<std::string, Observed>* const observed_;
  SeededRandom random_;
  Metrics metrics_;
  upstream::Pacer pacer_{0.05};
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<session::SessionStore> store_;
  bool unwritten_ = false;
  std::map<std::string, std::unique_ptr<SimSession>> sessions_;  // by user
  SimTimer progress_timer_;
};

}  // namespace talkjsd::simulation

#endif  // TALKJSD_TESTS_UNIT_SIMULATION_SIM_DAEMON_H_
