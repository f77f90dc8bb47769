#include "daemon/api/services.h"
#include "daemon/api/unary.h"
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

class UserService final : public GetUser<GetUserById<v1::UserService::Service>> {
 public:
  ServerUnaryReactor* GetUser(CallbackServerContext* call, const ByteBuffer*,
                              ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("UserService.GetUser"));
  }
  ServerUnaryReactor* GetUserById(CallbackServerContext* call, const ByteBuffer*,
                                  ByteBuffer*) override {
    return RefuseUnary(call, NotImplemented("UserService.GetUserById"));
  }
};

}  // namespace

std::unique_ptr<grpc::Service> MakeUserService(Context&) { return std::make_unique<UserService>(); }

}  // namespace talkjsd::api
