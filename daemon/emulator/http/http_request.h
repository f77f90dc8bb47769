// What the HTTP side's parts share: taking a request apart, and answering with JSON.
#ifndef TALKJSD_EMULATOR_HTTP_HTTP_REQUEST_H_
#define TALKJSD_EMULATOR_HTTP_HTTP_REQUEST_H_

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/emulator/authenticator.h"
#include "daemon/net/http_server.h"

namespace talkjsd::emulator {

// Refers to what it was made from.
struct HttpTarget {
  std::optional<std::vector<std::string>> path;  // decoded segments; nullopt: not decodable
  std::string_view query;                        // without the question mark
};
HttpTarget SplitTarget(std::string_view target);

// The decoded value of a query parameter, "+" read as a space. nullopt if absent; a refusal if it
// is not percent-encoded UTF-8.
absl::StatusOr<std::optional<std::string>> QueryValue(std::string_view query,
                                                      std::string_view name);

// What follows "Bearer " in Authorization; empty if that is not there.
std::string_view BearerTokenOf(const net::ServerRequest& request);

// The user whose token the request bears. 401 without one that counts.
absl::StatusOr<Authenticator::Login> BearerOf(const net::ServerRequest& request,
                                              const Authenticator& authenticator);

// {"errorCode", "reasons"} under the refusal's status.
net::ServerResponse RefusalResponse(const absl::Status& status);

}  // namespace talkjsd::emulator

#endif  // TALKJSD_EMULATOR_HTTP_HTTP_REQUEST_H_
