// WatchSessions: sessions as they are, then as they change.
#ifndef TALKJSD_API_STREAMS_SESSION_WATCH_H_
#define TALKJSD_API_STREAMS_SESSION_WATCH_H_

#include <set>
#include <string>
#include <vector>

#include "daemon/api/calls/admit.h"
#include "daemon/api/streams/stream.h"
#include "daemon/session/registry.h"
#include "talkjs/sidecar/v1/session_service.pb.h"

namespace talkjsd::api {

// As SessionService.WatchSessions promises. Threads and lifetime: see Stream.
class SessionWatch final : public Stream {
 public:
  static ByteStreamReactor* Open(
      Context& context, const grpc::CallbackServerContext& call,
      const Admitted<talkjs::sidecar::v1::WatchSessionsRequest>& admitted);

  SessionWatch(Context& context,
               const Admitted<talkjs::sidecar::v1::WatchSessionsRequest>& admitted);

 private:
  void Describe(StreamInfo& info) const override {
    SelectionOf({session_ids_.begin(), session_ids_.end()}, info);
  }
  Step Next() override;
  void Arm() override;
  void Release() override;

  void Collect();

  const std::set<std::string> session_ids_;  // empty: all
  const std::string app_id_;                 // empty: all
  uint64_t version_ = 0;
  bool snapshot_complete_ = false;
  std::vector<session::Info> pending_;  // what changed and is not sent yet, from next_ on
  size_t next_ = 0;
  uint64_t handle_ = 0;
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_SESSION_WATCH_H_
