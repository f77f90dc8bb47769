#include "daemon/net/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace talkjsd::net {
namespace {

std::string OpenSslError() {
  const unsigned long code = ERR_get_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

absl::Status LoadTrust(SSL_CTX* context, const std::string& ca_file) {
  if (ca_file.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) == 1) return absl::OkStatus();
    return absl::FailedPreconditionError("the system's CA certificates cannot be loaded: " +
                                         OpenSslError());
  }
  if (!std::ifstream(ca_file)) {
    return absl::FailedPreconditionError("the CA file " + ca_file +
                                         " cannot be read: " + std::strerror(errno));
  }
  if (SSL_CTX_load_verify_file(context, ca_file.c_str()) == 1) return absl::OkStatus();
  return absl::FailedPreconditionError("the CA file " + ca_file +
                                       " holds no PEM certificates: " + OpenSslError());
}

absl::StatusOr<std::shared_ptr<SSL_CTX>> MakeContext(const std::string& ca_file) {
  ERR_clear_error();
  SSL_CTX* const raw = SSL_CTX_new(TLS_client_method());
  if (raw == nullptr) return absl::InternalError("no TLS context: " + OpenSslError());
  std::shared_ptr<SSL_CTX> context(raw, SSL_CTX_free);

  SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
  SSL_CTX_set_options(raw, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  // An idle connection keeps no record buffers; a write may be repeated from another address.
  SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                            SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nullptr);
  static constexpr unsigned char kAlpn[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(raw, kAlpn, sizeof(kAlpn) - 1);

  const absl::Status trust = LoadTrust(raw, ca_file);
  if (!trust.ok()) return trust;
  return context;
}

}  // namespace

absl::StatusOr<std::unique_ptr<TlsContext>> TlsContext::Make(const std::string& ca_file) {
  absl::StatusOr<std::shared_ptr<SSL_CTX>> context = MakeContext(ca_file);
  if (!context.ok()) return context.status();
  return std::unique_ptr<TlsContext>(new TlsContext(*std::move(context)));
}

absl::Status TlsContext::Reload(const std::string& ca_file) {
  absl::StatusOr<std::shared_ptr<SSL_CTX>> context = MakeContext(ca_file);
  if (!context.ok()) return context.status();
  MutexLock lock(mutex_);
  context_ = *std::move(context);
  return absl::OkStatus();
}

std::shared_ptr<ssl_ctx_st> TlsContext::get() const {
  MutexLock lock(mutex_);
  return context_;
}

}  // namespace talkjsd::net
