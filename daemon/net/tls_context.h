// Trust for outgoing TLS: certificates and host names are always verified.
#ifndef TALKJSD_NET_TLS_CONTEXT_H_
#define TALKJSD_NET_TLS_CONTEXT_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "daemon/base/mutex.h"

struct ssl_ctx_st;

namespace talkjsd::net {

// TLS 1.2 and newer, the system's trust store or one PEM bundle. Thread-safe.
class TlsContext {
 public:
  // `ca_file` empty: the system's certificates. An error names the file and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Make(const std::string& ca_file);
  // Reads the certificates anew, for connections that begin afterwards. An error changes nothing.
  absl::Status Reload(const std::string& ca_file);
  std::shared_ptr<ssl_ctx_st> get() const;

 private:
  explicit TlsContext(std::shared_ptr<ssl_ctx_st> context) : context_(std::move(context)) {}
  mutable Mutex mutex_;
  std::shared_ptr<ssl_ctx_st> context_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_TLS_CONTEXT_H_
