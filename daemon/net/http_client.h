// HTTP requests of the daemon (libcurl), all on one thread.
#ifndef TALKJSD_NET_HTTP_CLIENT_H_
#define TALKJSD_NET_HTTP_CLIENT_H_

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/net/proxy.h"

namespace talkjsd::net {

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::string body;
  Duration timeout = std::chrono::seconds(15);  // the whole transfer
  size_t max_response_bytes = 1 << 20;
};

struct HttpResponse {
  int status = 0;
  std::string content_type;
  std::string body;
};

// Of an error of Fetch: whether the peer's certificate was not accepted, or no TLS came about.
bool IsTlsError(const absl::Status& error);

// Owns a thread with a curl multi handle. Redirects are not followed. Certificates and host names
// are verified. The rules alone decide whether a proxy is used, not the environment; all requests
// through one are tunnels (CONNECT). Fetch may be called from any thread. A status of any number is
// a response; UNAVAILABLE (no answer), DEADLINE_EXCEEDED (timeout) and RESOURCE_EXHAUSTED (response
// over the limit) are errors, with ERROR_REASON_UPSTREAM_UNAVAILABLE, _UPSTREAM_TIMEOUT and
// _UPSTREAM_PROTOCOL_ERROR. Messages name scheme, host and port, never path, query or headers.
class HttpClient {
 public:
  using Done = std::function<void(absl::StatusOr<HttpResponse>)>;

  // `ca_file` as for TlsContext.
  explicit HttpClient(std::string ca_file, ProxyRules proxies = {});
  ~HttpClient();  // what is running ends with CANCELLED

  // `done` runs on the HTTP thread, exactly once; it must be short and must not throw.
  void Fetch(HttpRequest request, Done done);

  // For connections that begin afterwards; certificates that changed under the same name count
  // within a minute. Any thread.
  void SetCaFile(std::string ca_file);

  const ProxyRules& proxies() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_HTTP_CLIENT_H_
