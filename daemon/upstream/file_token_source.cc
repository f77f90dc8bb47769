#include "daemon/upstream/file_token_source.h"

#include <utility>

#include "daemon/base/error.h"
#include "daemon/upstream/token_check.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace v1 = talkjs::sidecar::v1;

class FileTokenSource : public TokenSource {
 public:
  FileTokenSource(FileFetcher fetcher, TokenOwner owner, TokenFiles& files, net::EventLoop& loop,
                  News news)
      : fetcher_(std::move(fetcher)),
        owner_(std::move(owner)),
        files_(files),
        loop_(loop.remote()),
        news_(std::move(news)) {
    watch_ = files_.Watch(fetcher_.path, [this, alive = std::weak_ptr<bool>(alive_),
                                          loop = loop_](const absl::StatusOr<Secret>& content) {
      if (!content.ok()) return;  // told when a token is asked for
      loop->Post([this, alive, token = *content] {
        if (!alive.expired()) OnChange(token);
      });
    });
  }
  ~FileTokenSource() override { files_.Unwatch(watch_); }

  void Get(const NeedToken& need, Done done) override {
    request_ = std::make_shared<bool>(true);
    files_.Read(fetcher_.path, [this, need, request = std::weak_ptr<bool>(request_), loop = loop_,
                                done = std::move(done)](const absl::StatusOr<Secret>& content) {
      loop->Post([this, need, request, done, content] {
        if (!request.expired()) done(Judge(need, content));
      });
    });
  }

 private:
  void OnChange(const Secret& token) {
    // Before the first request all is news, and will be asked for anyway.
    if (given_.empty() && !in_trouble_) return;
    if (token == given_) return;
    news_();
  }

  TokenResult Judge(const NeedToken& need, const absl::StatusOr<Secret>& content) {
    TokenResult result;
    result.kind = TokenResult::Kind::kTrouble;
    in_trouble_ = true;
    if (!content.ok()) {
      result.why = content.status();
      return result;
    }
    const std::string where = "in the token file " + fetcher_.path;
    const absl::Status checked = CheckFetchedToken(content->Expose(), owner_.app_id, owner_.user_id,
                                                   owner_.clock.WallMillis());
    if (!checked.ok()) {
      result.why = WithContext(checked, where);
      return result;
    }
    if (*content == given_ && need.cause == TokenCause::kRefused) {
      result.why = MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_TOKEN_REFUSED,
                             "TalkJS refused the token " + where +
                                 ": check that it is signed with the key of this app, and write "
                                 "another one");
      return result;
    }
    in_trouble_ = false;
    if (*content == given_ && need.cause == TokenCause::kRenewal) {
      // Its successor is news when it comes.
      result.kind = TokenResult::Kind::kWait;
      result.why = MakeError(absl::StatusCode::kFailedPrecondition, v1::ERROR_REASON_TOKEN_EXPIRED,
                             "the token " + where + " is the old one still");
      return result;
    }
    result.kind = TokenResult::Kind::kToken;
    result.expires_at = TokenExpiry(content->Expose());
    result.token = *content;
    given_ = *content;
    return result;
  }

  const FileFetcher fetcher_;
  const TokenOwner owner_;
  TokenFiles& files_;
  const std::shared_ptr<net::EventLoop::Remote> loop_;
  const News news_;
  Secret given_;             // last
  bool in_trouble_ = false;  // the last request was answered so
  uint64_t watch_ = 0;
  std::shared_ptr<bool> request_;  // the newest one
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<TokenSource> MakeFileTokenSource(FileFetcher fetcher, TokenOwner owner,
                                                 TokenFiles& files, net::EventLoop& loop,
                                                 TokenSource::News news) {
  return std::make_unique<FileTokenSource>(std::move(fetcher), std::move(owner), files, loop,
                                           std::move(news));
}

}  // namespace talkjsd::upstream
