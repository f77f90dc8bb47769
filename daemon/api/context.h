// What the services of one server share.
#ifndef TALKJSD_API_CONTEXT_H_
#define TALKJSD_API_CONTEXT_H_

#include <memory>

#include "daemon/api/access/access.h"
#include "daemon/api/call_set.h"
#include "daemon/api/calls/request_log.h"
#include "daemon/api/dispatcher.h"
#include "daemon/api/server.h"
#include "daemon/api/streams/subscriptions.h"

namespace talkjsd::api {

// Outlives every call.
struct Context {
  const Server::Options options;
  session::Registry& registry;
  journal::Journal& journal;
  const Clock& clock;
  Random& random;
  Metrics& metrics;
  const UnixMillis start_time;
  const std::unique_ptr<Access> access;
  CallSet streams;
  CallSet token_streams;
  CallSet calls;  // unary ones that wait for somebody
  // Null without Environment::positions.
  const std::unique_ptr<Subscriptions> subscriptions;
  Dispatcher dispatcher;
  std::unique_ptr<RequestLog> requests;  // of SendMessage
};

}  // namespace talkjsd::api

#endif  // TALKJSD_API_CONTEXT_H_
