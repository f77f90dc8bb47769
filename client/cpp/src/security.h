// How a connection proves who is at its ends: certificates and bearer tokens.
#ifndef TALKJSD_CLIENT_SECURITY_H_
#define TALKJSD_CLIENT_SECURITY_H_

#include <grpcpp/client_context.h>
#include <grpcpp/security/credentials.h>

#include <memory>
#include <string>

#include "talkjsd/client.h"

namespace talkjsd::client {

// Immutable, so any thread may use it.
class Security {
 public:
  // Reads the certificates that `options` names; `address` in gRPC's form.
  Security(const ClientOptions& options, const std::string& address);

  // Not OK: the files, or what they would be used for, make no sense, and no call is to be made.
  const Status& status() const { return status_; }
  bool has_tls() const { return has_tls_; }
  const std::shared_ptr<grpc::ChannelCredentials>& channel() const { return channel_; }

  // Puts the bearer token into a call, if there is one. It is read each time: it may be renewed.
  void AddTo(grpc::ClientContext* context) const;

 private:
  std::string bearer_token_file_;
  bool has_tls_ = false;
  Status status_;
  std::shared_ptr<grpc::ChannelCredentials> channel_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_SECURITY_H_
