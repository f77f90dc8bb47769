#include "daemon/api/services.h"
#include "daemon/api/unary.h"
#include "daemon/upstream/call.h"
#include "talkjs/sidecar/v1/conversation_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;
using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using Proto = v1::ConversationService;

using Base =
    Proto::WithRawCallbackMethod_GetConversation<Proto::WithRawCallbackMethod_ListConversations<
        Proto::WithRawCallbackMethod_MarkConversationRead<
            Proto::WithRawCallbackMethod_MarkConversationUnread<Proto::Service>>>>;

class ConversationService final : public Base {
 public:
  explicit ConversationService(Context& context) : context_(context) {}

  ServerUnaryReactor* MarkConversationRead(CallbackServerContext* call, const ByteBuffer* request,
                                           ByteBuffer* response) override {
    return AnswerLater<v1::MarkConversationReadRequest>(
        context_, call, request, response,
        [this](const v1::MarkConversationReadRequest& mark, PendingCallRef pending) {
          const Duration time_left = pending->TimeLeft();
          context_.registry.Call(
              mark.session_id(), upstream::MarkRead(mark.conversation_id()), time_left,
              [pending = std::move(pending)](const absl::StatusOr<upstream::Reply>& reply) {
                pending->Answer(Marked(reply));
              });
        });
  }

  ServerUnaryReactor* GetConversation(CallbackServerContext* call, const ByteBuffer*,
                                      ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("ConversationService.GetConversation"));
  }
  ServerUnaryReactor* ListConversations(CallbackServerContext* call, const ByteBuffer*,
                                        ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("ConversationService.ListConversations"));
  }
  ServerUnaryReactor* MarkConversationUnread(CallbackServerContext* call, const ByteBuffer*,
                                             ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("ConversationService.MarkConversationUnread"));
  }

 private:
  static absl::StatusOr<v1::MarkConversationReadResponse> Marked(
      const absl::StatusOr<upstream::Reply>& reply) {
    if (!reply.ok()) return reply.status();
    const absl::Status done = upstream::ParseDone(*reply, "marking the conversation as read");
    if (!done.ok()) return done;
    return v1::MarkConversationReadResponse();
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeConversationService(Context& context) {
  return std::make_unique<ConversationService>(context);
}

}  // namespace talkjsd::api
