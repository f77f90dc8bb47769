// Trust for outgoing TLS: certificates and host names are always verified.
#ifndef TALKJSD_NET_TLS_CONTEXT_H_
#define TALKJSD_NET_TLS_CONTEXT_H_

#include <absl/status/statusor.h>

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace talkjsd::net {

// TLS 1.2 and newer, the system's trust store or one PEM bundle. Thread-safe once made.
class TlsContext {
 public:
  // `ca_file` empty: the system's certificates. An error names the file and what is wrong with it.
  static absl::StatusOr<std::unique_ptr<TlsContext>> Make(const std::string& ca_file);
  ~TlsContext();
  ssl_ctx_st* get() const { return context_; }

 private:
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

}  // namespace talkjsd::net

#endif  // TALKJSD_NET_TLS_CONTEXT_H_
