#include "security.h"

#include <fstream>
#include <sstream>

#include "address.h"

namespace talkjsd::client {
namespace {

// False: it cannot be read. An empty path is an empty file.
bool ReadFile(const std::string& path, std::string* content) {
  content->clear();
  if (path.empty()) return true;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream bytes;
  if (!file || !(bytes << file.rdbuf())) return false;
  *content = bytes.str();
  return true;
}

std::string WithoutSpaceAround(const std::string& text) {
  constexpr char kSpace[] = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

bool IsLoopback(const std::string& address) {
  return address.rfind("127.", 0) == 0 || address.rfind("localhost:", 0) == 0 ||
         address.rfind("[::1]:", 0) == 0;
}

Status Wrong(const std::string& message) {
  Status status;
  status.code = Code::kInvalidArgument;
  status.message = message;
  return status;
}

}  // namespace

Security::Security(const ClientOptions& options, const std::string& address)
    : has_tls_(options.tls || !options.ca_file.empty() || !options.cert_file.empty()),
      channel_(grpc::InsecureChannelCredentials()) {
  const bool is_unix = !UnixSocketPath(address).empty();
  if (is_unix) {
    if (has_tls_) status_ = Wrong("TLS is for TCP addresses, not for the socket " + address);
    return;
  }
  if (options.cert_file.empty() != options.key_file.empty()) {
    status_ = Wrong("a client certificate needs both its certificate's and its key's file");
    return;
  }
  bearer_token_file_ = options.bearer_token_file;
  if (!has_tls_) {
    if (!bearer_token_file_.empty() && !IsLoopback(address)) {
      status_ = Wrong("a bearer token is not sent to " + address + " without TLS");
    }
    return;
  }
  grpc::SslCredentialsOptions ssl;
  const struct {
    const std::string& path;
    std::string* content;
  } files[] = {{options.ca_file, &ssl.pem_root_certs},
               {options.key_file, &ssl.pem_private_key},
               {options.cert_file, &ssl.pem_cert_chain}};
  for (const auto& file : files) {
    if (ReadFile(file.path, file.content)) continue;
    status_ = Wrong("cannot read " + file.path);
    return;
  }
  channel_ = grpc::SslCredentials(ssl);
}

void Security::AddTo(grpc::ClientContext* context) const {
  if (bearer_token_file_.empty()) return;
  std::string token;
  // Without a token the daemon's answer says what it wants.
  if (!ReadFile(bearer_token_file_, &token)) return;
  token = WithoutSpaceAround(token);
  if (!token.empty()) context->AddMetadata("authorization", "Bearer " + token);
}

}  // namespace talkjsd::client
