#include "daemon/api/convert.h"
#include "daemon/api/limits.h"
#include "daemon/api/request_log.h"
#include "daemon/api/services.h"
#include "daemon/api/sessions.h"
#include "daemon/api/unary.h"
#include "daemon/upstream/call.h"
#include "daemon/wire/ids.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "talkjs/sidecar/v1/message_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;
using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using ReplyOr = absl::StatusOr<upstream::Reply>;
using Proto = v1::MessageService;

// One SendMessage on its way: perhaps creating and joining the conversation, then sending. Each
// step's answer starts the next, on the session's shard; the object lives as long as a step is
// outstanding, which may be after the server.
class Sending final : public std::enable_shared_from_this<Sending> {
 public:
  Sending(session::Registry& registry, std::shared_ptr<RequestLog> log,
          const v1::SendMessageRequest& request, std::string log_id, std::string idempotency_key,
          PendingCallRef call)
      : registry_(registry),
        log_(std::move(log)),
        session_id_(request.session_id()),
        conversation_id_(request.conversation_id()),
        message_(ToOutgoing(request)),
        log_id_(std::move(log_id)),
        call_(std::move(call)) {
    message_.idempotency_key = std::move(idempotency_key);
  }

  void Create(std::string user_id) {
    Do(upstream::CreateConversation(conversation_id_),
       [self = shared_from_this(), user_id = std::move(user_id)](const upstream::Reply& reply) {
         const absl::Status created =
             upstream::ParseDone(reply, "creating the conversation", kExistsAlready);
         if (!created.ok()) return self->call_->End(created);
         self->Join(user_id);
       });
  }

  void Send() {
    Do(upstream::SendMessage(conversation_id_, message_),
       [self = shared_from_this()](const upstream::Reply& reply) {
         const absl::StatusOr<std::string> id = upstream::ParseSentMessage(reply);
         if (!id.ok()) return self->call_->End(id.status());
         if (!self->log_id_.empty()) self->log_->SetAnswer(self->log_id_, *id);
         v1::SendMessageResponse response;
         response.set_message_id(*id);
         self->call_->Answer(absl::StatusOr<v1::SendMessageResponse>(std::move(response)));
       });
  }

 private:
  static constexpr int kExistsAlready = 409;

  void Join(const std::string& user_id) {
    Do(upstream::JoinConversation(conversation_id_, user_id),
       [self = shared_from_this()](const upstream::Reply& reply) {
         const absl::Status joined = upstream::ParseJoined(reply);
         if (!joined.ok()) return self->call_->End(joined);
         self->Send();
       });
  }

  void Do(upstream::Request request, std::function<void(const upstream::Reply&)> next) {
    registry_.Call(session_id_, std::move(request), call_->TimeLeft(),
                   [call = call_, next = std::move(next)](const ReplyOr& reply) {
                     if (!reply.ok()) return call->End(reply.status());
                     next(*reply);
                   });
  }

  session::Registry& registry_;
  const std::shared_ptr<RequestLog> log_;
  const std::string session_id_;
  const std::string conversation_id_;
  upstream::OutgoingMessage message_;
  const std::string log_id_;  // empty: the request has no request_id
  const PendingCallRef call_;
};

class MessageService final : public Proto::WithRawCallbackMethod_SendMessage<
                                 Proto::WithRawCallbackMethod_ListMessages<Proto::Service>> {
 public:
  explicit MessageService(Context& context)
      : context_(context),
        log_(std::make_shared<RequestLog>(context.clock, kMaxRememberedRequests)) {}

  ServerUnaryReactor* SendMessage(CallbackServerContext* call, const ByteBuffer* request,
                                  ByteBuffer* response) override {
    return AnswerLater<v1::SendMessageRequest>(
        context_, call, request, response,
        [this](const v1::SendMessageRequest& send, PendingCallRef pending) {
          Send(send, std::move(pending));
        });
  }

  ServerUnaryReactor* ListMessages(CallbackServerContext* call, const ByteBuffer*,
                                   ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("MessageService.ListMessages"));
  }

 private:
  void Send(const v1::SendMessageRequest& request, PendingCallRef call) {
    // Before the request_id is looked at: a session's ids end with it.
    const absl::StatusOr<session::Info> info = GetUsable(context_.registry, request.session_id());
    if (!info.ok()) return call->End(info.status());
    std::string log_id;
    const auto make_key = [this] {
      return wire::IdempotencyKey(context_.clock.WallMillis(), context_.random);
    };
    RequestLog::Entry entry;
    if (request.request_id().empty()) {
      entry.key = make_key();
    } else {
      log_id = request.session_id() + '\0' + request.request_id();
      absl::StatusOr<RequestLog::Entry> begun =
          log_->Begin(log_id, ContentDigest(request), make_key);
      if (!begun.ok()) return call->End(begun.status());
      entry = *std::move(begun);
      if (entry.answer.has_value()) {
        v1::SendMessageResponse response;
        response.set_message_id(*entry.answer);
        return call->Answer(absl::StatusOr<v1::SendMessageResponse>(std::move(response)));
      }
    }
    const auto sending = std::make_shared<Sending>(
        context_.registry, log_, request, std::move(log_id), std::move(entry.key), std::move(call));
    if (request.ensure_participant()) {
      sending->Create(*info->user_id);
    } else {
      sending->Send();
    }
  }

  Context& context_;
  const std::shared_ptr<RequestLog> log_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeMessageService(Context& context) {
  return std::make_unique<MessageService>(context);
}

}  // namespace talkjsd::api
