#include "daemon/api/calls/advice.h"
#include "daemon/api/calls/sessions.h"
#include "daemon/api/calls/steps.h"
#include "daemon/api/calls/unary.h"
#include "daemon/api/convert/convert.h"
#include "daemon/api/services.h"
#include "daemon/session/encoder.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "talkjs/sidecar/v1/user_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;
using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

template <typename Base>
using GetUser = v1::UserService::WithRawCallbackMethod_GetUser<Base>;
template <typename Base>
using GetUserById = v1::UserService::WithRawCallbackMethod_GetUserById<Base>;

// Answers `call` with the response, its user filled in as TalkJS shows it.
template <typename Response>
void AnswerWithUser(session::Registry& registry, const std::string& session_id,
                    const std::string& user_id, const PendingCallRef& call,
                    const std::shared_ptr<Response>& response) {
  const auto take = [&registry, session_id, user_id, response](const upstream::Reply& reply) {
    const auto users = upstream::ParseUsers(reply);
    if (!users.ok()) return users.status();
    const auto found = users->find(user_id);
    if (found == users->end()) {
      return MakeError(absl::StatusCode::kNotFound, v1::ERROR_REASON_USER_NOT_FOUND,
                       "TalkJS has no user with this id: create it with GetUser, or check the id");
    }
    session::FillUser(found->second, response->mutable_user());
    if (const auto text = registry.Availability(session_id, user_id)) {
      response->mutable_user()->set_availability_text(*text);
    }
    return absl::OkStatus();
  };
  MakeSteps(registry, session_id, call, {{upstream::GetUsers({user_id}), take}},
            [call, response] { call->Answer(absl::StatusOr<Response>(std::move(*response))); });
}

class UserService final : public GetUser<GetUserById<v1::UserService::Service>> {
 public:
  explicit UserService(Context& context) : context_(context) {}

  ServerUnaryReactor* GetUser(CallbackServerContext* call, const ByteBuffer* request,
                              ByteBuffer* response) override {
    return AnswerLater<v1::GetUserRequest>(
        context_, call, request, response,
        [this](const v1::GetUserRequest& get, const PendingCallRef& pending) {
          WriteUser(get, pending);
        });
  }

  ServerUnaryReactor* GetUserById(CallbackServerContext* call, const ByteBuffer* request,
                                  ByteBuffer* response) override {
    return AnswerLater<v1::GetUserByIdRequest>(
        context_, call, request, response,
        [this](const v1::GetUserByIdRequest& get, const PendingCallRef& pending) {
          AnswerWithUser(context_.registry, get.session_id(), get.user_id(), pending,
                         std::make_shared<v1::GetUserByIdResponse>());
        });
  }

 private:
  void WriteUser(const v1::GetUserRequest& request, const PendingCallRef& call) {
    const absl::StatusOr<session::Info> info = GetUsable(context_.registry, request.session_id());
    if (!info.ok()) return call->End(info.status());
    const auto response = std::make_shared<v1::GetUserResponse>();
    AdviseOnRole(request.session_id(), "user", request.user(), response->mutable_warnings());
    const auto take = [](const upstream::Reply& reply) {
      return upstream::ParseDone(reply, "writing the user");
    };
    session::Registry& registry = context_.registry;  // outlives the service
    MakeSteps(registry, request.session_id(), call,
              {{upstream::SetUser(request.user().id(), ToUserWrite(request.user())), take}},
              [&registry, session_id = request.session_id(), user_id = request.user().id(),
               availability = ToAvailability(request.user()), call, response] {
                if (availability.present) {
                  registry.KeepAvailability(session_id, user_id, availability.value);
                }
                AnswerWithUser(registry, session_id, user_id, call, response);
              });
  }

  Context& context_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeUserService(Context& context) {
  return std::make_unique<UserService>(context);
}

}  // namespace talkjsd::api
