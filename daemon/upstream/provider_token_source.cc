#include "daemon/upstream/provider_token_source.h"

#include <utility>

namespace talkjsd::upstream {
namespace {

class ProviderTokenSource : public TokenSource {
 public:
  ProviderTokenSource(ProviderFetcher fetcher, std::string session_id, const TokenOwner& owner,
                      TokenBroker& broker, net::EventLoop& loop, News news)
      : clock_(owner.clock),
        broker_(broker),
        loop_(loop.remote()),
        news_(std::move(news)),
        patience_(loop, [this] { OnTimeout(); }) {
    TokenBroker::Member member{std::move(fetcher.provider_name), std::move(session_id),
                               owner.app_id, owner.user_id};
    member_ = broker_.Join(std::move(member),
                           [this, alive = std::weak_ptr<bool>(alive_), remote = loop_] {
                             remote->Post([this, alive] {
                               if (!alive.expired() && in_trouble_) news_();
                             });
                           });
  }
  ~ProviderTokenSource() override { broker_.Leave(member_); }

  void Get(const NeedToken& need, Done done) override {
    request_ = std::make_shared<bool>(true);
    patience_.Set(clock_.Now() + broker_.answer_timeout());
    broker_.Ask(member_, need.cause,
                [this, request = std::weak_ptr<bool>(request_), remote = loop_,
                 done = std::move(done)](const TokenResult& result) {
                  remote->Post([this, request, done, result] {
                    if (request.expired()) return;
                    request_.reset();
                    patience_.Set(kNever);
                    in_trouble_ = result.kind != TokenResult::Kind::kToken;
                    done(result);
                  });
                });
  }

 private:
  void OnTimeout() {
    if (request_ != nullptr) patience_.Set(broker_.Expire(member_));
  }

  const Clock& clock_;
  TokenBroker& broker_;
  const std::shared_ptr<net::EventLoop::Remote> loop_;
  const News news_;
  net::Timer patience_;
  uint64_t member_ = 0;
  bool in_trouble_ = false;        // the last request ended so
  std::shared_ptr<bool> request_;  // the one under way
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<TokenSource> MakeProviderTokenSource(ProviderFetcher fetcher,
                                                     std::string session_id, TokenOwner owner,
                                                     TokenBroker& broker, net::EventLoop& loop,
                                                     TokenSource::News news) {
  return std::make_unique<ProviderTokenSource>(std::move(fetcher), std::move(session_id), owner,
                                               broker, loop, std::move(news));
}

}  // namespace talkjsd::upstream
