#include "daemon/api/streams/session_watch.h"

#include <algorithm>
#include <utility>

#include "daemon/api/codec.h"
#include "daemon/api/convert/convert.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

// A session takes a few hundred bytes: far below the 4 MiB that clients accept by default.
constexpr int kSessionsPerResponse = 256;

}  // namespace

ByteStreamReactor* SessionWatch::Open(Context& context, const grpc::CallbackServerContext& call,
                                      const Admitted<v1::WatchSessionsRequest>& admitted) {
  for (const std::string& id : admitted.request.session_ids()) {
    const absl::StatusOr<session::Info> info = context.registry.GetAlive(id);
    if (!info.ok()) return RefuseStream(WithMetadata(info.status(), "session_id", id));
  }
  return Launch(std::make_shared<SessionWatch>(context, admitted), call);
}

SessionWatch::SessionWatch(Context& context, const Admitted<v1::WatchSessionsRequest>& admitted)
    : Stream(context, context.metrics.session_streams, "sessions"),
      session_ids_(admitted.request.session_ids().begin(), admitted.request.session_ids().end()),
      app_id_(admitted.request.app_id()) {
  SetPermit(admitted.permit);
}

void SessionWatch::Collect() {
  const bool is_first = version_ == 0;
  pending_ = context_.registry.ChangesSince(&version_);
  next_ = 0;
  std::erase_if(pending_, [&](const session::Info& info) {
    return !permit()->MayUse(info) ||
           (!session_ids_.empty() && session_ids_.count(info.session_id) == 0) ||
           (!app_id_.empty() && info.app_id != app_id_) ||
           (is_first && info.state == session::State::kDestroyed);
  });
}

Stream::Step SessionWatch::Next() {
  if (next_ == pending_.size()) Collect();
  v1::WatchSessionsResponse response;
  while (next_ < pending_.size() && response.sessions_size() < kSessionsPerResponse) {
    *response.add_sessions() = ToProto(pending_[next_++]);
  }
  if (!snapshot_complete_ && next_ == pending_.size()) {
    snapshot_complete_ = true;
    response.set_snapshot_complete(true);
  }
  if (response.sessions_size() == 0 && !response.snapshot_complete()) return Idle{};
  return Write{Encode(response)};
}

void SessionWatch::Arm() {
  Release();
  handle_ = context_.registry.NotifyOfChange(version_, [weak = weak_from_this()] {
    if (const std::shared_ptr<Stream> stream = weak.lock()) stream->Wake();
  });
}

void SessionWatch::Release() {
  if (handle_ != 0) context_.registry.Cancel(handle_);
  handle_ = 0;
}

}  // namespace talkjsd::api
