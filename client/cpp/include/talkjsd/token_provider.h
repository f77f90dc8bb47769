// Providing tokens to the daemon: the TokenFetcherHandler of this API.
//
//   talkjsd::client::v1::TokenRegistration registration;
//   registration.set_provider_name("backend");
//   const auto provider = client.ProvideTokens(registration);
//   talkjsd::client::Status status = provider->Run([&](const auto& query) {
//     return talkjsd::client::TokenReply::Token(Mint(query.app_id(), query.user_id()));
//   });
#ifndef TALKJSD_CLIENT_TOKEN_PROVIDER_H_
#define TALKJSD_CLIENT_TOKEN_PROVIDER_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "talkjs/sidecar/v1/session_service.pb.h"
#include "talkjsd/status.h"
#include "talkjsd/stream.h"

namespace talkjsd::client {

// What a handler answers: a token, or why there is none.
struct TokenReply {
  static TokenReply Token(std::string token) { return {std::move(token), ""}; }
  // `why` is for a person, and shown in the session's state.
  static TokenReply Failure(std::string why) { return {"", std::move(why)}; }

  std::string token;
  std::string failure;  // of an empty token
};

using TokenHandler = std::function<TokenReply(const v1::TokenQuery&)>;

struct TokenProviderOptions : StreamOptions {
  // The daemon knows of this provider; also after each reconnect.
  std::function<void()> on_registered;
  // An answer was of no use.
  std::function<void(const v1::TokenRejection&)> on_rejected;
};

// One registration. Run() blocks on one thread, on which everything is called, queries one after
// the other; Cancel() may be called from any thread.
class TokenProvider {
 public:
  ~TokenProvider();
  TokenProvider(const TokenProvider&) = delete;
  TokenProvider& operator=(const TokenProvider&) = delete;

  // Answers queries, also over restarts of the daemon, until it refuses the registration or
  // Cancel() is called (CANCELLED).
  Status Run(const TokenHandler& handler);
  void Cancel();

 private:
  friend class Client;
  class Impl;
  explicit TokenProvider(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace talkjsd::client

#endif  // TALKJSD_CLIENT_TOKEN_PROVIDER_H_
