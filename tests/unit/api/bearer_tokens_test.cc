#include "daemon/api/access/bearer_tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/base/error.h"

namespace talkjsd::api {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kShopToken[] = "shop-secret-0123456789";
constexpr char kBankToken[] = "bank-secret-0123456789";

class BearerTokensTest : public testing::Test {
 protected:
  BearerTokensTest() : path_(testing::TempDir() + "/bearers." + std::to_string(getpid())) {}
  ~BearerTokensTest() override { std::filesystem::remove(path_); }

  void Write(const std::string& content, mode_t mode = 0600) {
    std::filesystem::remove(path_);
    std::ofstream(path_) << content;
    ASSERT_EQ(::chmod(path_.c_str(), mode), 0);
  }

  const std::string path_;
};

TEST_F(BearerTokensTest, FindsTheNameOfATokenAndOfNothingElse) {
  Write(std::string("# clients\n\n shop : ") + kShopToken + " \r\nbank:" + kBankToken);
  const auto tokens = BearerTokens::Open(path_);
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ((*tokens)->Find(kShopToken)->name, "shop");
  EXPECT_EQ((*tokens)->Find(kBankToken)->name, "bank");
  for (const char* wrong : {"", "shop", "shop-secret-012345678", "shop-secret-01234567890"}) {
    EXPECT_FALSE((*tokens)->Find(wrong).has_value()) << wrong;
  }
}

TEST_F(BearerTokensTest, ATokenIsRevokedByTakingItOutAndANameMayHaveTwo) {
  Write(std::string("shop:") + kShopToken);
  const auto tokens = BearerTokens::Open(path_);
  ASSERT_TRUE(tokens.ok());
  const BearerTokens::Match old = *(*tokens)->Find(kShopToken);
  EXPECT_FALSE(*(*tokens)->Refresh(false)) << "nothing has changed";

  Write(std::string("shop:") + kShopToken + "\nshop:" + kBankToken);
  EXPECT_TRUE(*(*tokens)->Refresh(false));
  EXPECT_TRUE((*tokens)->Has(old));
  EXPECT_EQ((*tokens)->Find(kBankToken)->name, "shop");

  Write(std::string("shop:") + kBankToken);
  EXPECT_TRUE(*(*tokens)->Refresh(false));
  EXPECT_FALSE((*tokens)->Has(old)) << "the name has another token now";
  EXPECT_FALSE((*tokens)->Find(kShopToken).has_value());
}

TEST_F(BearerTokensTest, AFileThatIsWrongLeavesTheTokensAndIsReportedOnce) {
  Write(std::string("shop:") + kShopToken);
  const auto tokens = BearerTokens::Open(path_);
  ASSERT_TRUE(tokens.ok());
  Write("shop");
  EXPECT_FALSE((*tokens)->Refresh(false).ok());
  EXPECT_TRUE((*tokens)->Refresh(false).ok()) << "once a change";
  EXPECT_FALSE((*tokens)->Refresh(true).ok());
  EXPECT_TRUE((*tokens)->Find(kShopToken).has_value());
  std::filesystem::remove(path_);
  EXPECT_FALSE((*tokens)->Refresh(false).ok());
  EXPECT_TRUE((*tokens)->Refresh(false).ok());
  EXPECT_TRUE((*tokens)->Find(kShopToken).has_value());
}

TEST_F(BearerTokensTest, ErrorsNameTheLineAndNeverTheToken) {
  const struct {
    std::string content;
    const char* says;
  } cases[] = {
      {"# one\nshop-secret", "line 2"},
      {std::string(":") + kShopToken, "line 1"},
      {std::string("a b:") + kShopToken, "line 1"},
      {"shop:shop-secret", "line 1"},  // 11 characters
      {std::string("shop:shop-secret with-a-space"), "line 1"},
      {std::string("shop:") + kShopToken + "\nbank:" + kShopToken, "line 2"},
      {"shop:shop-secret" + std::string(512, 'x'), "line 1"},
  };
  for (const auto& test : cases) {
    Write(test.content);
    const auto tokens = BearerTokens::Open(path_);
    ASSERT_FALSE(tokens.ok()) << test.content;
    EXPECT_TRUE(absl::IsInvalidArgument(tokens.status()));
    EXPECT_THAT(std::string(MessageOf(tokens.status())), HasSubstr(test.says));
    EXPECT_THAT(std::string(MessageOf(tokens.status())), HasSubstr(path_));
    EXPECT_THAT(std::string(MessageOf(tokens.status())), Not(HasSubstr("secret")));
  }
}

TEST_F(BearerTokensTest, OthersMustHaveNoAccessToTheFile) {
  Write(std::string("shop:") + kShopToken, 0644);
  const auto tokens = BearerTokens::Open(path_);
  ASSERT_FALSE(tokens.ok());
  EXPECT_THAT(std::string(MessageOf(tokens.status())), HasSubstr("chmod"));
  Write(std::string("shop:") + kShopToken, 0640);
  EXPECT_TRUE(BearerTokens::Open(path_).ok());
  EXPECT_FALSE(BearerTokens::Open(path_ + ".gone").ok());
  EXPECT_FALSE(BearerTokens::Open(testing::TempDir()).ok());
}

}  // namespace
}  // namespace talkjsd::api
