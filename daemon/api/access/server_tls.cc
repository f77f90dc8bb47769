#include "daemon/api/access/server_tls.h"

#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::api {
namespace {

constexpr unsigned kRefreshSeconds = 1;
constexpr mode_t kOthers = 07;

absl::Status WrongTlsFile(const std::string& file, const std::string& what) {
  return MakeError(absl::StatusCode::kInvalidArgument,
                   talkjs::sidecar::v1::ERROR_REASON_INVALID_FIELD, file + ": " + what);
}

// OpenSSL's own words, which are about the file's form and never hold its content.
std::string Cause() {
  const unsigned long code = ERR_peek_last_error();  // NOLINT(google-runtime-int): OpenSSL's
  const char* const reason = ERR_reason_error_string(code);
  ERR_clear_error();
  return reason == nullptr ? "not understood" : reason;
}

absl::Status CheckReadable(const std::string& file, bool is_secret) {
  struct stat info;
  if (::stat(file.c_str(), &info) != 0) return WrongTlsFile(file, std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return WrongTlsFile(file, "is not a regular file");
  if (is_secret && (info.st_mode & kOthers) != 0) {
    return WrongTlsFile(file, "others than its owner and group have access to it; chmod o= it");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTlsFiles(const TlsFiles& files) {
  for (const std::string& file : {files.certificate_file, files.key_file, files.client_ca_file}) {
    if (file.empty()) continue;
    const absl::Status readable = CheckReadable(file, file == files.key_file);
    if (!readable.ok()) return readable;
  }
  const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_server_method()),
                                                             &SSL_CTX_free);
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1) {
    return WrongTlsFile(files.certificate_file, "no certificate chain in PEM: " + Cause());
  }
  if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return WrongTlsFile(files.key_file, "no private key in PEM, or not that of " +
                                            files.certificate_file + ": " + Cause());
  }
  if (!files.client_ca_file.empty() &&
      SSL_CTX_load_verify_locations(context.get(), files.client_ca_file.c_str(), nullptr) != 1) {
    return WrongTlsFile(files.client_ca_file, "no certificates in PEM: " + Cause());
  }
  return absl::OkStatus();
}

std::shared_ptr<grpc::ServerCredentials> MakeServerCredentials(const TlsFiles& files) {
  using grpc::experimental::FileWatcherCertificateProvider;
  grpc::experimental::TlsServerCredentialsOptions options(
      std::make_shared<FileWatcherCertificateProvider>(files.key_file, files.certificate_file,
                                                       files.client_ca_file, kRefreshSeconds));
  options.watch_identity_key_cert_pairs();
  if (!files.client_ca_file.empty()) {
    options.watch_root_certs();
    options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace talkjsd::api
