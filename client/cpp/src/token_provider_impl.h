// The provider behind talkjsd/token_provider.h; contracts are there.
#ifndef TALKJSD_CLIENT_TOKEN_PROVIDER_IMPL_H_
#define TALKJSD_CLIENT_TOKEN_PROVIDER_IMPL_H_

#include <memory>

#include "connection.h"
#include "reopening_reader.h"
#include "talkjs/sidecar/v1/session_service.grpc.pb.h"
#include "talkjsd/token_provider.h"

namespace talkjsd::client {

class TokenProvider::Impl {
 public:
  Impl(std::shared_ptr<Connection> connection, const v1::TokenRegistration& registration,
       TokenProviderOptions options);

  Status Run(const TokenHandler& handler);
  void Cancel() { reader_.Cancel(); }

 private:
  using Stream = grpc::ClientReaderWriter<v1::ProvideTokensRequest, v1::ProvideTokensResponse>;

  static bool IsLate(const v1::TokenQuery& query);
  // False: the stream is over.
  bool Answer(const v1::TokenQuery& query, TokenReply reply);

  const std::unique_ptr<v1::SessionService::Stub> stub_;
  const v1::TokenRegistration registration_;
  const TokenProviderOptions options_;
  ReopeningReader<v1::ProvideTokensResponse, Stream> reader_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_TOKEN_PROVIDER_IMPL_H_
