#include "daemon/session/declared.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "daemon/base/error.h"

namespace talkjsd::session {
namespace {

Declaration For(const std::string& user, const std::string& key = "sk_test_demo") {
  CreateRequest request;
  request.app_id = "demo";
  request.user_id = user;
  request.credentials.kind = CredentialKind::kSigningKey;
  request.credentials.secret = Secret(key);
  return {"demo", user, request};
}

Declaration Unreadable(const std::string& user) {
  return {"demo", user, absl::NotFoundError("/key: No such file or directory")};
}

// Nothing listens on the discard port of this host.
class DeclaredTest : public testing::Test {
 protected:
  DeclaredTest()
      : path_(std::filesystem::temp_directory_path() /
              ("declared_test." + std::to_string(getpid()))),
        journal_(*journal::Journal::Open({}, journal::MakeMemoryStore({}), SystemClock(),
                                         SecureRandom(), metrics_)),
        tls_(*net::TlsContext::Make("")),
        http_("") {
    Registry::Options options;
    options.upstream_host = "127.0.0.1:9";
    options.max_sessions = 3;
    registry_ = std::make_unique<Registry>(
        options,
        Registry::Environment{SystemClock(), SecureRandom(), metrics_, *journal_, http_, *tls_});
  }
  ~DeclaredTest() override { std::filesystem::remove(path_); }

  // "created kept removed failed"
  std::string Apply(const std::vector<Declaration>& declarations) {
    // Anew, as after a restart: only the file remembers.
    const auto done = DeclaredSessions(*registry_, path_).Apply(declarations);
    return std::to_string(done.created) + " " + std::to_string(done.kept) + " " +
           std::to_string(done.removed) + " " + std::to_string(done.failed);
  }
  std::string Users() const {
    std::string users;
    for (const Info& info : registry_->List()) users += *info.user_id + " ";
    return users;
  }

  const std::string path_;
  Metrics metrics_;
  const std::unique_ptr<journal::Journal> journal_;
  const std::unique_ptr<net::TlsContext> tls_;
  net::HttpClient http_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(DeclaredTest, TheyAreThereAsLongAsTheyAreDeclared) {
  EXPECT_EQ(Apply({For("a"), For("b")}), "2 0 0 0");
  const std::string id = registry_->List()[0].session_id;
  EXPECT_EQ(Apply({For("a"), For("b")}), "0 2 0 0");
  EXPECT_EQ(Apply({For("c"), For("a")}), "1 1 1 0");
  EXPECT_EQ(Users(), "a c ");
  EXPECT_EQ(registry_->List()[0].session_id, id);
  EXPECT_EQ(Apply({}), "0 0 2 0");
  EXPECT_EQ(Users(), "");
  EXPECT_EQ(Apply({}), "0 0 0 0");
}

TEST_F(DeclaredTest, OnesInTroubleAreLeftAsTheyAreAndTriedAgain) {
  EXPECT_EQ(Apply({For("a"), Unreadable("b")}), "1 0 0 1");
  EXPECT_EQ(Apply({Unreadable("a"), For("b")}), "1 0 0 1");
  EXPECT_EQ(Users(), "a b ");
  EXPECT_EQ(Apply({For("a", ""), For("b")}), "0 1 0 1") << "a key that cannot be";
  EXPECT_EQ(Apply({For("b")}), "0 1 1 0");
  EXPECT_EQ(Users(), "b ");
}

TEST_F(DeclaredTest, TheLimitMayChange) {
  EXPECT_EQ(Apply({For("a"), For("b"), For("c"), For("d")}), "3 0 0 1");
  registry_->SetMaxSessions(4);
  EXPECT_EQ(Apply({For("a"), For("b"), For("c"), For("d")}), "1 3 0 0");
  registry_->SetMaxSessions(1);
  EXPECT_EQ(Apply({For("a"), For("b"), For("c"), For("d")}), "0 4 0 0");
}

TEST_F(DeclaredTest, SessionsOfClientsAreLeftAloneUntilTheyAreDeclared) {
  ASSERT_TRUE(registry_->Create(*For("a").request).ok());
  ASSERT_TRUE(registry_->Create(*For("b").request).ok());
  EXPECT_EQ(Apply({For("b", "other")}), "0 1 0 0");
  EXPECT_EQ(Apply({}), "0 0 1 0");
  EXPECT_EQ(Users(), "a ");
}

TEST_F(DeclaredTest, WhatAClientHasDestroyedComesBackWithTheNextReload) {
  EXPECT_EQ(Apply({For("a")}), "1 0 0 0");
  registry_->Destroy(registry_->List()[0].session_id, [](const absl::Status&) {});
  EXPECT_EQ(Apply({For("a")}), "1 0 0 0");
}

}  // namespace
}  // namespace talkjsd::session
