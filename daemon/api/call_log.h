// What every call leaves behind: an id, a count, a line in the log.
#ifndef TALKJSD_API_CALL_LOG_H_
#define TALKJSD_API_CALL_LOG_H_

#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <string>
#include <vector>

#include "daemon/base/log.h"
#include "daemon/base/metrics.h"
#include "daemon/base/random.h"

namespace talkjsd::api {

// Metadata with the call's id, both ways: a client may choose one (1 to 64 of A-Z a-z 0-9 _ . : -),
// else the daemon does.
inline constexpr char kRequestIdKey[] = "x-request-id";

// Has every call of the server counted (talkjsd_grpc_calls_total), given an id, and logged when it
// ends: at debug, or at info if it failed. `metrics` and `random` (thread-safe) outlive the server.
void AddCallLog(grpc::ServerBuilder& builder, Metrics& metrics, Random& random);

// The id that AddCallLog saw to; empty without it.
std::string RequestIdOf(const grpc::CallbackServerContext& call);

// For the lines that are written while a call is begun: its id, and the session it names.
template <typename Request>
std::vector<LogField> CallFields(const grpc::CallbackServerContext& call, const Request& request) {
  std::vector<LogField> fields = {{"request", RequestIdOf(call)}};
  if constexpr (requires { request.session_id(); }) {
    if (!request.session_id().empty()) fields.emplace_back("session", request.session_id());
  }
  return fields;
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CALL_LOG_H_
