#include "talkjsd/token_provider.h"

#include "token_provider_impl.h"

namespace talkjsd::client {

TokenProvider::Impl::Impl(std::shared_ptr<Connection> connection,
                          const v1::TokenRegistration& registration, TokenProviderOptions options)
    : stub_(v1::SessionService::NewStub(connection->channel())),
      registration_(registration),
      options_(std::move(options)),
      reader_(std::move(connection), options_, [this](grpc::ClientContext* context) {
        auto call = stub_->ProvideTokens(context);
        v1::ProvideTokensRequest first;
        *first.mutable_registration() = registration_;
        call->Write(first);  // that it failed shows when the answer is read
        return call;
      }) {}

Status TokenProvider::Impl::Run(const TokenHandler& handler) {
  v1::ProvideTokensResponse response;
  while (reader_.Read(&response)) {
    if (response.has_registered() && options_.on_registered) options_.on_registered();
    for (const v1::TokenRejection& rejection : response.rejections()) {
      if (options_.on_rejected) options_.on_rejected(rejection);
    }
    for (const v1::TokenQuery& query : response.queries()) {
      // When the stream is over, so are its queries.
      if (!IsLate(query) && !Answer(query, handler(query))) break;
    }
  }
  return reader_.status();
}

// Somebody else is asked by then.
bool TokenProvider::Impl::IsLate(const v1::TokenQuery& query) {
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
      std::chrono::system_clock::now().time_since_epoch());
  return query.has_deadline_time() && query.deadline_time().seconds() < now.count();
}

bool TokenProvider::Impl::Answer(const v1::TokenQuery& query, TokenReply reply) {
  v1::ProvideTokensRequest request;
  v1::TokenAnswer* answer = request.mutable_answer();
  answer->set_query_id(query.query_id());
  if (reply.token.empty()) {
    answer->set_failure(std::move(reply.failure));
  } else {
    answer->set_token(std::move(reply.token));
  }
  return reader_.stream().Write(request);
}

TokenProvider::TokenProvider(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TokenProvider::~TokenProvider() = default;

Status TokenProvider::Run(const TokenHandler& handler) { return impl_->Run(handler); }
void TokenProvider::Cancel() { impl_->Cancel(); }

}  // namespace talkjsd::client
