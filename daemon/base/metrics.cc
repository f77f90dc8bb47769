#include "daemon/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

namespace talkjsd {
namespace {

// From a wake-up on an idle machine (tens of microseconds) to the stalls of gRPC 1.51 worth seeing
// (tens of milliseconds) and a client that stopped reading (seconds).
const prometheus::Histogram::BucketBoundaries kLatencyBuckets = {
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10};

}  // namespace

Metrics::Metrics() : registry_(std::make_shared<prometheus::Registry>()) {
  auto counter = [this](const char* name, const char* help) {
    return &prometheus::BuildCounter().Name(name).Help(help).Register(*registry_).Add({});
  };
  auto gauge = [this](const char* name, const char* help) {
    return &prometheus::BuildGauge().Name(name).Help(help).Register(*registry_).Add({});
  };
  auto histogram = [this](const char* name, const char* help,
                          const prometheus::Histogram::BucketBoundaries& buckets) {
    return &prometheus::BuildHistogram()
                .Name(name)
                .Help(help)
                .Register(*registry_)
                .Add({}, buckets);
  };

  auto& frames = prometheus::BuildCounter()
                     .Name("talkjsd_upstream_frames_total")
                     .Help("Realtime frames exchanged with TalkJS")
                     .Register(*registry_);
  frames_received = &frames.Add({{"direction", "received"}});
  frames_sent = &frames.Add({{"direction", "sent"}});
  connects = counter("talkjsd_upstream_connects_total", "Sockets opened to TalkJS");
  reconnects = counter("talkjsd_upstream_reconnects_total",
                       "Sockets opened to TalkJS after the loss of an earlier one");
  token_refreshes =
      counter("talkjsd_token_refreshes_total", "Logins and renewals that TalkJS accepted");
  protocol_errors =
      counter("talkjsd_upstream_protocol_errors_total", "Frames that were not understood");
  gaps_filled = counter("talkjsd_recovered_messages_total",
                        "Messages found by reading back after a reconnect");
  sweep_finds = counter("talkjsd_sweep_finds_total",
                        "Conversations whose news no event told and the sweep found");
  events_appended = counter("talkjsd_journal_events_total", "Events stored in the journal");
  journal_events = gauge("talkjsd_journal_events", "Events kept in the journal");
  journal_bytes = gauge("talkjsd_journal_bytes", "Bytes of the events kept in the journal");
  journal_queued_bytes =
      gauge("talkjsd_journal_queued_bytes", "Bytes of events that are not stored yet");
  commit_seconds =
      histogram("talkjsd_journal_commit_seconds",
                "One group of events: handed to the store until stored", kLatencyBuckets);
  group_events = histogram("talkjsd_journal_group_events", "Events stored as one group",
                           {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096});
  journal_prunes =
      counter("talkjsd_journal_prunes_total", "Segments of the journal dropped by retention");
  store_errors = counter("talkjsd_journal_errors_total",
                         "Attempts to write, read or tidy the journal that failed");
  auto& streams = prometheus::BuildGauge()
                      .Name("talkjsd_streams")
                      .Help("Open streams of local clients")
                      .Register(*registry_);
  message_streams = &streams.Add({{"kind", "messages"}});
  unreads_streams = &streams.Add({{"kind", "unreads"}});
  streams_stalled = gauge("talkjsd_streams_stalled",
                          "Streams whose client has not taken a response for over 10 seconds");
  events_delivered =
      counter("talkjsd_events_delivered_total", "Events written to streams, counted per stream");
  write_seconds = histogram("talkjsd_stream_write_seconds",
                            "One batch of a stream: queued until OnWriteDone", kLatencyBuckets);
  auto& gaps = prometheus::BuildCounter()
                   .Name("talkjsd_stream_gaps_total")
                   .Help("Times that a message stream was told that events are lost to it")
                   .Register(*registry_);
  gaps_cursor_expired = &gaps.Add({{"reason", "cursor_expired"}});
  gaps_journal_lost = &gaps.Add({{"reason", "journal_lost"}});
  gaps_store_damaged = &gaps.Add({{"reason", "store_damaged"}});
  auto& subscriptions = prometheus::BuildGauge()
                            .Name("talkjsd_subscriptions")
                            .Help("Named subscriptions")
                            .Register(*registry_);
  subscriptions_open = &subscriptions.Add({{"state", "open"}});
  subscriptions_idle = &subscriptions.Add({{"state", "idle"}});
  subscription_lag_events = gauge("talkjsd_subscription_lag_events",
                                  "Events in the journal after the position of the named "
                                  "subscription that is furthest behind");
  acknowledgements =
      counter("talkjsd_acknowledgements_total", "Acknowledgements of named subscriptions");
  subscription_takeovers = counter("talkjsd_subscription_takeovers_total",
                                   "Named subscriptions that a stream took from another one");
  auto& by_state = prometheus::BuildGauge()
                       .Name("talkjsd_sessions")
                       .Help("Sessions by state")
                       .Register(*registry_);
  for (const char* state :
       {"awaiting_me", "waiting_for_token", "connecting", "connected", "reconnecting", "failed"}) {
    sessions[state] = &by_state.Add({{"state", state}});
  }
}

Metrics::~Metrics() = default;

std::string Metrics::Render() const {
  return prometheus::TextSerializer().Serialize(registry_->Collect());
}

}  // namespace talkjsd
