#include "daemon/api/streams/unreads_stream.h"

#include <algorithm>
#include <utility>

#include "daemon/api/calls/sessions.h"
#include "daemon/api/codec.h"
#include "daemon/api/convert/convert.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;

}  // namespace

ByteStreamReactor* UnreadsStream::Open(Context& context, const grpc::CallbackServerContext& call,
                                       const Admitted<v1::StreamUnreadsRequest>& admitted) {
  const v1::StreamUnreadsRequest& request = admitted.request;
  std::vector<std::string> ids(request.session_ids().begin(), request.session_ids().end());
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  if (const absl::Status usable = CheckUsable(context.registry, ids); !usable.ok()) {
    return RefuseStream(usable);
  }
  return Launch(std::make_shared<UnreadsStream>(context, admitted.permit, std::move(ids)), call);
}

UnreadsStream::UnreadsStream(Context& context, PermitRef permit,
                             std::vector<std::string> session_ids)
    : Stream(context, context.metrics.unreads_streams, "unreads"),
      session_ids_(std::move(session_ids)),
      filter_(context.registry, permit) {
  SetPermit(std::move(permit));
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

bool UnreadsStream::Follows(const std::string& session_id) {
  if (session_ids_.empty()) return filter_.Passes(session_id);
  return std::binary_search(session_ids_.begin(), session_ids_.end(), session_id);
}

bool UnreadsStream::MayShow(const std::string& encoded) {
  if (!session_ids_.empty() || filter_.PassesAll()) return true;
  v1::StreamUnreadsResponse response;
  return response.ParseFromString(encoded) && filter_.Passes(response.unreads().session_id());
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
      if (MayShow(*list)) lists_.push_back(std::move(list));
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
