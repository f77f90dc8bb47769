#include <algorithm>

#include "daemon/api/calls/unary.h"
#include "daemon/api/services.h"
#include "daemon/api/streams/message_stream.h"
#include "daemon/api/streams/unreads_stream.h"
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

  ByteStreamReactor* StreamMessages(CallbackServerContext* call, const ByteBuffer* bytes) override {
    const auto admitted = Admit<v1::StreamMessagesRequest>(context_, *call, *bytes);
    if (!admitted.ok()) return RefuseStream(admitted.status());
    return MessageStream::Open(context_, *call, *admitted);
  }

  ByteStreamReactor* StreamUnreads(CallbackServerContext* call, const ByteBuffer* bytes) override {
    const auto admitted = Admit<v1::StreamUnreadsRequest>(context_, *call, *bytes);
    if (!admitted.ok()) return RefuseStream(admitted.status());
    return UnreadsStream::Open(context_, *call, *admitted);
  }

  ServerUnaryReactor* Acknowledge(CallbackServerContext* call, const ByteBuffer* request,
                                  ByteBuffer* response) override {
    return AnswerBySubscriptions<v1::AcknowledgeRequest>(call, request, response,
                                                         &Subscriptions::Acknowledge);
  }
  ServerUnaryReactor* ListSubscriptions(CallbackServerContext* call, const ByteBuffer* request,
                                        ByteBuffer* response) override {
    return AnswerBySubscriptions<v1::ListSubscriptionsRequest>(call, request, response,
                                                               &Subscriptions::List);
  }
  ServerUnaryReactor* DeleteSubscription(CallbackServerContext* call, const ByteBuffer* request,
                                         ByteBuffer* response) override {
    return AnswerBySubscriptions<v1::DeleteSubscriptionRequest>(call, request, response,
                                                                &Subscriptions::Delete);
  }

 private:
  template <typename Request, typename Method>
  ServerUnaryReactor* AnswerBySubscriptions(CallbackServerContext* call, const ByteBuffer* bytes,
                                            ByteBuffer* response, Method method) {
    if (context_.subscriptions == nullptr) {
      return RefuseUnary(call, NotImplemented("Named subscriptions"));
    }
    return Answer<Request>(
        context_, call, bytes, response, [&](const Request& request, const Permit& permit) {
          return (context_.subscriptions.get()->*method)(request, MayUseAll(permit));
        });
  }

  // For sets of session ids, of which an empty one means all.
  Subscriptions::MayUse MayUseAll(const Permit& permit) const {
    return [this, policy = permit.policy()](const std::vector<std::string>& session_ids) {
      if (policy->CoversAll()) return true;
      return !session_ids.empty() &&
             std::all_of(session_ids.begin(), session_ids.end(), [&](const std::string& id) {
               const absl::StatusOr<session::Info> info = context_.registry.Get(id);
               return info.ok() && policy->Covers(info->app_id, info->user_id);
             });
    };
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeEventService(Context& context) {
  return std::make_unique<EventService>(context);
}

}  // namespace talkjsd::api
