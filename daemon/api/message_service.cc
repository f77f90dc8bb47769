#include <map>
#include <set>

#include "daemon/api/calls/page_token.h"
#include "daemon/api/calls/request_log.h"
#include "daemon/api/calls/sessions.h"
#include "daemon/api/calls/steps.h"
#include "daemon/api/calls/unary.h"
#include "daemon/api/convert/convert.h"
#include "daemon/api/limits.h"
#include "daemon/api/services.h"
#include "daemon/session/encoder.h"
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
using Proto = v1::MessageService;

// One SendMessage on its way: perhaps creating and joining the conversation, then sending. Each
// step's answer starts the next, on the session's shard; the object lives as long as a step is
// outstanding, which may be after the server.
class Sending final : public std::enable_shared_from_this<Sending> {
 public:
  Sending(session::Registry& registry, RequestLog& log, const v1::SendMessageRequest& request,
          std::string log_id, std::string idempotency_key, PendingCallRef call)
      : registry_(registry),
        log_(log),
        session_id_(request.session_id()),
        conversation_id_(request.conversation_id()),
        message_(ToOutgoing(request)),
        log_id_(std::move(log_id)),
        call_(std::move(call)) {
    message_.idempotency_key = std::move(idempotency_key);
  }

  void CreateAndJoin(const std::string& user_id) {
    Then({{upstream::CreateConversation(conversation_id_),
           [](const upstream::Reply& reply) {
             return upstream::ParseDone(reply, "creating the conversation", kExistsAlready);
           }}},
         [self = shared_from_this(), user_id] {
           self->Then({{upstream::JoinConversation(self->conversation_id_, user_id),
                        upstream::ParseJoined}},
                      [self] { self->Send(); });
         });
  }

  void Send() {
    Then({{upstream::SendMessage(conversation_id_, message_),
           [self = shared_from_this()](const upstream::Reply& reply) {
             const absl::StatusOr<std::string> id = upstream::ParseSentMessage(reply);
             if (!id.ok()) return id.status();
             // Also for a client that has left: it may ask again.
             if (!self->log_id_.empty()) self->log_.SetAnswer(self->log_id_, *id);
             self->response_.set_message_id(*id);
             return absl::OkStatus();
           }}},
         [self = shared_from_this()] {
           self->call_->Answer(absl::StatusOr<v1::SendMessageResponse>(self->response_));
         });
  }

 private:
  static constexpr int kExistsAlready = 409;

  void Then(std::vector<Step> steps, std::function<void()> next) {
    MakeSteps(registry_, session_id_, call_, std::move(steps), std::move(next));
  }

  session::Registry& registry_;
  RequestLog& log_;
  const std::string session_id_;
  const std::string conversation_id_;
  upstream::OutgoingMessage message_;
  const std::string log_id_;  // empty: the request has no request_id
  const PendingCallRef call_;
  v1::SendMessageResponse response_;
};

// One ListMessages on its way: a page, the session's side of the conversation, and then the
// senders.
class ListingMessages final : public std::enable_shared_from_this<ListingMessages> {
 public:
  ListingMessages(session::Registry& registry, const v1::ListMessagesRequest& request,
                  std::string my_user_id, PendingCallRef call)
      : registry_(registry),
        request_(request),
        my_user_id_(std::move(my_user_id)),
        call_(std::move(call)) {
    list_.set_session_id(request.session_id());
    list_.set_conversation_id(request.conversation_id());
  }

  void Start() {
    std::string cursor;
    if (!request_.page_token().empty()) {
      absl::StatusOr<std::string> read = ReadPageToken(list_, request_.page_token());
      if (!read.ok()) return call_->End(read.status());
      cursor = *std::move(read);
    }
    const int limit = PageSize(request_.page_size(), kMessagePage, kMaxMessagePage);
    const std::string& id = request_.conversation_id();
    Then({{upstream::ListMessages(id, limit, cursor),
           [self = shared_from_this()](const upstream::Reply& reply) {
             return self->TakePage(reply);
           }},
          {upstream::GetConversation(id),
           [self = shared_from_this()](const upstream::Reply& reply) {
             return Take(upstream::ParseConversation(reply), reply, &self->conversation_);
           }}},
         &ListingMessages::ReadSenders);
  }

 private:
  void Then(std::vector<Step> steps, void (ListingMessages::*next)()) {
    MakeSteps(registry_, request_.session_id(), call_, std::move(steps),
              [self = shared_from_this(), next] { ((*self).*next)(); });
  }

  // Absence is an error here.
  template <typename T>
  static absl::Status Take(absl::StatusOr<std::optional<T>> parsed, const upstream::Reply& reply,
                           T* to) {
    if (!parsed.ok()) return parsed.status();
    if (!parsed->has_value()) return upstream::ParseDone(reply, "listing messages");
    *to = **std::move(parsed);
    return absl::OkStatus();
  }

  absl::Status TakePage(const upstream::Reply& reply) {
    if (!request_.page_token().empty() && reply.status == 400) return PageTokenInvalid();
    return Take(upstream::ParseMessages(reply), reply, &page_);
  }

  void ReadSenders() {
    std::set<std::string> ids;
    for (const wire::Message& message : page_.items) {
      if (message.sender_id.has_value()) ids.insert(*message.sender_id);
    }
    std::vector<Step> steps;
    if (!ids.empty()) {
      steps.push_back({upstream::GetUsers({ids.begin(), ids.end()}),
                       [self = shared_from_this()](const upstream::Reply& reply) {
                         auto users = upstream::ParseUsers(reply);
                         if (users.ok()) self->senders_ = *std::move(users);
                         return users.status();
                       }});
    }
    Then(std::move(steps), &ListingMessages::Answer);
  }

  void Answer() {
    v1::ListMessagesResponse response;
    for (const wire::Message& message : page_.items) {
      const auto sender =
          message.sender_id.has_value() ? senders_.find(*message.sender_id) : senders_.end();
      session::FillMessage(message,
                           {request_.session_id(), my_user_id_, &conversation_,
                            sender == senders_.end() ? nullptr : &sender->second},
                           response.add_messages());
    }
    if (page_.cursor.has_value()) {
      response.set_next_page_token(MakePageToken(list_, *page_.cursor));
    }
    call_->Answer(absl::StatusOr<v1::ListMessagesResponse>(std::move(response)));
  }

  session::Registry& registry_;
  const v1::ListMessagesRequest request_;
  v1::ListMessagesRequest list_;  // what tells this list from others
  const std::string my_user_id_;
  const PendingCallRef call_;
  upstream::Page<wire::Message> page_;
  wire::Conversation conversation_;
  std::map<std::string, wire::User> senders_;
};

class MessageService final : public Proto::WithRawCallbackMethod_SendMessage<
                                 Proto::WithRawCallbackMethod_ListMessages<Proto::Service>> {
 public:
  explicit MessageService(Context& context) : context_(context) {}

  ServerUnaryReactor* SendMessage(CallbackServerContext* call, const ByteBuffer* request,
                                  ByteBuffer* response) override {
    return AnswerLater<v1::SendMessageRequest>(
        context_, call, request, response,
        [this](const v1::SendMessageRequest& send, PendingCallRef pending) {
          Send(send, std::move(pending));
        });
  }

  ServerUnaryReactor* ListMessages(CallbackServerContext* call, const ByteBuffer* request,
                                   ByteBuffer* response) override {
    return AnswerLater<v1::ListMessagesRequest>(
        context_, call, request, response,
        [this](const v1::ListMessagesRequest& list, PendingCallRef pending) {
          const auto info = GetUsable(context_.registry, list.session_id());
          if (!info.ok()) return pending->End(info.status());
          std::make_shared<ListingMessages>(context_.registry, list, *info->user_id,
                                            std::move(pending))
              ->Start();
        });
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
          context_.requests->Begin(log_id, ContentDigest(request), make_key);
      if (!begun.ok()) return call->End(begun.status());
      entry = *std::move(begun);
      if (entry.answer.has_value()) {
        v1::SendMessageResponse response;
        response.set_message_id(*entry.answer);
        return call->Answer(absl::StatusOr<v1::SendMessageResponse>(std::move(response)));
      }
    }
    const auto sending =
        std::make_shared<Sending>(context_.registry, *context_.requests, request, std::move(log_id),
                                  std::move(entry.key), std::move(call));
    if (request.ensure_participant()) {
      sending->CreateAndJoin(*info->user_id);
    } else {
      sending->Send();
    }
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeMessageService(Context& context) {
  return std::make_unique<MessageService>(context);
}

}  // namespace talkjsd::api
