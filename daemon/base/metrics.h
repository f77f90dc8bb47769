// Every metric of the daemon, by name, in one place (docs/operations.md lists them from here).
//
// Counting is an atomic addition and may be done on any thread. Label sets are closed: a label's
// values come from an enum, never from a user's data.
#ifndef TALKJSD_BASE_METRICS_H_
#define TALKJSD_BASE_METRICS_H_

#include <map>
#include <memory>
#include <string>

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
class Registry;
}  // namespace prometheus

namespace talkjsd {

class Metrics {
 public:
  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Upstream. `direction` in {received, sent}.
  prometheus::Counter* frames_received;
  prometheus::Counter* frames_sent;
  prometheus::Counter* connects;         // sockets opened to TalkJS
  prometheus::Counter* reconnects;       // of these, after the loss of an earlier one
  prometheus::Counter* token_refreshes;  // answered 200 by TalkJS
  prometheus::Counter* protocol_errors;  // frames that were not understood
  prometheus::Counter* gaps_filled;      // messages recovered by reading back
  prometheus::Counter* sweep_finds;      // conversations whose news only the sweep found
  // Journal.
  prometheus::Counter* events_appended;
  prometheus::Gauge* journal_events;        // events kept
  prometheus::Gauge* journal_bytes;         // bytes kept
  prometheus::Gauge* journal_queued_bytes;  // handed over and not stored yet
  prometheus::Histogram* commit_seconds;    // one group: handed to the store to stored
  prometheus::Histogram* group_events;      // events of a group
  prometheus::Counter* journal_prunes;      // parts of the journal that retention dropped
  prometheus::Counter* store_errors;        // attempts to write, read or tidy the store that failed
  // Streams.
  prometheus::Gauge* message_streams;
  prometheus::Gauge* unreads_streams;
  prometheus::Gauge* streams_stalled;  // a response waits for its client for long
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

  // Prometheus text exposition format, version 0.0.4.
  std::string Render() const;

 private:
  std::shared_ptr<prometheus::Registry> registry_;
};

}  // namespace talkjsd

#endif  // TALKJSD_BASE_METRICS_H_
