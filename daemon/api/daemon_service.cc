#include <prometheus/gauge.h>

#include <map>

#include "daemon/api/calls/unary.h"
#include "daemon/api/convert/convert.h"
#include "daemon/api/limits.h"
#include "daemon/api/services.h"
#include "daemon/base/version.h"
#include "talkjs/sidecar/v1/daemon_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;
using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

v1::UpstreamMode ToProto(UpstreamMode mode) {
  switch (mode) {
    case UpstreamMode::kProduction:
      return v1::UPSTREAM_MODE_PRODUCTION;
    case UpstreamMode::kHost:
      return v1::UPSTREAM_MODE_HOST;
    case UpstreamMode::kEmulator:
      return v1::UPSTREAM_MODE_EMULATOR;
  }
  return v1::UPSTREAM_MODE_UNSPECIFIED;
}

std::string EpochBytes(uint64_t epoch) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((epoch >> shift) & 0xFF));
  }
  return bytes;
}

class DaemonService final
    : public v1::DaemonService::WithRawCallbackMethod_GetInfo<v1::DaemonService::Service> {
 public:
  explicit DaemonService(Context& context) : context_(context) {}

  ServerUnaryReactor* GetInfo(CallbackServerContext* call, const ByteBuffer* request,
                              ByteBuffer* response) override {
    return Answer<v1::GetInfoRequest>(context_, call, request, response,
                                      [this](const auto&, const Permit& permit) {
                                        return absl::StatusOr<v1::GetInfoResponse>(Info(permit));
                                      });
  }

 private:
  v1::GetInfoResponse Info(const Permit& permit) const {
    v1::GetInfoResponse info;
    info.set_version(TALKJSD_VERSION);
    *info.mutable_start_time() = ToTimestamp(context_.start_time);
    info.set_epoch(EpochBytes(context_.journal.epoch()));
    info.mutable_upstream()->set_mode(ToProto(context_.options.upstream_mode));
    info.mutable_upstream()->set_host(context_.options.upstream_host);
    info.set_stream_count(static_cast<int64_t>(context_.streams.size()));
    FillLimits(*info.mutable_limits());
    FillJournal(*info.mutable_journal());
    std::map<session::State, int64_t> by_state;
    for (const session::Info& session : context_.registry.List()) {
      if (permit.MayUse(session)) ++by_state[session.state];
    }
    for (const auto& [state, count] : by_state) {
      v1::SessionCount& entry = *info.add_sessions_by_state();
      entry.set_state(api::ToProto(state));
      entry.set_count(count);
    }
    return info;
  }

  void FillLimits(v1::Limits& limits) const {
    const api::Limits now = context_.access->quotas().limits();
    limits.set_max_sessions(now.sessions);
    limits.set_max_streams(static_cast<int64_t>(now.streams));
    limits.set_max_request_bytes(now.request_bytes);
    limits.set_max_page_size(kMaxPageSize);
    limits.set_max_events_per_response(kMaxEventsPerResponse);
    limits.set_max_bytes_per_response(kMaxBytesPerResponse);
    limits.set_max_selected_ids(kMaxSelectedIds);
    limits.set_message_subscriptions_per_session(
        context_.options.message_subscriptions_per_session);
  }

  void FillJournal(v1::JournalInfo& info) const {
    const journal::Journal& journal = context_.journal;
    const std::optional<journal::Durability> durability = journal.durability();
    info.set_state(!durability.has_value() ? v1::JOURNAL_STATE_MEMORY
                   : journal.health().ok() ? v1::JOURNAL_STATE_OK
                                           : v1::JOURNAL_STATE_UNAVAILABLE);
    info.set_durability(!durability.has_value()                     ? v1::DURABILITY_UNSPECIFIED
                        : *durability == journal::Durability::kDisk ? v1::DURABILITY_DISK
                                                                    : v1::DURABILITY_OS);
    info.set_earliest_cursor(journal::EncodeCursor(journal.Earliest()));
    info.set_latest_cursor(journal::EncodeCursor(journal.Latest()));
    info.set_event_count(static_cast<int64_t>(context_.metrics.journal_events->Value()));
    info.set_size_bytes(static_cast<int64_t>(context_.metrics.journal_bytes->Value()));
    const journal::Retention retention = journal.retention();
    info.mutable_retention()->set_seconds(
        std::chrono::duration_cast<std::chrono::seconds>(retention.age).count());
    info.set_max_size_bytes(static_cast<int64_t>(retention.bytes));
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeDaemonService(Context& context) {
  return std::make_unique<DaemonService>(context);
}

}  // namespace talkjsd::api
