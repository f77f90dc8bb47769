#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "daemon/base/error.h"
#include "daemon/upstream/file_token_source.h"
#include "daemon/wire/jwt.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::upstream {
namespace {

namespace fs = std::filesystem;
namespace v1 = talkjs::sidecar::v1;
using Kind = TokenResult::Kind;

std::string Token(const std::string& user, int64_t lifetime) {
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = "demo";
  claims.subject = user;
  claims.expires = SystemClock().WallMillis() / 1000 + lifetime;
  return std::string(wire::MintJwt(claims, Secret("sk_test_demo")).Expose());
}

class TokenFile : public testing::Test {
 protected:
  TokenFile() : loop_("test"), files_(std::chrono::milliseconds(20)) {
    std::string name = (fs::temp_directory_path() / "tokens.XXXXXX").string();
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    dir_ = name;
    path_ = dir_ / "token";
    loop_.Start();
  }
  ~TokenFile() override {
    loop_.PostAndWait([this] { source_.reset(); });
    loop_.Stop();
    fs::remove_all(dir_);
  }

  static void Write(const fs::path& path, const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
  }
  ErrorReason Reason() const { return ReasonOf(ReadTokenFile(path_.string()).status()); }

  void Begin() {
    loop_.PostAndWait([this] {
      source_ = MakeFileTokenSource({path_.string()}, {"demo", "alice", SystemClock()}, files_,
                                    loop_, [this] {
                                      ++news_;
                                      if (on_news_ != nullptr) on_news_();
                                    });
    });
  }
  TokenResult Get(TokenCause cause = TokenCause::kFirst) {
    std::promise<TokenResult> promise;
    loop_.PostAndWait([&] {
      source_->Get({cause, 0}, [&](TokenResult result) { promise.set_value(std::move(result)); });
    });
    return promise.get_future().get();
  }
  // Does something, and waits until the source has told of it.
  void ExpectNews(const std::function<void()>& change) {
    std::promise<void> told;
    loop_.PostAndWait([&] {
      on_news_ = [&] {
        told.set_value();
        on_news_ = nullptr;
      };
    });
    change();
    EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
    loop_.PostAndWait([this] { on_news_ = nullptr; });
  }

  net::EventLoop loop_;
  TokenFiles files_;
  fs::path dir_;
  fs::path path_;
  std::unique_ptr<TokenSource> source_;
  int news_ = 0;                   // on the loop
  std::function<void()> on_news_;  // on the loop
};

TEST_F(TokenFile, IsReadWithoutTheSpaceAroundIt) {
  Write(path_, " \n token\r\n");
  const auto token = ReadTokenFile(path_.string());
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->Expose(), "token");
  Write(path_, std::string(16 * 1024, 'x') + "\n");
  EXPECT_TRUE(ReadTokenFile(path_.string()).ok());
}

TEST_F(TokenFile, ThatCannotServeSaysWhy) {
  EXPECT_EQ(Reason(), v1::ERROR_REASON_TOKEN_FILE_UNREADABLE);
  fs::create_directory(path_);
  EXPECT_EQ(Reason(), v1::ERROR_REASON_TOKEN_FILE_UNREADABLE);
  fs::remove(path_);
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  EXPECT_EQ(Reason(), v1::ERROR_REASON_TOKEN_FILE_UNREADABLE);
  fs::remove(path_);
  Write(path_, " \n");
  EXPECT_EQ(Reason(), v1::ERROR_REASON_TOKEN_FETCH_EMPTY);
  for (const size_t size : {size_t{16 * 1024 + 1}, size_t{100'000}}) {
    Write(path_, std::string(size, 'x'));
    EXPECT_EQ(Reason(), v1::ERROR_REASON_TOKEN_FETCH_TOO_LARGE);
  }
}

TEST_F(TokenFile, GivesItsTokenAndTellsOfAnother) {
  const std::string first = Token("alice", 100);
  const std::string second = Token("alice", 200);
  Write(path_, first);
  Begin();
  TokenResult result = Get();
  ASSERT_EQ(result.kind, Kind::kToken) << result.why;
  EXPECT_EQ(result.token.Expose(), first);
  EXPECT_TRUE(result.expires_at.has_value());
  EXPECT_EQ(Get(TokenCause::kRenewal).kind, Kind::kWait) << "it is the old one still";
  EXPECT_EQ(Get(TokenCause::kExpired).kind, Kind::kToken);
  ExpectNews([&] { Write(path_, second); });
  result = Get(TokenCause::kRenewal);
  ASSERT_EQ(result.kind, Kind::kToken) << result.why;
  EXPECT_EQ(result.token.Expose(), second);
}

TEST_F(TokenFile, ARefusedTokenIsNotGivenAgain) {
  Write(path_, Token("alice", 100));
  Begin();
  ASSERT_EQ(Get().kind, Kind::kToken);
  const TokenResult result = Get(TokenCause::kRefused);
  EXPECT_EQ(result.kind, Kind::kTrouble);
  EXPECT_EQ(ReasonOf(result.why), v1::ERROR_REASON_TOKEN_REFUSED);
  ExpectNews([&] { Write(path_, Token("alice", 200)); });
  EXPECT_EQ(Get(TokenCause::kRefused).kind, Kind::kToken);
}

TEST_F(TokenFile, TellsWhenAMissingOneAppears) {
  Begin();
  EXPECT_EQ(ReasonOf(Get().why), v1::ERROR_REASON_TOKEN_FILE_UNREADABLE);
  ExpectNews([&] { Write(path_, Token("alice", 100)); });
  EXPECT_EQ(Get().kind, Kind::kToken);
}

// Kubernetes: token -> ..data/token, ..data -> ..2026_01, and ..data is replaced by a rename.
TEST_F(TokenFile, SwappedLinksAreAChange) {
  const auto mount = [&](const std::string& version, const std::string& token) {
    fs::create_directory(dir_ / version);
    Write(dir_ / version / "token", token);
    fs::create_directory_symlink(version, dir_ / "..tmp");
    fs::rename(dir_ / "..tmp", dir_ / "..data");
  };
  mount("..1", Token("alice", 100));
  fs::create_symlink("..data/token", path_);
  Begin();
  ASSERT_EQ(Get().kind, Kind::kToken);
  const std::string second = Token("alice", 200);
  ExpectNews([&] {
    mount("..2", second);
    fs::remove_all(dir_ / "..1");
  });
  EXPECT_EQ(Get(TokenCause::kRenewal).token.Expose(), second);
}

TEST_F(TokenFile, BadContentIsTroubleWithItsReason) {
  Begin();
  const std::pair<std::string, v1::ErrorReason> cases[] = {
      {"no token", v1::ERROR_REASON_TOKEN_MALFORMED},
      {Token("bob", 100), v1::ERROR_REASON_TOKEN_WRONG_USER},
      {Token("alice", -1), v1::ERROR_REASON_TOKEN_EXPIRED},
      {"", v1::ERROR_REASON_TOKEN_FETCH_EMPTY},
  };
  for (const auto& [content, reason] : cases) {
    Write(path_, content);
    const TokenResult result = Get();
    EXPECT_EQ(result.kind, Kind::kTrouble);
    EXPECT_EQ(ReasonOf(result.why), reason);
    EXPECT_NE(MessageOf(result.why).find(path_.string()), std::string_view::npos);
    if (!content.empty()) {
      EXPECT_EQ(MessageOf(result.why).find(content), std::string_view::npos);
    }
  }
}

}  // namespace
}  // namespace talkjsd::upstream
