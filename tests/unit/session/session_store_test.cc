#include "daemon/session/session_store.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "daemon/base/error.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace fs = std::filesystem;
namespace v1 = talkjs::sidecar::v1;

class SessionStoreTest : public testing::Test {
 protected:
  SessionStoreTest() {
    std::string name = (fs::temp_directory_path() / "session_store.XXXXXX").string();
    directory_ = ::mkdtemp(name.data());
    Open();
  }
  ~SessionStoreTest() override { fs::remove_all(directory_); }

  void Open() {
    store_ = nullptr;
    auto store = SessionStore::Open(directory_, journal::Durability::kOs);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  // As the next daemon finds it.
  std::vector<StoredSession> Reload() {
    Open();
    auto sessions = store_->Load();
    EXPECT_TRUE(sessions.ok()) << sessions.status();
    return sessions.ok() ? *std::move(sessions) : std::vector<StoredSession>();
  }
  static StoredSession Alice(const std::string& id = "ses_alice") {
    StoredSession session;
    session.session_id = id;
    session.app_id = "demo";
    session.user_id = "alice";
    session.created_at = 1700000000000;
    session.credentials.kind = CredentialKind::kSigningKey;
    session.credentials.secret = Secret("sk_test_\"quoted\"");
    session.credentials.token_lifetime = std::chrono::minutes(7);
    return session;
  }
  std::string CredentialsPath(const std::string& id) const {
    return directory_ + "/credentials/" + id;
  }

  std::string directory_;
  std::unique_ptr<SessionStore> store_;
};

TEST_F(SessionStoreTest, WhatWasAddedIsThereForTheNextDaemonInItsOrder) {
  ASSERT_TRUE(store_->Add(Alice("ses_z")).ok());
  ASSERT_TRUE(store_->Add(Alice("ses_a")).ok());
  const auto sessions = Reload();
  ASSERT_EQ(sessions.size(), 2u);
  EXPECT_EQ(sessions[1].session_id, "ses_a");
  const StoredSession& first = sessions[0];
  EXPECT_EQ(first.session_id, "ses_z");
  EXPECT_EQ(first.app_id, "demo");
  EXPECT_EQ(first.user_id, "alice");
  EXPECT_EQ(first.created_at, 1700000000000);
  EXPECT_FALSE(first.baseline_at.has_value());
  EXPECT_FALSE(first.destroyed_at.has_value());
  EXPECT_TRUE(first.trouble.ok());
  EXPECT_EQ(first.credentials.kind, CredentialKind::kSigningKey);
  EXPECT_EQ(first.credentials.secret.Expose(), "sk_test_\"quoted\"");
  EXPECT_EQ(first.credentials.token_lifetime, std::chrono::minutes(7));
}

TEST_F(SessionStoreTest, WhatTalkJSHasNoPlaceForIsKeptUntilTheSessionEnds) {
  StoredSession alice = Alice();
  alice.extras.device = upstream::PushDevice{upstream::PushProvider::kApns, Secret("t:\"1\"")};
  alice.extras.enable_push = false;
  ASSERT_TRUE(store_->Add(alice).ok());
  EXPECT_EQ(Reload().at(0).extras, alice.extras);
  Extras later;
  later.availability = {{"alice", ""}, {"b\nob", "back at five"}};
  later.device = upstream::PushDevice{upstream::PushProvider::kFcm, Secret("t2")};
  ASSERT_TRUE(store_->PutExtras("ses_alice", later).ok());
  const auto sessions = Reload();
  EXPECT_EQ(sessions.at(0).extras, later);
  EXPECT_EQ(sessions.at(0).credentials.secret.Expose(), "sk_test_\"quoted\"");
  ASSERT_TRUE(store_->Destroy("ses_alice", 1).ok());
  ASSERT_TRUE(store_->PutExtras("ses_alice", later).ok());
  EXPECT_FALSE(fs::exists(CredentialsPath("ses_alice")));
}

TEST_F(SessionStoreTest, AbsentNullAndAValueStayThreeThings) {
  StoredSession session = Alice();
  upstream::UserWrite user;
  user.name = "Ünïcode \"Alice\"";
  user.custom = wire::Patch<wire::CustomPatch>::Of({{"keep", "1"}, {"drop", std::nullopt}});
  user.locale = wire::Patch<std::string>::Null();
  user.photo_url = wire::Patch<std::string>::Of("");
  user.email = wire::Patch<std::vector<std::string>>::Of({"a@example.com"});
  user.phone = wire::Patch<std::vector<std::string>>::Of({});
  session.user_attributes = user;
  ASSERT_TRUE(store_->Add(session).ok());
  const auto sessions = Reload();
  ASSERT_EQ(sessions.size(), 1u);
  ASSERT_TRUE(sessions[0].user_attributes.has_value());
  EXPECT_EQ(*sessions[0].user_attributes, user);
  ASSERT_TRUE(store_->DropUserAttributes("ses_alice").ok());
  const auto later = Reload();
  EXPECT_FALSE(later[0].user_attributes.has_value());
  EXPECT_EQ(later[0].credentials.secret, session.credentials.secret);
}

TEST_F(SessionStoreTest, ProgressIsKeptOfLivingSessionsOnly) {
  ASSERT_TRUE(store_->Add(Alice("ses_1")).ok());
  ASSERT_TRUE(store_->Add(Alice("ses_2")).ok());
  ASSERT_TRUE(store_->Destroy("ses_2", 99).ok());
  const Checkpoint checkpoint{{5, 6}, 7, {0xfedcba9876543210, 8}};
  ASSERT_TRUE(store_->PutProgress({{"ses_1", 4, checkpoint}, {"ses_2", 4, checkpoint}}).ok());
  const auto sessions = Reload();
  EXPECT_EQ(sessions[0].baseline_at, 4);
  EXPECT_EQ(sessions[0].checkpoint, checkpoint);
  EXPECT_FALSE(sessions[1].baseline_at.has_value());
  EXPECT_EQ(sessions[1].destroyed_at, 99);
}

TEST_F(SessionStoreTest, CredentialsAreForTheOwnerAloneAndGoneWithTheSession) {
  const mode_t mask = ::umask(0);
  ASSERT_TRUE(store_->Add(Alice()).ok());
  ::umask(mask);
  struct stat info {};
  ASSERT_EQ(::stat(CredentialsPath("ses_alice").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  Credentials token;
  token.kind = CredentialKind::kToken;
  token.secret = Secret("a.b.c");
  ASSERT_TRUE(store_->ReplaceCredentials("ses_alice", token).ok());
  ASSERT_EQ(::stat(CredentialsPath("ses_alice").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(Reload()[0].credentials.secret.Expose(), "a.b.c");
  ASSERT_TRUE(store_->Destroy("ses_alice", 1).ok());
  EXPECT_TRUE(fs::is_empty(directory_ + "/credentials"));
  ASSERT_TRUE(store_->Forget("ses_alice").ok());
  EXPECT_TRUE(Reload().empty());
}

TEST_F(SessionStoreTest, EveryKindOfCredentialsComesBackAsItWas) {
  std::vector<Credentials> all(3);
  upstream::HttpFetcher http;
  http.url = "https://example.com/token?key=\"x\"";
  http.method = "GET";
  http.headers = {{"Authorization", Secret("Bearer \"x\"")}, {"X-Empty", Secret("")}};
  http.token_field = "data.token";
  http.timeout = std::chrono::milliseconds(2500);
  all[0].kind = CredentialKind::kHttpFetcher;
  all[0].fetcher = http;
  all[0].first_token = Secret("a.b.c");
  all[1].kind = CredentialKind::kFileFetcher;
  all[1].fetcher = upstream::FileFetcher{"/run/secrets/token"};
  all[2].kind = CredentialKind::kProviderFetcher;
  all[2].fetcher = upstream::ProviderFetcher{""};
  Credentials key = Alice().credentials;
  key.first_token = Secret("d.e.f");
  all.push_back(key);
  all.push_back(Credentials());
  ASSERT_TRUE(store_->Add(Alice()).ok());
  for (const Credentials& credentials : all) {
    SCOPED_TRACE(static_cast<int>(credentials.kind));
    ASSERT_TRUE(store_->ReplaceCredentials("ses_alice", credentials).ok());
    const std::vector<StoredSession> loaded = Reload();
    ASSERT_EQ(loaded.size(), 1u);
    EXPECT_TRUE(loaded[0].trouble.ok()) << loaded[0].trouble;
    EXPECT_TRUE(loaded[0].credentials == credentials);
  }
}

TEST_F(SessionStoreTest, DamagedAndMissingCredentialsAreToldWithoutTheirContent) {
  ASSERT_TRUE(store_->Add(Alice("ses_1")).ok());
  ASSERT_TRUE(store_->Add(Alice("ses_2")).ok());
  for (const char* content : {"", "{}", "{\"kind\":\"magic\",\"secret\":\"canary\"}", "canary",
                              "{\"kind\":\"token\",\"secret\":5,\"token_lifetime_seconds\":1}"}) {
    std::ofstream(CredentialsPath("ses_1")) << content;
    const auto sessions = Reload();
    EXPECT_EQ(ReasonOf(sessions[0].trouble), v1::ERROR_REASON_CREDENTIALS_INVALID) << content;
    EXPECT_EQ(std::string(MessageOf(sessions[0].trouble)).find("canary"), std::string::npos);
    EXPECT_TRUE(sessions[1].trouble.ok());
  }
  fs::remove(CredentialsPath("ses_1"));
  EXPECT_EQ(Reload()[0].trouble.code(), absl::StatusCode::kNotFound);
}

TEST_F(SessionStoreTest, WhatACrashLeftBesideTheListIsRemoved) {
  ASSERT_TRUE(store_->Add(Alice()).ok());
  std::ofstream(CredentialsPath("ses_alice.new")) << "half";
  std::ofstream(CredentialsPath("ses_never_listed")) << "{}";
  EXPECT_EQ(Reload().size(), 1u);
  EXPECT_FALSE(fs::exists(CredentialsPath("ses_alice.new")));
  EXPECT_FALSE(fs::exists(CredentialsPath("ses_never_listed")));
  EXPECT_TRUE(fs::exists(CredentialsPath("ses_alice")));
}

TEST_F(SessionStoreTest, ADirectoryThatCannotBeWrittenIsSaidSo) {
  if (::geteuid() == 0) fs::remove_all(directory_ + "/credentials");
  fs::permissions(directory_, fs::perms::owner_read | fs::perms::owner_exec);
  const absl::Status refused = store_->Add(Alice());
  fs::permissions(directory_, fs::perms::owner_all);
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(MessageOf(refused)).find("ses_alice"), std::string::npos);
}

}  // namespace
}  // namespace talkjsd::session
