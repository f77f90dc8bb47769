// Unary methods: admit, answer; at once or when somebody else is done.
#ifndef TALKJSD_API_CALLS_UNARY_H_
#define TALKJSD_API_CALLS_UNARY_H_

#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <memory>
#include <type_traits>
#include <utility>

#include "daemon/api/call_log.h"
#include "daemon/api/calls/admit.h"
#include "daemon/api/codec.h"
#include "daemon/api/context.h"
#include "daemon/api/errors.h"

namespace talkjsd::api {

inline grpc::ServerUnaryReactor* RefuseUnary(grpc::CallbackServerContext* context,
                                             const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

// How long a call may take: the client's deadline less a margin in which the answer can travel,
// else 10 s.
Duration TimeLeft(const grpc::CallbackServerContext& context);

// A unary call that somebody answers later. Thread-safe; the first answer counts, a drain is one.
class PendingCall final : public LiveCall, public std::enable_shared_from_this<PendingCall> {
 public:
  // Registers a call; if the server drains it is answered at once.
  static std::shared_ptr<PendingCall> Make(Context& context,
                                           const grpc::CallbackServerContext& call,
                                           grpc::ServerUnaryReactor* reactor,
                                           grpc::ByteBuffer* response);

  PendingCall(Context& context, grpc::ServerUnaryReactor* reactor, grpc::ByteBuffer* response,
              MonoTime deadline);

  template <typename Message>
  void Answer(const absl::StatusOr<Message>& answer) {
    if (answer.ok()) {
      Finish(absl::OkStatus(), Encode(*answer));
    } else {
      End(answer.status());
    }
  }
  void End(const absl::Status& status) override { Finish(status, {}); }

  // Until the answer is due; zero if it is overdue.
  Duration TimeLeft() const;

 private:
  void Finish(const absl::Status& status, grpc::ByteBuffer response);

  Context& context_;
  const MonoTime deadline_;
  Mutex mutex_;
  // Null once answered: gRPC may free reactor and response then.
  grpc::ServerUnaryReactor* reactor_ ABSL_GUARDED_BY(mutex_);
  grpc::ByteBuffer* const response_;
};

using PendingCallRef = std::shared_ptr<PendingCall>;

// handler: absl::StatusOr<Response>(const Request&), or (const Request&, Permit&), for what is
// answered at once.
template <typename Request, typename Handler>
grpc::ServerUnaryReactor* Answer(Context& context, grpc::CallbackServerContext* call,
                                 const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response,
                                 const Handler& handler) {
  const absl::StatusOr<Admitted<Request>> admitted = Admit<Request>(context, *call, *bytes);
  if (!admitted.ok()) return RefuseUnary(call, admitted.status());
  const LogScope scope(CallFields(*call, admitted->request));
  const auto answer = [&] {
    if constexpr (std::is_invocable_v<Handler, const Request&, Permit&>) {
      return handler(admitted->request, *admitted->permit);
    } else {
      return handler(admitted->request);
    }
  }();
  if (!answer.ok()) return RefuseUnary(call, answer.status());
  *response = Encode(*answer);
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

// handler: void(const Request&, PendingCallRef), or (const Request&, PendingCallRef, Permit&),
// which has the call answered, once, perhaps before it returns.
template <typename Request, typename Handler>
grpc::ServerUnaryReactor* AnswerLater(Context& context, grpc::CallbackServerContext* call,
                                      const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response,
                                      const Handler& handler) {
  const absl::StatusOr<Admitted<Request>> admitted = Admit<Request>(context, *call, *bytes);
  if (!admitted.ok()) return RefuseUnary(call, admitted.status());
  const LogScope scope(CallFields(*call, admitted->request));
  grpc::ServerUnaryReactor* reactor = call->DefaultReactor();
  PendingCallRef pending = PendingCall::Make(context, *call, reactor, response);
  if constexpr (std::is_invocable_v<Handler, const Request&, PendingCallRef, Permit&>) {
    handler(admitted->request, std::move(pending), *admitted->permit);
  } else {
    handler(admitted->request, std::move(pending));
  }
  return reactor;
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALLS_UNARY_H_
