// StreamMessages: a cursor into the journal.
#ifndef TALKJSD_API_STREAMS_MESSAGE_STREAM_H_
#define TALKJSD_API_STREAMS_MESSAGE_STREAM_H_

#include <memory>
#include <optional>
#include <string>

#include "daemon/api/calls/admit.h"
#include "daemon/api/streams/stream.h"
#include "daemon/api/streams/subscriptions.h"
#include "daemon/journal/journal.h"
#include "talkjs/sidecar/v1/event_service.pb.h"

namespace talkjsd::api {

// As EventService.StreamMessages promises. Threads and lifetime: see Stream.
class MessageStream final : public Stream {
 public:
  static ByteStreamReactor* Open(
      Context& context, const grpc::CallbackServerContext& call,
      const Admitted<talkjs::sidecar::v1::StreamMessagesRequest>& admitted);

  struct Parts {
    PermitRef permit;
    std::unique_ptr<journal::Reader> reader;
    // Of a named subscription.
    std::shared_ptr<SubscriptionHold> hold;
    bool follows_all = false;  // no sessions were named
    // The session of a stream over one; empty for several.
    std::string only_session;
    size_t session_count = 0;  // 0: all
    // With Opened.
    talkjs::sidecar::v1::StreamMessagesResponse first;
  };
  MessageStream(Context& context, std::string id, Parts parts);

  bool IsOverAlone(const std::string& session_id) const override {
    return only_session_ == session_id;
  }

 private:
  Step Next() override;
  void Arm() override;
  void Release() override;

  void Describe(StreamInfo& info) const override;
  Step NextResponse();
  Step NextWhenEmpty();
  void CountWritten(size_t events);
  // Takes out what the client may not see, on a stream over all sessions.
  void LeaveOut(std::vector<journal::EventRef>& events);
  // Cuts `events` before the end of the only session.
  void LookForEnd(std::vector<journal::EventRef>& events);

  std::unique_ptr<journal::Reader> reader_;
  const std::shared_ptr<SubscriptionHold> hold_;
  // Until it has been sent.
  std::optional<talkjs::sidecar::v1::StreamMessagesResponse> first_;
  const std::string only_session_;
  const size_t session_count_;
  SessionFilter filter_;
  const bool follows_all_;
  bool session_ended_ = false;
  bool caught_up_ = false;
  size_t written_ = 0;  // events of the present step
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_STREAMS_MESSAGE_STREAM_H_
