// The table of all metrics: what /metrics says as HELP, and what the documentation lists.
#include "daemon/base/metrics.h"

namespace talkjsd {

const std::vector<MetricInfo>& MetricReference() {
  using enum MetricInfo::Type;
  static const std::vector<MetricInfo> reference = {
      {"talkjsd_build_info", kGauge, "version", "Always 1; the label says which talkjsd it is"},
      {"talkjsd_sessions", kGauge, "state", "Sessions by state"},
      {"talkjsd_upstream_frames_total", kCounter, "direction",
       "Realtime frames exchanged with TalkJS"},
      {"talkjsd_upstream_connects_total", kCounter, "", "Sockets opened to TalkJS"},
      {"talkjsd_upstream_reconnects_total", kCounter, "",
       "Sockets opened to TalkJS after the loss of an earlier one"},
      {"talkjsd_upstream_protocol_errors_total", kCounter, "",
       "Frames and events that were not understood; the session then reads everything again"},
      {"talkjsd_token_refreshes_total", kCounter, "", "Logins and renewals that TalkJS accepted"},
      {"talkjsd_token_failures_total", kCounter, "cause",
       "Logins and renewals that failed: `refused` by TalkJS; `source`: whoever supplies tokens "
       "had "
       "none and is asked again; `fatal`: it has none for good"},
      {"talkjsd_recovered_messages_total", kCounter, "",
       "Messages found by reading back after a reconnect"},
      {"talkjsd_sweeps_total", kCounter, "",
       "Comparisons of a session's newest conversations with what events told of them"},
      {"talkjsd_sweep_finds_total", kCounter, "",
       "Conversations whose news no event told and the sweep found. Above 0, TalkJS lost an event"},
      {"talkjsd_journal_events_total", kCounter, "kind", "Events stored in the journal"},
      {"talkjsd_journal_kept_events", kGauge, "", "Events kept in the journal"},
      {"talkjsd_journal_kept_bytes", kGauge, "", "Bytes of the events kept in the journal"},
      {"talkjsd_journal_queued_bytes", kGauge, "",
       "Bytes of events that are not stored yet; beyond 64 MiB nothing more is taken from TalkJS"},
      {"talkjsd_journal_commit_seconds", kHistogram, "",
       "One group of events: handed to the store until stored"},
      {"talkjsd_journal_group_events", kHistogram, "", "Events stored as one group"},
      {"talkjsd_journal_prunes_total", kCounter, "reason",
       "Files of the journal that retention dropped: for their `age`, or before it for the "
       "journal's `size`; cursors then expire earlier than promised"},
      {"talkjsd_journal_errors_total", kCounter, "",
       "Attempts to write, read or tidy the journal that failed"},
      {"talkjsd_streams", kGauge, "kind", "Open streams of local clients"},
      {"talkjsd_streams_stalled", kGauge, "",
       "Streams whose client has not taken a response for over 10 s; each holds one batch of "
       "memory and slows nobody"},
      {"talkjsd_stream_lag_events", kGauge, "",
       "Events in the journal after the position of the message stream that is furthest behind; "
       "streams that have been sent everything are not behind"},
      {"talkjsd_stream_lag_seconds", kGauge, "",
       "How long the stream that is behind for longest has not had everything"},
      {"talkjsd_events_delivered_total", kCounter, "",
       "Events written to streams, counted per stream"},
      {"talkjsd_stream_write_seconds", kHistogram, "",
       "One batch of a stream: queued until gRPC has taken it (OnWriteDone)"},
      {"talkjsd_stream_gaps_total", kCounter, "reason",
       "Times that a message stream was told that events are lost to it: `cursor_expired` "
       "(retention passed it: the client was away, or too slow, for too long), `journal_lost`, "
       "`store_damaged`"},
      {"talkjsd_subscriptions", kGauge, "state", "Named subscriptions: `open`, `idle`"},
      {"talkjsd_subscription_lag_events", kGauge, "",
       "Events in the journal after the position of the named subscription that is furthest "
       "behind, whatever it selects"},
      {"talkjsd_acknowledgements_total", kCounter, "", "Acknowledgements of named subscriptions"},
      {"talkjsd_subscription_takeovers_total", kCounter, "",
       "Named subscriptions that a stream took from another one; two clients that fight for a name "
       "show here"},
      {"talkjsd_grpc_calls_total", kCounter, "method,code", "Calls that have ended, streams too"},
      {"talkjsd_log_lines_total", kCounter, "level", "Lines written to the log"},
      {"talkjsd_log_lines_suppressed_total", kCounter, "",
       "Lines not written because their site had written too many"},
      {"process_cpu_seconds_total", kCounter, "", "User and system time of the process"},
      {"process_resident_memory_bytes", kGauge, "", "Memory in RAM"},
      {"process_virtual_memory_bytes", kGauge, "", "Address space"},
      {"process_open_fds", kGauge, "", "Open file descriptors"},
      {"process_max_fds", kGauge, "", "File descriptors that may be open"},
      {"process_threads", kGauge, "", "Threads of the process"},
      {"process_start_time_seconds", kGauge, "", "When the process started, since 1970"},
  };
  return reference;
}

std::string_view MetricTypeName(MetricInfo::Type type) {
  switch (type) {
    case MetricInfo::Type::kCounter:
      return "counter";
    case MetricInfo::Type::kGauge:
      return "gauge";
    case MetricInfo::Type::kHistogram:
      return "histogram";
  }
  return "";
}

}  // namespace talkjsd
