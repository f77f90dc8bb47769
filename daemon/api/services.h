// The services of the API, one a file. Each is thin: it checks, translates, asks another room, and
// translates back.
#ifndef TALKJSD_API_SERVICES_H_
#define TALKJSD_API_SERVICES_H_

#include <grpcpp/impl/service_type.h>

#include <memory>

#include "daemon/api/context.h"

namespace talkjsd::api {

// `context` outlives the services.
std::unique_ptr<grpc::Service> MakeSessionService(Context& context);
std::unique_ptr<grpc::Service> MakeUserService(Context& context);
std::unique_ptr<grpc::Service> MakeConversationService(Context& context);
std::unique_ptr<grpc::Service> MakeMessageService(Context& context);
std::unique_ptr<grpc::Service> MakeEventService(Context& context);
std::unique_ptr<grpc::Service> MakeDaemonService(Context& context);

}  // namespace talkjsd::api

#endif  // TALKJSD_API_SERVICES_H_
