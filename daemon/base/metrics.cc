#include "daemon/base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <cstdlib>

#include "daemon/base/log.h"
#include "daemon/base/process_stats.h"
#include "daemon/base/version.h"

namespace talkjsd {
namespace {

// From a wake-up on an idle machine (tens of microseconds) to the stalls of gRPC 1.51 worth seeing
// (tens of milliseconds) and a client that stopped reading (seconds).
const prometheus::Histogram::BucketBoundaries kLatencyBuckets = {
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10};
const prometheus::Histogram::BucketBoundaries kGroupBuckets = {1,  2,   4,   8,   16,   32,
                                                               64, 128, 256, 512, 1024, 4096};

const char* HelpOf(std::string_view name) {
  for (const MetricInfo& info : MetricReference()) {
    if (info.name == name) return info.help;
  }
  LogError("a metric is not in the reference", {{"name", name}});
  std::abort();
}

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry,
                                                  const char* name) {
  return prometheus::BuildCounter().Name(name).Help(HelpOf(name)).Register(registry);
}

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name) {
  return prometheus::BuildGauge().Name(name).Help(HelpOf(name)).Register(registry);
}

prometheus::Counter* Counter(prometheus::Registry& registry, const char* name) {
  return &Counters(registry, name).Add({});
}

prometheus::Gauge* Gauge(prometheus::Registry& registry, const char* name) {
  return &Gauges(registry, name).Add({});
}

prometheus::Histogram* Histogram(prometheus::Registry& registry, const char* name,
                                 const prometheus::Histogram::BucketBoundaries& buckets) {
  return &prometheus::BuildHistogram()
              .Name(name)
              .Help(HelpOf(name))
              .Register(registry)
              .Add({}, buckets);
}

// What is read where it lies when somebody asks.
class Snapshot {
 public:
  void Add(const char* name, double value, std::map<std::string, std::string> labels = {}) {
    if (families_.empty() || families_.back().name != name) Begin(name);
    prometheus::MetricFamily& family = families_.back();
    prometheus::ClientMetric metric;
    for (const auto& [key, text] : labels) metric.label.push_back({key, text});
    (family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value) =
        value;
    family.metric.push_back(std::move(metric));
  }
  std::vector<prometheus::MetricFamily> Take() { return std::move(families_); }

 private:
  void Begin(const char* name) {
    const auto& all = MetricReference();
    const auto info = std::find_if(all.begin(), all.end(), [name](const MetricInfo& one) {
      return std::string_view(one.name) == name;
    });
    if (info == all.end()) std::abort();
    const bool counts = info->type == MetricInfo::Type::kCounter;
    families_.push_back({name,
                         info->help,
                         counts ? prometheus::MetricType::Counter : prometheus::MetricType::Gauge,
                         {}});
  }

  std::vector<prometheus::MetricFamily> families_;
};

std::vector<prometheus::MetricFamily> Now() {
  Snapshot now;
  const LogCounts lines = CountLogLines();
  for (size_t level = 0; level < lines.written.size(); ++level) {
    now.Add("talkjsd_log_lines_total", static_cast<double>(lines.written[level]),
            {{"level", std::string(LogLevelName(static_cast<LogLevel>(level)))}});
  }
  now.Add("talkjsd_log_lines_suppressed_total", static_cast<double>(lines.suppressed));
  const ProcessStats process = ReadProcessStats();
  now.Add("process_cpu_seconds_total", process.cpu_seconds);
  now.Add("process_resident_memory_bytes", process.resident_bytes);
  now.Add("process_virtual_memory_bytes", process.virtual_bytes);
  now.Add("process_open_fds", process.open_fds);
  now.Add("process_max_fds", process.max_fds);
  now.Add("process_threads", process.threads);
  now.Add("process_start_time_seconds", process.start_time_seconds);
  return now.Take();
}

}  // namespace

Metrics::Metrics() : registry_(std::make_shared<prometheus::Registry>()) {
  Gauges(*registry_, "talkjsd_build_info").Add({{"version", TALKJSD_VERSION}}).Set(1);
  auto& by_state = Gauges(*registry_, "talkjsd_sessions");
  for (const char* state :
       {"awaiting_me", "waiting_for_token", "connecting", "connected", "reconnecting", "failed"}) {
    sessions[state] = &by_state.Add({{"state", state}});
  }
  AddUpstream();
  AddJournal();
  AddStreams();
  calls_ = &Counters(*registry_, "talkjsd_grpc_calls_total");
}

Metrics::~Metrics() = default;

void Metrics::AddUpstream() {
  auto& frames = Counters(*registry_, "talkjsd_upstream_frames_total");
  frames_received = &frames.Add({{"direction", "received"}});
  frames_sent = &frames.Add({{"direction", "sent"}});
  connects = Counter(*registry_, "talkjsd_upstream_connects_total");
  reconnects = Counter(*registry_, "talkjsd_upstream_reconnects_total");
  protocol_errors = Counter(*registry_, "talkjsd_upstream_protocol_errors_total");
  token_refreshes = Counter(*registry_, "talkjsd_token_refreshes_total");
  auto& failures = Counters(*registry_, "talkjsd_token_failures_total");
  tokens_refused = &failures.Add({{"cause", "refused"}});
  tokens_missing = &failures.Add({{"cause", "source"}});
  tokens_fatal = &failures.Add({{"cause", "fatal"}});
  gaps_filled = Counter(*registry_, "talkjsd_recovered_messages_total");
  sweeps = Counter(*registry_, "talkjsd_sweeps_total");
  sweep_finds = Counter(*registry_, "talkjsd_sweep_finds_total");
}

void Metrics::AddJournal() {
  auto& events = Counters(*registry_, "talkjsd_journal_events_total");
  for (size_t kind = 0; kind < kEventKinds.size(); ++kind) {
    events_appended[kind] = &events.Add({{"kind", kEventKinds[kind]}});
  }
  journal_events = Gauge(*registry_, "talkjsd_journal_kept_events");
  journal_bytes = Gauge(*registry_, "talkjsd_journal_kept_bytes");
  journal_queued_bytes = Gauge(*registry_, "talkjsd_journal_queued_bytes");
  commit_seconds = Histogram(*registry_, "talkjsd_journal_commit_seconds", kLatencyBuckets);
  group_events = Histogram(*registry_, "talkjsd_journal_group_events", kGroupBuckets);
  auto& prunes = Counters(*registry_, "talkjsd_journal_prunes_total");
  pruned_by_age = &prunes.Add({{"reason", "age"}});
  pruned_by_size = &prunes.Add({{"reason", "size"}});
  store_errors = Counter(*registry_, "talkjsd_journal_errors_total");
}

void Metrics::AddStreams() {
  auto& streams = Gauges(*registry_, "talkjsd_streams");
  message_streams = &streams.Add({{"kind", "messages"}});
  unreads_streams = &streams.Add({{"kind", "unreads"}});
  session_streams = &streams.Add({{"kind", "sessions"}});
  token_streams = &streams.Add({{"kind", "tokens"}});
  streams_stalled = Gauge(*registry_, "talkjsd_streams_stalled");
  stream_lag_events = Gauge(*registry_, "talkjsd_stream_lag_events");
  stream_lag_seconds = Gauge(*registry_, "talkjsd_stream_lag_seconds");
  events_delivered = Counter(*registry_, "talkjsd_events_delivered_total");
  write_seconds = Histogram(*registry_, "talkjsd_stream_write_seconds", kLatencyBuckets);
  auto& gaps = Counters(*registry_, "talkjsd_stream_gaps_total");
  gaps_cursor_expired = &gaps.Add({{"reason", "cursor_expired"}});
  gaps_journal_lost = &gaps.Add({{"reason", "journal_lost"}});
  gaps_store_damaged = &gaps.Add({{"reason", "store_damaged"}});
  auto& subscriptions = Gauges(*registry_, "talkjsd_subscriptions");
  subscriptions_open = &subscriptions.Add({{"state", "open"}});
  subscriptions_idle = &subscriptions.Add({{"state", "idle"}});
  subscription_lag_events = Gauge(*registry_, "talkjsd_subscription_lag_events");
  acknowledgements = Counter(*registry_, "talkjsd_acknowledgements_total");
  subscription_takeovers = Counter(*registry_, "talkjsd_subscription_takeovers_total");
}

prometheus::Counter& Metrics::Calls(std::string_view method, std::string_view code) {
  return calls_->Add({{"method", std::string(method)}, {"code", std::string(code)}});
}

std::string Metrics::Render() const {
  std::vector<prometheus::MetricFamily> families = registry_->Collect();
  for (prometheus::MetricFamily& family : Now()) families.push_back(std::move(family));
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace talkjsd
