#include "daemon/status_source.h"

#include <utility>
#include <vector>

namespace talkjsd {
namespace {

std::vector<admin::StreamStatus> Streams(const api::Server& server) {
  std::vector<admin::StreamStatus> streams;
  for (api::StreamInfo& stream : server.Streams()) {
    streams.push_back({.stream_id = std::move(stream.stream_id),
                       .kind = std::move(stream.kind),
                       .subscription = std::move(stream.subscription),
                       .session_count = stream.session_count,
                       .session_id = std::move(stream.session_id),
                       .opened_at = stream.opened_at,
                       .events_written = stream.events_written,
                       .behind_seconds = stream.behind_seconds,
                       .lag_events = stream.lag_events,
                       .stalled = stream.stalled});
  }
  return streams;
}

}  // namespace

admin::StatusSource MakeStatusSource(session::Registry& registry, const api::Server& server,
                                     const journal::Journal& journal, std::string upstream) {
  admin::StatusSource source;
  source.session_changes = [&registry](uint64_t* version) {
    return registry.ChangesSince(version);
  };
  source.streams = [&server] { return Streams(server); };
  source.journal_health = [&journal] { return journal.health(); };
  source.upstream = std::move(upstream);
  return source;
}

}  // namespace talkjsd
