// Faults that a test asks for: rules that say where something goes wrong, how often, and what.
#ifndef TALKJSD_EMULATOR_FAULTS_FAULTS_H_
#define TALKJSD_EMULATOR_FAULTS_FAULTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/random.h"

namespace talkjsd::emulator {

// Where a rule looks.
enum class FaultPoint {
  kConnect,  // the upgrade to a realtime socket
  kRequest,  // a request frame of a client, before it is carried out
  kAnswer,   // the answer to a request frame
  kPublish,  // a PUBLISH frame
  kHttp,     // an HTTP request, before it is carried out; CORS preflights only if the rule names
             // OPTIONS
};

enum class FaultKind {
  kDrop,       // the TCP connection ends
  kReset,      // the TCP connection ends with a reset
  kClose,      // a closing handshake with `code` and `reason`
  kStall,      // nothing comes in or goes out for `time`, then everything does, in order
  kHalfOpen,   // the connection stays, and all frames of both sides vanish
  kDelay,      // this frame, and what is behind it in its direction, waits for `time`
  kDuplicate,  // a request is carried out and answered twice; an answer or PUBLISH leaves twice
  kTear,       // half of the frame leaves, then the TCP connection ends
  kCorrupt,    // the frame leaves as text that is not JSON
  kLose,       // the frame vanishes; of an HTTP request, the answer
  kExpire,     // session.expired, before a request, or after the frame
  kRestart,    // upstream.restarting, and `time` later the TCP connection ends
  kStatus,     // answered with `status` instead; at an answer, after the request was carried out
};

struct FaultAction {
  FaultKind kind = FaultKind::kDrop;
  Duration time{};  // of kStall, kDelay, kRestart
  int status = 0;   // of kStatus, with errorCode and reasons
  std::string error_code;
  std::vector<std::string> reasons;
  uint16_t code = 1011;  // of kClose
  std::string reason;
  bool renumber = false;  // of kDuplicate at a PUBLISH: the copy has a number of its own
  std::string event;      // of kLose at a PUBLISH: only the events that match; empty: all
};

// Of several conditions all must hold. Patterns are globs: "*" stands for any characters but "/",
// "**" for any at all; empty matches everything.
struct FaultRule {
  int64_t id = 0;  // given by Faults::Add
  FaultPoint on = FaultPoint::kRequest;
  std::string user;
  std::string path;    // as the client wrote it, percent-encoded, without query
  std::string method;  // exact
  std::string event;   // kPublish: the type of at least one event of the frame
  int64_t nth = 0;     // only the nth time that it matches; 0: any
  int64_t every = 0;   // only every nth time; 0: any
  int64_t times = 0;   // fires so often at most; 0: no limit
  double probability = 1;
  uint64_t seed = 0;  // of the probability; 0: the id
  FaultAction action;

  uint64_t matched = 0;
  uint64_t fired = 0;
};

// What happens at a point. `events` are the types of a PUBLISH frame's events.
struct FaultSubject {
  FaultPoint point;
  std::string_view user;
  std::string_view method;
  std::string_view path;
  const std::vector<std::string_view>* events = nullptr;
};

bool GlobMatches(std::string_view pattern, std::string_view text);

// The rules of one app, in the order in which they were added. The same rules and the same subjects
// give the same faults. Lives on one thread.
class Faults {
 public:
  // Whether any rule looks at this point: to be asked first, as it costs nothing.
  bool Watches(FaultPoint point) const { return (points_ >> static_cast<int>(point) & 1) != 0; }

  // The action of the first rule that fires; the rules behind it do not see this subject. nullopt:
  // all goes well.
  std::optional<FaultAction> Find(const FaultSubject& subject);

  // Returns the new rule's id. Ids are never used again.
  int64_t Add(FaultRule rule);
  bool Remove(int64_t id);
  void Clear();

  struct Entry {
    FaultRule rule;
    SeededRandom random;
  };
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  void NotePoints();

  std::vector<Entry> entries_;
  uint32_t points_ = 0;  // one bit a FaultPoint
  int64_t next_id_ = 1;
};

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_FAULTS_FAULTS_H_
