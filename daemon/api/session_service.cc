#include <utility>

#include "daemon/api/access/audit.h"
#include "daemon/api/calls/advice.h"
#include "daemon/api/calls/push.h"
#include "daemon/api/calls/request_log.h"
#include "daemon/api/calls/session_list.h"
#include "daemon/api/calls/sessions.h"
#include "daemon/api/calls/unary.h"
#include "daemon/api/convert/convert.h"
#include "daemon/api/limits.h"
#include "daemon/api/services.h"
#include "daemon/api/streams/session_watch.h"
#include "daemon/api/streams/token_stream.h"
#include "talkjs/sidecar/v1/errors.pb.h"
#include "talkjs/sidecar/v1/session_service.grpc.pb.h"

namespace talkjsd::api {
namespace {

namespace v1 = talkjs::sidecar::v1;
using grpc::ByteBuffer;
using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using Proto = v1::SessionService;
using BidiReactor = grpc::ServerBidiReactor<ByteBuffer, ByteBuffer>;

using Lifecycle =
    Proto::WithRawCallbackMethod_CreateSession<Proto::WithRawCallbackMethod_GetSession<
        Proto::WithRawCallbackMethod_ListSessions<Proto::WithRawCallbackMethod_WatchSessions<
            Proto::WithRawCallbackMethod_DestroySession<Proto::Service>>>>>;
using Credentials = Proto::WithRawCallbackMethod_SetMe<
    Proto::WithRawCallbackMethod_SetToken<Proto::WithRawCallbackMethod_ProvideTokens<
        Proto::WithRawCallbackMethod_HasValidCredentials<Lifecycle>>>>;
using Base = Proto::WithRawCallbackMethod_SetPushRegistration<
    Proto::WithRawCallbackMethod_UnsetPushRegistration<
        Proto::WithRawCallbackMethod_ClearPushRegistrations<Credentials>>>;

class SessionService final : public Base {
 public:
  explicit SessionService(Context& context)
      : context_(context), log_(context.clock, kMaxRememberedRequests) {}

  ServerUnaryReactor* CreateSession(CallbackServerContext* call, const ByteBuffer* request,
                                    ByteBuffer* response) override {
    return Answer<v1::CreateSessionRequest>(
        context_, call, request, response,
        [&](const v1::CreateSessionRequest& create, const Permit& permit) {
          absl::StatusOr<v1::CreateSessionResponse> created = CreateOnce(create);
          if (created.ok() && created->created()) {
            LogPeer("session created", created->session().session_id(), permit.identity());
          }
          return created;
        });
  }

  ServerUnaryReactor* GetSession(CallbackServerContext* call, const ByteBuffer* request,
                                 ByteBuffer* response) override {
    return Answer<v1::GetSessionRequest>(
        context_, call, request, response,
        [this](const v1::GetSessionRequest& get) -> absl::StatusOr<v1::GetSessionResponse> {
          return WithSession<v1::GetSessionResponse>(context_.registry.GetAlive(get.session_id()),
                                                     get.session_id());
        });
  }

  ServerUnaryReactor* ListSessions(CallbackServerContext* call, const ByteBuffer* request,
                                   ByteBuffer* response) override {
    return Answer<v1::ListSessionsRequest>(
        context_, call, request, response,
        [this](const v1::ListSessionsRequest& list, const Permit& permit) {
          uint64_t version = 0;  // before everything: all sessions, destroyed ones included
          std::vector<session::Info> sessions = context_.registry.ChangesSince(&version);
          std::erase_if(sessions, [&](const auto& info) { return !permit.MayUse(info); });
          return ListPage(list, std::move(sessions));
        });
  }

  ByteStreamReactor* WatchSessions(CallbackServerContext* call, const ByteBuffer* bytes) override {
    const auto admitted = Admit<v1::WatchSessionsRequest>(context_, *call, *bytes);
    if (!admitted.ok()) return RefuseStream(admitted.status());
    return SessionWatch::Open(context_, *call, *admitted);
  }

  ServerUnaryReactor* DestroySession(CallbackServerContext* call, const ByteBuffer* request,
                                     ByteBuffer* response) override {
    return AnswerLater<v1::DestroySessionRequest>(
        context_, call, request, response,
        [&](const v1::DestroySessionRequest& destroy, PendingCallRef pending,
            const Permit& permit) {
          LogPeer("session to be destroyed", destroy.session_id(), permit.identity());
          context_.registry.Destroy(
              destroy.session_id(), [this, id = destroy.session_id(),
                                     pending = std::move(pending)](const absl::Status& done) {
                if (!done.ok()) return pending->End(done);
                // Streams of clients that read have their end by then; others are not waited for.
                const MonoTime deadline = context_.clock.Now() + kStreamEndPatience;
                context_.streams.WhenGone(id, deadline, [pending] {
                  pending->Answer(
                      absl::StatusOr<v1::DestroySessionResponse>(v1::DestroySessionResponse()));
                });
              });
        });
  }

  BidiReactor* ProvideTokens(CallbackServerContext* call) override {
    return TokenStream::Launch(context_, *call);
  }

  ServerUnaryReactor* SetMe(CallbackServerContext* call, const ByteBuffer* request,
                            ByteBuffer* response) override {
    return Answer<v1::SetMeRequest>(context_, call, request, response,
                                    [&](const v1::SetMeRequest& set,
                                        const Permit& permit) -> absl::StatusOr<v1::SetMeResponse> {
                                      absl::StatusOr<v1::SetMeResponse> done = SetUser(set);
                                      if (done.ok())
                                        LogPeer("session's user set", set.session_id(),
                                                permit.identity());
                                      return done;
                                    });
  }

  ServerUnaryReactor* SetToken(CallbackServerContext* call, const ByteBuffer* request,
                               ByteBuffer* response) override {
    return Answer<v1::SetTokenRequest>(
        context_, call, request, response,
        [this](const v1::SetTokenRequest& set) -> absl::StatusOr<v1::SetTokenResponse> {
          return WithSession<v1::SetTokenResponse>(
              context_.registry.SetToken(set.session_id(), Secret(set.token())), set.session_id());
        });
  }

  ServerUnaryReactor* HasValidCredentials(CallbackServerContext* call, const ByteBuffer* request,
                                          ByteBuffer* response) override {
    return AnswerLater<v1::HasValidCredentialsRequest>(
        context_, call, request, response,
        [this](const v1::HasValidCredentialsRequest& has, const PendingCallRef& pending) {
          const auto info = GetUsable(context_.registry, has.session_id());
          if (!info.ok()) return pending->End(info.status());
          context_.registry.CheckApp(info->app_id, pending->TimeLeft(),
                                     [pending](const absl::StatusOr<bool>& exists) {
                                       pending->Answer(ToValidity(exists));
                                     });
        });
  }
  ServerUnaryReactor* SetPushRegistration(CallbackServerContext* call, const ByteBuffer* request,
                                          ByteBuffer* response) override {
    return AnswerLater<v1::SetPushRegistrationRequest>(
        context_, call, request, response, [this](const auto& set, const PendingCallRef& pending) {
          SetPush(context_.registry, set, pending);
        });
  }
  ServerUnaryReactor* UnsetPushRegistration(CallbackServerContext* call, const ByteBuffer* request,
                                            ByteBuffer* response) override {
    return AnswerLater<v1::UnsetPushRegistrationRequest>(
        context_, call, request, response,
        [this](const auto& unset, const PendingCallRef& pending) {
          UnsetPush(context_.registry, unset, pending);
        });
  }
  ServerUnaryReactor* ClearPushRegistrations(CallbackServerContext* call, const ByteBuffer* request,
                                             ByteBuffer* response) override {
    return AnswerLater<v1::ClearPushRegistrationsRequest>(
        context_, call, request, response,
        [this](const auto& clear, const PendingCallRef& pending) {
          ClearPush(context_.registry, clear, pending);
        });
  }

 private:
  template <typename Response>
  static absl::StatusOr<Response> WithSession(const absl::StatusOr<session::Info>& info,
                                              const std::string& session_id) {
    if (!info.ok()) return WithMetadata(info.status(), "session_id", session_id);
    Response response;
    *response.mutable_session() = ToProto(*info);
    return response;
  }

  static absl::StatusOr<v1::HasValidCredentialsResponse> ToValidity(
      const absl::StatusOr<bool>& exists) {
    if (!exists.ok()) return exists.status();
    v1::HasValidCredentialsResponse response;
    response.set_valid(*exists);
    return response;
  }

  // A repeat of a request_id finds the session of the first.
  absl::StatusOr<v1::CreateSessionResponse> CreateOnce(const v1::CreateSessionRequest& request) {
    const std::string& request_id = request.request_id();
    if (request_id.empty()) return Create(request);
    // One at a time, so that two equal requests do not both create.
    MutexLock lock(create_mutex_);
    const absl::StatusOr<RequestLog::Entry> entry =
        log_.Begin(request_id, ContentDigest(request), [] { return std::string(); });
    if (!entry.ok()) return entry.status();
    if (entry->answer.has_value()) {
      const absl::StatusOr<session::Info> info = context_.registry.GetAlive(*entry->answer);
      if (info.ok()) {
        v1::CreateSessionResponse response;
        *response.mutable_session() = ToProto(*info);
        return response;
      }
    }
    absl::StatusOr<v1::CreateSessionResponse> response = Create(request);
    if (response.ok()) log_.SetAnswer(request_id, response->session().session_id());
    return response;
  }

  absl::StatusOr<v1::CreateSessionResponse> Create(const v1::CreateSessionRequest& request) {
    absl::StatusOr<session::CreateRequest> create = ToCreateRequest(request);
    if (!create.ok()) return create.status();
    const absl::StatusOr<session::Registry::Created> created =
        context_.registry.Create(*std::move(create));
    if (!created.ok()) return WithFacts(created.status());
    v1::CreateSessionResponse response;
    *response.mutable_session() = ToProto(created->info);
    response.set_created(created->created);
    if (request.has_user()) {
      AdviseOnRole(created->info.session_id, "user", request.user(), response.mutable_warnings());
    }
    return response;
  }

  absl::StatusOr<v1::SetMeResponse> SetUser(const v1::SetMeRequest& request) {
    const bool has_attributes = request.me_case() == v1::SetMeRequest::kUser;
    std::optional<upstream::UserWrite> attributes;
    if (has_attributes) {
      attributes = ToUserWrite(request.user());
    }
    const absl::StatusOr<session::Info> info = context_.registry.SetMe(
        request.session_id(), has_attributes ? request.user().id() : request.user_id(),
        std::move(attributes));
    if (!info.ok()) return info.status();
    v1::SetMeResponse response;
    *response.mutable_session() = ToProto(*info);
    if (has_attributes) {
      context_.registry.KeepAvailability(request.session_id(), request.user().id(),
                                         ToAvailability(request.user()).value);
      AdviseOnRole(request.session_id(), "user", request.user(), response.mutable_warnings());
    }
    return response;
  }

  // What errors.proto promises in ErrorInfo.metadata.
  static absl::Status WithFacts(const absl::Status& status) {
    if (ReasonOf(status) != v1::ERROR_REASON_LIMIT_EXCEEDED) return status;
    return WithMetadata(status, "limit", "max_sessions");
  }

  Context& context_;
  Mutex create_mutex_;
  RequestLog log_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeSessionService(Context& context) {
  return std::make_unique<SessionService>(context);
}

}  // namespace talkjsd::api
