#include "daemon/api/message_stream.h"
#include "daemon/api/services.h"
#include "daemon/api/unary.h"
#include "daemon/api/unreads_stream.h"
#include "talkjs/sidecar/v1/event_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;
using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using Proto = v1::EventService;

using Base = Proto::WithRawCallbackMethod_StreamMessages<Proto::WithRawCallbackMethod_StreamUnreads<
    Proto::WithRawCallbackMethod_Acknowledge<Proto::WithRawCallbackMethod_ListSubscriptions<
        Proto::WithRawCallbackMethod_DeleteSubscription<Proto::Service>>>>>;

class EventService final : public Base {
 public:
  explicit EventService(Context& context) : context_(context) {}

  ByteStreamReactor* StreamMessages(CallbackServerContext*, const ByteBuffer* bytes) override {
    const auto request = Decode<v1::StreamMessagesRequest>(*bytes);
    if (!request.ok()) return RefuseStream(request.status());
    return MessageStream::Open(context_, *request);
  }

  ByteStreamReactor* StreamUnreads(CallbackServerContext*, const ByteBuffer* bytes) override {
    const auto request = Decode<v1::StreamUnreadsRequest>(*bytes);
    if (!request.ok()) return RefuseStream(request.status());
    return UnreadsStream::Open(context_, *request);
  }

  ServerUnaryReactor* Acknowledge(CallbackServerContext* call, const ByteBuffer*,
                                  ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("EventService.Acknowledge"));
  }
  ServerUnaryReactor* ListSubscriptions(CallbackServerContext* call, const ByteBuffer*,
                                        ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("EventService.ListSubscriptions"));
  }
  ServerUnaryReactor* DeleteSubscription(CallbackServerContext* call, const ByteBuffer*,
                                         ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("EventService.DeleteSubscription"));
  }

 private:
  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeEventService(Context& context) {
  return std::make_unique<EventService>(context);
}

}  // namespace talkjsd::api
