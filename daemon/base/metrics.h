// Every metric of the daemon, by name, in one place.
//
// Counting is an atomic addition and may be done on any thread. Label sets are closed: a label's
// values come from an enum or from the API's methods, never from a user's data.
#ifndef TALKJSD_BASE_METRICS_H_
#define TALKJSD_BASE_METRICS_H_

#include <array>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
template <typename T>
class Family;
}  // namespace prometheus

namespace talkjsd {

// What the reference says of a metric.
struct MetricInfo {
  enum class Type { kCounter, kGauge, kHistogram };

  const char* name;
  Type type;
  const char* labels;  // "state": names, separated by commas; empty: none
  const char* help;    // for a person; units are in the name
};

// Every metric there is, in the order of the reference.
const std::vector<MetricInfo>& MetricReference();
// "counter", "gauge", "histogram".
std::string_view MetricTypeName(MetricInfo::Type type);

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Upstream.
  prometheus::Counter* frames_received;
  prometheus::Counter* frames_sent;
  prometheus::Counter* connects;         // sockets opened to TalkJS
  prometheus::Counter* reconnects;       // of these, after the loss of an earlier one
  prometheus::Counter* token_refreshes;  // answered 200 by TalkJS
  prometheus::Counter* tokens_refused;   // TalkJS did not take one
  prometheus::Counter* tokens_missing;   // the source had none, and is asked again
  prometheus::Counter* tokens_fatal;     // the source has none for good
  prometheus::Counter* protocol_errors;  // frames that were not understood
  prometheus::Counter* gaps_filled;      // messages recovered by reading back
  prometheus::Counter* sweeps;           // comparisons of a session's list with what events told
  prometheus::Counter* sweep_finds;      // conversations whose news only the sweep found
  // Journal. Events by journal::EventKind.
  static constexpr std::array<const char*, 7> kEventKinds = {
      "sent", "edited", "deleted", "gap", "uncertain_edits", "session_state", "session_destroyed"};
  std::array<prometheus::Counter*, kEventKinds.size()> events_appended;
  prometheus::Gauge* journal_events;        // events kept
  prometheus::Gauge* journal_bytes;         // bytes kept
  prometheus::Gauge* journal_queued_bytes;  // handed over and not stored yet
  prometheus::Histogram* commit_seconds;    // one group: handed to the store to stored
  prometheus::Histogram* group_events;      // events of a group
  prometheus::Counter* pruned_by_age;       // files of the journal that retention dropped
  prometheus::Counter* pruned_by_size;      // of them before their age, for size
  prometheus::Counter* store_errors;        // attempts to write, read or tidy the store that failed
  // Streams.
  prometheus::Gauge* message_streams;
  prometheus::Gauge* unreads_streams;
  prometheus::Gauge* session_streams;
  prometheus::Gauge* token_streams;
  prometheus::Gauge* streams_stalled;     // a response waits for its client for long
  prometheus::Gauge* stream_lag_events;   // of the one that is furthest behind
  prometheus::Gauge* stream_lag_seconds;  // of the one that is behind for longest
  prometheus::Counter* events_delivered;
  prometheus::Histogram* write_seconds;  // a batch: queued to OnWriteDone
  // Losses told to message streams, by what was lost.
  prometheus::Counter* gaps_cursor_expired;
  prometheus::Counter* gaps_journal_lost;
  prometheus::Counter* gaps_store_damaged;
  // Named subscriptions.
  prometheus::Gauge* subscriptions_open;
  prometheus::Gauge* subscriptions_idle;
  prometheus::Gauge* subscription_lag_events;  // of the one that is furthest behind
  prometheus::Counter* acknowledgements;
  prometheus::Counter* subscription_takeovers;
  // Sessions by state: set by the registry. Key: the state's name in lower case.
  std::map<std::string, prometheus::Gauge*> sessions;

  // A finished gRPC call: "EventService/StreamMessages", "OK". The caller sees to it that both come
  // from closed sets.
  prometheus::Counter& Calls(std::string_view method, std::string_view code);

  // Prometheus text exposition format, version 0.0.4; with the process's memory, descriptors and
  // processor time as they are now.
  std::string Render() const;

 private:
  void AddUpstream();
  void AddJournal();
  void AddStreams();

  std::shared_ptr<prometheus::Registry> registry_;
  prometheus::Family<prometheus::Counter>* calls_;
};

}  // namespace talkjsd

#endif  // TALKJSD_BASE_METRICS_H_
