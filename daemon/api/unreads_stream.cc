#include "daemon/api/unreads_stream.h"

#include <algorithm>
#include <utility>

#include "daemon/api/codec.h"
#include "daemon/api/convert.h"
#include "daemon/api/sessions.h"
#include "daemon/api/validate.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

}  // namespace

ByteStreamReactor* UnreadsStream::Open(Context& context, const grpc::CallbackServerContext& call,
                                       const v1::StreamUnreadsRequest& request) {
  if (const absl::Status valid = Validate(request); !valid.ok()) return RefuseStream(valid);
  std::vector<std::string> ids(request.session_ids().begin(), request.session_ids().end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (const absl::Status usable = CheckUsable(context.registry, ids); !usable.ok()) {
    return RefuseStream(usable);
  }
  return Launch(std::make_shared<UnreadsStream>(context, std::move(ids)), call);
}

UnreadsStream::UnreadsStream(Context& context, std::vector<std::string> session_ids)
    : Stream(context, context.metrics.unreads_streams, "unreads"),
      session_ids_(std::move(session_ids)) {
  // Where the sessions stand is no change; what follows is.
  for (const session::Info& info : context.registry.ChangesSince(&change_version_)) {
    if (!Follows(info.session_id)) continue;
    if (info.state == session::State::kDestroyed) {
      session_ended_ = session_ids_.size() == 1;
    } else {
      states_[info.session_id] = info.state;
    }
  }
}

bool UnreadsStream::Follows(const std::string& session_id) const {
  return session_ids_.empty() ||
         std::binary_search(session_ids_.begin(), session_ids_.end(), session_id);
}

void UnreadsStream::FollowStates() {
  for (const session::Info& info : context_.registry.ChangesSince(&change_version_)) {
    if (!Follows(info.session_id)) continue;
    const bool destroyed = info.state == session::State::kDestroyed;
    if (session_ids_.size() == 1) {
      session_ended_ = session_ended_ || destroyed;
      continue;
    }
    const auto known = states_.find(info.session_id);
    if (known != states_.end() && known->second == info.state) continue;
    if (known == states_.end() && destroyed) continue;  // came and went, or was reported
    changes_.push_back(ToStateChange(info));
    if (destroyed) {
      states_.erase(known);
    } else {
      states_[info.session_id] = info.state;
    }
  }
}

Stream::Step UnreadsStream::Next() {
  v1::StreamUnreadsResponse response;
  if (!opened_) {
    opened_ = true;
    response.mutable_opened()->set_stream_id(id_);
    return Write{Encode(response)};
  }
  FollowStates();
  if (session_ended_) return SessionDestroyed(session_ids_.front());
  if (!changes_.empty()) {
    *response.mutable_session_state() = std::move(changes_.front());
    changes_.pop_front();
    return Write{Encode(response)};
  }
  if (lists_.empty()) {
    for (auto& list : context_.registry.unreads().NewerThan(session_ids_, &list_version_)) {
      lists_.push_back(std::move(list));
    }
  }
  if (lists_.empty()) return Idle{};
  Write write{Share(std::move(lists_.front()))};
  lists_.pop_front();
  return write;
}

void UnreadsStream::Arm() {
  Release();
  const auto wake = [weak = weak_from_this()] {
    if (const std::shared_ptr<Stream> stream = weak.lock()) stream->Wake();
  };
  list_handle_ = context_.registry.unreads().NotifyWhenNewer(list_version_, session_ids_, wake);
  change_handle_ = context_.registry.NotifyOfChange(change_version_, wake);
}

void UnreadsStream::Release() {
  if (list_handle_ != 0) context_.registry.unreads().Cancel(list_handle_);
  if (change_handle_ != 0) context_.registry.Cancel(change_handle_);
  list_handle_ = 0;
  change_handle_ = 0;
}

}  // namespace talkjsd::api
