// StreamUnreads: the newest list of each session.
#ifndef TALKJSD_API_STREAMS_UNREADS_STREAM_H_
#define TALKJSD_API_STREAMS_UNREADS_STREAM_H_

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "daemon/api/calls/admit.h"
#include "daemon/api/streams/stream.h"
#include "daemon/session/registry.h"
#include "daemon/session/unreads_board.h"
#include "talkjs/sidecar/v1/event_service.pb.h"

namespace talkjsd::api {

// As EventService.StreamUnreads promises. Threads and lifetime: see Stream.
class UnreadsStream final : public Stream {
 public:
  static ByteStreamReactor* Open(
      Context& context, const grpc::CallbackServerContext& call,
      const Admitted<talkjs::sidecar::v1::StreamUnreadsRequest>& admitted);

  UnreadsStream(Context& context, PermitRef permit, std::vector<std::string> session_ids);

  bool IsOverAlone(const std::string& session_id) const override {
    return session_ids_.size() == 1 && session_ids_.front() == session_id;
  }

 private:
  void Describe(StreamInfo& info) const override { SelectionOf(session_ids_, info); }
  Step Next() override;
  void Arm() override;
  void Release() override;

  // Changes of session state that a stream over several sessions reports, and the end of one over
  // one.
  void FollowStates();
  bool Follows(const std::string& session_id);
  // Whether a list is for this stream's client.
  bool MayShow(const std::string& encoded);

  const std::vector<std::string> session_ids_;  // sorted; empty: all
  SessionFilter filter_;
  bool opened_ = false;
  bool session_ended_ = false;

  uint64_t list_version_ = 0;
  std::deque<session::UnreadsBoard::Encoded> lists_;  // to be sent: at most one per session
  uint64_t change_version_ = 0;
  std::map<std::string, session::State> states_;
  std::deque<talkjs::sidecar::v1::SessionStateChange> changes_;  // to be sent

  uint64_t list_handle_ = 0;
  uint64_t change_handle_ = 0;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_UNREADS_STREAM_H_
