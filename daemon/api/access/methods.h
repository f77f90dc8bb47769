// What each method of the API is, for who may call it: one table, complete.
#ifndef TALKJSD_API_ACCESS_METHODS_H_
#define TALKJSD_API_ACCESS_METHODS_H_

#include <absl/types/span.h>

#include <string_view>

#include "daemon/api/access/policy.h"

namespace talkjsd::api {

struct Method {
  std::string_view service;  // "SessionService"
  std::string_view name;     // "CreateSession"; unique over all services
  Right right;
  // Counted among the open streams.
  bool is_stream = false;
  // Refused from 90 % of the memory on.
  bool makes_session = false;
};

absl::Span<const Method> AllMethods();

// Of the method whose request's type has this name ("CreateSessionRequest"); ends the process if
// the table has none, which a test excludes.
const Method& MethodOfRequest(std::string_view request_name);

template <typename Request>
const Method& MethodOf() {
  static const Method& method = MethodOfRequest(Request::descriptor()->name());
  return method;
}

}  // namespace talkjsd::api

#endif  // TALKJSD_API_ACCESS_METHODS_H_
