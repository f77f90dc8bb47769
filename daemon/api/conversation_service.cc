#include "daemon/api/calls/advice.h"
#include "daemon/api/calls/page_token.h"
#include "daemon/api/calls/sessions.h"
#include "daemon/api/calls/steps.h"
#include "daemon/api/calls/unary.h"
#include "daemon/api/convert/convert.h"
#include "daemon/api/convert/convert_conversation.h"
#include "daemon/api/limits.h"
#include "daemon/api/services.h"
#include "daemon/session/encoder.h"
#include "talkjs/sidecar/v1/conversation_service.grpc.pb.h"
#include "talkjs/sidecar/v1/errors.pb.h"

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

// One GetConversation on its way: perhaps writing, perhaps joining, and then reading. The object
// lives as long as a step is outstanding, which may be after the server.
class GettingConversation final : public std::enable_shared_from_this<GettingConversation> {
 public:
  GettingConversation(session::Registry& registry, const v1::GetConversationRequest& request,
                      std::string my_user_id, PendingCallRef call)
      : registry_(registry),
        request_(request),
        my_user_id_(std::move(my_user_id)),
        participants_(ToParticipantWrites(request, my_user_id_)),
        call_(std::move(call)) {}

  void Start() {
    if (participants_.size() > kMaxOtherParticipants + 1) {
      return call_->End(
          InvalidField("participants", "must be at most 99 beside the session's user"));
    }
    if (request_.has_attributes() || !request_.participants().empty()) {
      Write();
    } else if (request_.join()) {
      Then({{upstream::JoinConversation(request_.conversation_id(), my_user_id_),
             upstream::ParseJoined}},
           &GettingConversation::Read);
    } else {
      Read();
    }
  }

 private:
  void Then(std::vector<Step> steps, void (GettingConversation::*next)()) {
    MakeSteps(registry_, request_.session_id(), call_, std::move(steps),
              [self = shared_from_this(), next] { ((*self).*next)(); });
  }

  // The conversation and the users, which must be there before anybody can be put into it.
  void Write() {
    std::vector<Step> steps;
    upstream::ConversationWrite write = ToConversationWrite(request_.attributes());
    upstream::Request set = upstream::SetConversation(request_.conversation_id(), write);
    steps.push_back({std::move(set), [write = std::move(write)](const upstream::Reply& reply) {
                       return upstream::ParseConversationSet(reply, write);
                     }});
    for (int i = 0; i < request_.participants_size(); ++i) {
      if (!request_.participants(i).has_user()) continue;
      const v1::UserAttributes& user = request_.participants(i).user();
      const std::string field = "participants[" + std::to_string(i) + "].user";
      AdviseOnRole(request_.session_id(), field, user, response_.mutable_warnings());
      steps.push_back(
          {upstream::SetUser(user.id(), ToUserWrite(user)), [field](const upstream::Reply& reply) {
             return upstream::ParseDone(reply, "writing " + field);
           }});
    }
    Then(std::move(steps), &GettingConversation::WriteParticipants);
  }

  void WriteParticipants() {
    for (const v1::Participant& participant : request_.participants()) {
      const wire::Patch<std::string> text = ToAvailability(participant.user());
      if (!text.present) continue;
      registry_.KeepAvailability(request_.session_id(), participant.user().id(), text.value);
    }
    Then({{upstream::SetParticipants(request_.conversation_id(), participants_),
           [self = shared_from_this()](const upstream::Reply& reply) {
             return upstream::ParseParticipantsSet(reply, self->participants_);
           }}},
         &GettingConversation::Read);
  }

  void Read() {
    Then({{upstream::GetConversation(request_.conversation_id()),
           [self = shared_from_this()](const upstream::Reply& reply) {
             const auto conversation = upstream::ParseConversation(reply);
             if (!conversation.ok()) return conversation.status();
             if (!conversation->has_value()) return Absent(reply);
             session::FillConversation(**conversation, /*with_side=*/true,
                                       self->response_.mutable_conversation());
             return absl::OkStatus();
           }}},
         &GettingConversation::Answer);
  }

  void Answer() {
    call_->Answer(absl::StatusOr<v1::GetConversationResponse>(std::move(response_)));
  }

  // Whoever only asks learns alike of a conversation that is not there and of one that is not his.
  static absl::Status Absent(const upstream::Reply& reply) {
    const absl::Status status = upstream::ParseDone(reply, "reading the conversation");
    if (ReasonOf(status) != v1::ERROR_REASON_NOT_A_PARTICIPANT) return status;
    return MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_NOT_A_PARTICIPANT,
                     "the session's user is not in this conversation; set join to join it");
  }

  session::Registry& registry_;
  const v1::GetConversationRequest request_;
  const std::string my_user_id_;
  const std::vector<upstream::ParticipantWrite> participants_;
  const PendingCallRef call_;
  v1::GetConversationResponse response_;
};

class ConversationService final : public Base {
 public:
  explicit ConversationService(Context& context) : context_(context) {}

  ServerUnaryReactor* GetConversation(CallbackServerContext* call, const ByteBuffer* request,
                                      ByteBuffer* response) override {
    return AnswerLater<v1::GetConversationRequest>(
        context_, call, request, response,
        [this](const v1::GetConversationRequest& get, PendingCallRef pending) {
          const auto info = GetUsable(context_.registry, get.session_id());
          if (!info.ok()) return pending->End(info.status());
          std::make_shared<GettingConversation>(context_.registry, get, *info->user_id,
                                                std::move(pending))
              ->Start();
        });
  }

  ServerUnaryReactor* ListConversations(CallbackServerContext* call, const ByteBuffer* request,
                                        ByteBuffer* response) override {
    return AnswerLater<v1::ListConversationsRequest>(
        context_, call, request, response,
        [this](const v1::ListConversationsRequest& list, const PendingCallRef& pending) {
          List(list, pending);
        });
  }

  ServerUnaryReactor* MarkConversationRead(CallbackServerContext* call, const ByteBuffer* request,
                                           ByteBuffer* response) override {
    return AnswerLater<v1::MarkConversationReadRequest>(
        context_, call, request, response,
        [this](const v1::MarkConversationReadRequest& mark, const PendingCallRef& pending) {
          Mark<v1::MarkConversationReadResponse>(mark.session_id(),
                                                 upstream::MarkRead(mark.conversation_id()),
                                                 "marking the conversation as read", pending);
        });
  }

  ServerUnaryReactor* MarkConversationUnread(CallbackServerContext* call, const ByteBuffer* request,
                                             ByteBuffer* response) override {
    return AnswerLater<v1::MarkConversationUnreadRequest>(
        context_, call, request, response,
        [this](const v1::MarkConversationUnreadRequest& mark, const PendingCallRef& pending) {
          Mark<v1::MarkConversationUnreadResponse>(mark.session_id(),
                                                   upstream::MarkUnread(mark.conversation_id()),
                                                   "marking the conversation as unread", pending);
        });
  }

 private:
  void List(const v1::ListConversationsRequest& request, const PendingCallRef& call) {
    v1::ListConversationsRequest list;
    list.set_session_id(request.session_id());
    const int limit = PageSize(request.page_size(), kConversationPage, kMaxConversationPage);
    upstream::Request get;
    if (!request.page_token().empty()) {
      const auto cursor = ReadPageToken(list, request.page_token());
      if (!cursor.ok()) return call->End(cursor.status());
      get = upstream::ListConversationsAfter(limit, *cursor);
    } else if (request.has_filter()) {
      get = upstream::ListConversations(limit, ToQuery(request.filter()));
    } else {
      get = upstream::ListConversations(limit, upstream::ConversationFilter::kAll);
    }
    const auto response = std::make_shared<v1::ListConversationsResponse>();
    const bool goes_on = !request.page_token().empty();
    const auto take = [list, goes_on, response](const upstream::Reply& reply) {
      if (goes_on && reply.status == 400) return PageTokenInvalid();
      if (reply.status == 404) return upstream::ParseDone(reply, "listing conversations");
      const auto page = upstream::ParseConversations(reply);
      if (!page.ok()) return page.status();
      for (const wire::Conversation& conversation : page->items) {
        session::FillConversation(conversation, /*with_side=*/true, response->add_conversations());
      }
      if (page->cursor.has_value()) {
        response->set_next_page_token(MakePageToken(list, *page->cursor));
      }
      return absl::OkStatus();
    };
    MakeSteps(context_.registry, request.session_id(), call, {{std::move(get), take}},
              [call, response] {
                call->Answer(absl::StatusOr<v1::ListConversationsResponse>(std::move(*response)));
              });
  }

  template <typename Response>
  void Mark(const std::string& session_id, upstream::Request request, std::string_view what,
            const PendingCallRef& call) {
    const auto take = [what](const upstream::Reply& reply) {
      return upstream::ParseDone(reply, what);
    };
    MakeSteps(context_.registry, session_id, call, {{std::move(request), take}},
              [call] { call->Answer(absl::StatusOr<Response>(Response())); });
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeConversationService(Context& context) {
  return std::make_unique<ConversationService>(context);
}

}  // namespace talkjsd::api
