// The registry with an upstream that is never there: nothing listens on the discard port of this
// host.
#include "daemon/session/registry.h"

#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>

#include "daemon/base/error.h"
#include "daemon/wire/jwt.h"
#include "talkjs/sidecar/v1/errors.pb.h"

namespace talkjsd::session {
namespace {

namespace v1 = talkjs::sidecar::v1;

CreateRequest For(const std::string& user, const std::string& key = "sk_test_demo") {
  CreateRequest request;
  request.app_id = "demo";
  request.user_id = user;
  request.credentials.kind = CredentialKind::kSigningKey;
  request.credentials.secret = Secret(key);
  return request;
}

std::string TokenOf(const std::string& user, int64_t lifetime = 3600) {
  wire::JwtClaims claims;
  claims.token_type = "user";
  claims.issuer = "demo";
  claims.subject = user;
  claims.expires = SystemClock().WallMillis() / 1000 + lifetime;
  return std::string(wire::MintJwt(claims, Secret("sk_test_demo")).Expose());
}

// The system's clock, but its calendar can be turned on.
class CalendarClock : public Clock {
 public:
  MonoTime Now() const override { return SystemClock().Now(); }
  UnixMillis WallMillis() const override { return SystemClock().WallMillis() + ahead_; }
  void Turn(Duration by) {
    ahead_ += std::chrono::duration_cast<std::chrono::milliseconds>(by).count();
  }

 private:
  std::atomic<int64_t> ahead_ = 0;
};

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() : http_("") {
    auto journal = journal::Journal::Open({}, journal::MakeMemoryStore({}), SystemClock(),
                                          SecureRandom(), metrics_);
    EXPECT_TRUE(journal.ok());
    journal_ = *std::move(journal);
    auto tls = net::TlsContext::Make("");
    EXPECT_TRUE(tls.ok());
    tls_ = *std::move(tls);
    Registry::Options options;
    options.upstream_host = "127.0.0.1:9";
    options.max_sessions = 3;
    registry_ = std::make_unique<Registry>(
        options, Registry::Environment{clock_, SecureRandom(), metrics_, *journal_, http_, *tls_});
  }

  // A session that awaits its user.
  std::string CreateFor(Credentials credentials) {
    CreateRequest request;
    request.app_id = "demo";
    request.credentials = std::move(credentials);
    auto created = registry_->Create(request);
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->info.session_id : "";
  }
  static Credentials TokenCredentials(const std::string& token) {
    Credentials credentials;
    credentials.kind = CredentialKind::kToken;
    credentials.secret = Secret(token);
    return credentials;
  }

  std::string Create(const std::string& user) {
    auto created = registry_->Create(For(user));
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->info.session_id : "";
  }
  absl::Status Destroy(const std::string& id) {
    std::promise<absl::Status> promise;
    registry_->Destroy(id, [&](const absl::Status& status) { promise.set_value(status); });
    return promise.get_future().get();
  }
  absl::Status Call(const std::string& id, Duration timeout = std::chrono::milliseconds(50)) {
    std::promise<absl::Status> promise;
    registry_->Call(id, {"POST", "/a"}, timeout, [&](absl::StatusOr<upstream::Reply> reply) {
      promise.set_value(reply.status());
    });
    return promise.get_future().get();
  }

  CalendarClock clock_;
  Metrics metrics_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<net::TlsContext> tls_;
  net::HttpClient http_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(RegistryTest, AUserIsSetOnceAndForOneSession) {
  const std::string id = CreateFor({});
  const std::string alice = Create("alice");
  const absl::Status taken = registry_->SetMe(id, "alice", std::nullopt).status();
  EXPECT_EQ(taken.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReasonOf(taken), v1::ERROR_REASON_SESSION_ALREADY_EXISTS);
  EXPECT_EQ(MetadataOf(taken)["session_id"], alice);
  EXPECT_EQ(ReasonOf(registry_->SetMe(id, "", std::nullopt).status()),
            v1::ERROR_REASON_INVALID_FIELD);

  const auto set = registry_->SetMe(id, "bob", std::nullopt);
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->user_id, "bob");
  EXPECT_EQ(set->state, State::kConnecting);
  EXPECT_FALSE(set->expires_at.has_value());
  for (const char* user : {"bob", "carol"}) {
    const absl::Status again = registry_->SetMe(id, user, std::nullopt).status();
    EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(ReasonOf(again), v1::ERROR_REASON_ME_ALREADY_SET);
  }
  EXPECT_EQ(ReasonOf(registry_->SetMe("ses_unknown", "x", std::nullopt).status()),
            v1::ERROR_REASON_SESSION_NOT_FOUND);
  // It is the session of its user from now on, and does not end after ten minutes.
  const auto found = registry_->Create([&] {
    CreateRequest request = For("bob");
    request.credentials = {};
    return request;
  }());
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->info.session_id, id);
  clock_.Turn(std::chrono::minutes(11));
  EXPECT_EQ(ReasonOf(Call(id)), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE);
  EXPECT_TRUE(Destroy(id).ok());
  EXPECT_EQ(ReasonOf(registry_->SetMe(id, "x", std::nullopt).status()),
            v1::ERROR_REASON_SESSION_DESTROYED);
}

TEST_F(RegistryTest, TheTokenOfASessionFitsItsUser) {
  const std::string id = CreateFor(TokenCredentials(TokenOf("alice")));
  EXPECT_EQ(ReasonOf(registry_->SetMe(id, "bob", std::nullopt).status()),
            v1::ERROR_REASON_TOKEN_WRONG_USER);
  EXPECT_TRUE(registry_->SetMe(id, "alice", std::nullopt).ok());
}

TEST_F(RegistryTest, ATokenIsReplacedWhereThereIsOne) {
  const std::string id = CreateFor(TokenCredentials(TokenOf("alice")));
  const auto set = registry_->SetToken(id, Secret(TokenOf("bob", 7200)));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_EQ(set->state, State::kAwaitingMe);
  EXPECT_NEAR(static_cast<double>(set->token_expires_at.value_or(0)),
              static_cast<double>(clock_.WallMillis() + 7'200'000), 10'000);
  EXPECT_TRUE(registry_->SetMe(id, "bob", std::nullopt).ok()) << "the newer one counts";
  const std::pair<std::string, v1::ErrorReason> bad[] = {
      {TokenOf("alice"), v1::ERROR_REASON_TOKEN_WRONG_USER},
      {TokenOf("bob", -1), v1::ERROR_REASON_TOKEN_EXPIRED},
      {"x", v1::ERROR_REASON_TOKEN_MALFORMED},
  };
  for (const auto& [token, reason] : bad) {
    const absl::Status refused = registry_->SetToken(id, Secret(token)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ReasonOf(refused), reason);
  }
  // A signing key is as good a place for it, a signature and nothing at all are none.
  EXPECT_TRUE(registry_->SetToken(Create("carol"), Secret(TokenOf("carol"))).ok());
  EXPECT_EQ(ReasonOf(registry_->SetToken("ses_unknown", Secret(TokenOf("x"))).status()),
            v1::ERROR_REASON_SESSION_NOT_FOUND);
  const absl::Status wrong = registry_->SetToken(CreateFor({}), Secret(TokenOf("dora"))).status();
  EXPECT_EQ(wrong.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(wrong), v1::ERROR_REASON_WRONG_CREDENTIAL_KIND);
}

TEST_F(RegistryTest, ADestroyedSessionIsForgottenAfterAnHour) {
  const std::string id = Create("alice");
  EXPECT_TRUE(Destroy(id).ok());
  clock_.Turn(std::chrono::minutes(59));
  EXPECT_EQ(ReasonOf(registry_->GetAlive(id).status()), v1::ERROR_REASON_SESSION_DESTROYED);
  EXPECT_TRUE(Destroy(id).ok());
  clock_.Turn(std::chrono::minutes(1));
  EXPECT_EQ(ReasonOf(registry_->GetAlive(id).status()), v1::ERROR_REASON_SESSION_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Destroy(id)), v1::ERROR_REASON_SESSION_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Call(id)), v1::ERROR_REASON_SESSION_NOT_FOUND);
}

TEST_F(RegistryTest, ARepeatWithOtherSettingsOfTheFetcherReplacesThem) {
  CreateRequest request = For("alice");
  request.credentials = {};
  request.credentials.kind = CredentialKind::kProviderFetcher;
  request.credentials.fetcher = upstream::ProviderFetcher{"one"};
  const auto created = registry_->Create(request);
  ASSERT_TRUE(created.ok()) << created.status();
  const std::string id = created->info.session_id;
  EXPECT_TRUE(registry_->CheckProvider(id, "one").ok());
  request.credentials.fetcher = upstream::ProviderFetcher{"two"};
  EXPECT_FALSE(registry_->Create(request)->created);
  EXPECT_TRUE(registry_->CheckProvider(id, "two").ok());
  for (const std::string& session : {id, Create("bob")}) {
    EXPECT_EQ(ReasonOf(registry_->CheckProvider(session, "one")),
              v1::ERROR_REASON_WRONG_CREDENTIAL_KIND);
  }
  EXPECT_EQ(ReasonOf(registry_->CheckProvider("ses_unknown", "one")),
            v1::ERROR_REASON_SESSION_NOT_FOUND);
}

TEST_F(RegistryTest, AnAppAndUserIsOneSession) {
  auto first = registry_->Create(For("alice"));
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(first->created);
  EXPECT_EQ(first->info.state, State::kConnecting);
  auto again = registry_->Create(For("alice", "sk_other"));
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->created);
  EXPECT_EQ(again->info.session_id, first->info.session_id);
  CreateRequest other_kind = For("alice");
  other_kind.credentials = {};
  auto refused = registry_->Create(other_kind);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_NE(MessageOf(refused.status()).find(first->info.session_id), std::string_view::npos);
  other_kind.replace_credentials = true;
  EXPECT_TRUE(registry_->Create(other_kind).ok());
  EXPECT_EQ(registry_->Get(first->info.session_id)->credential_kind, CredentialKind::kNone);
  EXPECT_EQ(registry_->List().size(), 1u);
}

TEST_F(RegistryTest, ListsInTheOrderOfCreationUpToTheLimit) {
  const std::vector<std::string> ids = {Create("c"), Create("a"), Create("b")};
  const std::vector<Info> list = registry_->List();
  ASSERT_EQ(list.size(), 3u);
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(list[i].session_id, ids[i]);
  const absl::Status full = registry_->Create(For("d")).status();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(full), v1::ERROR_REASON_LIMIT_EXCEEDED);
  EXPECT_TRUE(Destroy(ids[0]).ok());
  EXPECT_TRUE(registry_->Create(For("d")).ok());
}

TEST_F(RegistryTest, ADestroyedSessionIsRememberedAndItsUserIsFree) {
  const std::string id = Create("alice");
  EXPECT_TRUE(Destroy(id).ok());
  EXPECT_TRUE(Destroy(id).ok());
  EXPECT_EQ(Destroy("ses_unknown").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(registry_->Get(id)->state, State::kDestroyed);
  EXPECT_EQ(ReasonOf(registry_->GetAlive(id).status()), v1::ERROR_REASON_SESSION_DESTROYED);
  EXPECT_TRUE(registry_->List().empty());
  EXPECT_NE(Create("alice"), id);
}

TEST_F(RegistryTest, CallsAnswerWhateverTheSessionIs) {
  const std::string id = Create("alice");
  const absl::Status late = Call(id);
  EXPECT_EQ(late.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(late), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(Call("ses_unknown")), v1::ERROR_REASON_SESSION_NOT_FOUND);
  CreateRequest nobody = For("x");
  nobody.user_id.reset();
  auto awaiting = registry_->Create(nobody);
  ASSERT_TRUE(awaiting.ok());
  EXPECT_EQ(awaiting->info.state, State::kAwaitingMe);
  EXPECT_TRUE(awaiting->info.expires_at.has_value());
  EXPECT_EQ(ReasonOf(Call(awaiting->info.session_id)), v1::ERROR_REASON_ME_NOT_SET);
  EXPECT_TRUE(Destroy(id).ok());
  EXPECT_EQ(ReasonOf(Call(id)), v1::ERROR_REASON_SESSION_DESTROYED);
  const std::string other = Create("bob");
  std::promise<absl::Status> draining;
  registry_->Call(
      other, {"POST", "/a"}, std::chrono::hours(1),
      [&](absl::StatusOr<upstream::Reply> reply) { draining.set_value(reply.status()); });
  registry_->Stop();
  EXPECT_EQ(ReasonOf(draining.get_future().get()), v1::ERROR_REASON_DRAINING);
  EXPECT_EQ(ReasonOf(Call(other)), v1::ERROR_REASON_DRAINING);
  EXPECT_EQ(ReasonOf(registry_->Create(For("carol")).status()), v1::ERROR_REASON_DRAINING);
}

TEST_F(RegistryTest, ChangesAreSeenOnceAndWaitedFor) {
  uint64_t version = 0;
  EXPECT_TRUE(registry_->ChangesSince(&version).empty());
  std::promise<void> changed;
  registry_->NotifyOfChange(version, [&] { changed.set_value(); });
  const uint64_t cancelled =
      registry_->NotifyOfChange(version, [] { ADD_FAILURE() << "it was cancelled"; });
  registry_->Cancel(cancelled);
  const std::string id = Create("alice");
  changed.get_future().get();
  const std::vector<Info> changes = registry_->ChangesSince(&version);
  ASSERT_EQ(changes.size(), 1u);
  EXPECT_EQ(changes[0].session_id, id);
  EXPECT_TRUE(Destroy(id).ok());
  bool at_once = false;
  const uint64_t handle = registry_->NotifyOfChange(0, [&] { at_once = true; });
  EXPECT_TRUE(at_once);
  registry_->Cancel(handle);
  EXPECT_EQ(registry_->ChangesSince(&version).back().state, State::kDestroyed);
}

TEST_F(RegistryTest, AvailabilityAndDeviceAreKeptUntilTheSessionEnds) {
  CreateRequest request = For("alice");
  request.availability_text = "back at five";
  request.device = upstream::PushDevice{upstream::PushProvider::kApns, Secret("token")};
  const auto created = registry_->Create(request);
  ASSERT_TRUE(created.ok()) << created.status();
  const std::string id = created->info.session_id;
  EXPECT_EQ(registry_->Availability(id, "alice"), "back at five");
  EXPECT_EQ(registry_->Availability(id, "bob"), std::nullopt);
  registry_->KeepAvailability(id, "bob", "");
  EXPECT_EQ(registry_->Availability(id, "bob"), "");
  registry_->KeepAvailability(id, "alice", std::nullopt);
  EXPECT_EQ(registry_->Availability(id, "alice"), std::nullopt);
  ASSERT_TRUE(registry_->Device(id).has_value());
  EXPECT_EQ(registry_->Device(id)->registration_id.Expose(), "token");

  const std::string other = Create("bob");
  EXPECT_FALSE(registry_->Device(other).has_value());
  EXPECT_EQ(registry_->Availability(other, "bob"), std::nullopt);
  ASSERT_TRUE(Destroy(id).ok());
  EXPECT_FALSE(registry_->Device(id).has_value());
  registry_->KeepAvailability(id, "bob", "too late");
  EXPECT_EQ(registry_->Availability(id, "bob"), std::nullopt);
}

TEST_F(RegistryTest, AskingForAnAppWithoutAnyoneToAskIsAnError) {
  std::promise<absl::StatusOr<bool>> promise;
  registry_->CheckApp("demo", std::chrono::seconds(5),
                      [&](const absl::StatusOr<bool>& exists) { promise.set_value(exists); });
  const absl::Status status = promise.get_future().get().status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_UPSTREAM_UNAVAILABLE);
}

// A moment that lasts: whoever has to wait waits for ever.
class FrozenClock : public Clock {
 public:
  MonoTime Now() const override { return MonoTime(std::chrono::hours(1)); }
  UnixMillis WallMillis() const override { return 1'700'000'000'000; }
};

TEST_F(RegistryTest, RestoredSessionsConnectAtThePaceOfReconnects) {
  std::string directory = (std::filesystem::temp_directory_path() / "registry.XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  {
    auto store = SessionStore::Open(directory, journal::Durability::kOs);
    ASSERT_TRUE(store.ok()) << store.status();
    constexpr size_t kSessions = 60;
    for (size_t i = 0; i < kSessions; ++i) {
      StoredSession session;
      session.user_id = "user-" + std::to_string(i);
      session.session_id = "ses_" + session.user_id;
      session.app_id = "demo";
      session.created_at = 1;
      session.credentials = For(session.user_id).credentials;
      ASSERT_TRUE((*store)->Add(session).ok());
    }
    FrozenClock clock;
    Registry::Options options;
    options.upstream_host = "127.0.0.1:9";
    Registry registry(options,
                      {clock, SecureRandom(), metrics_, *journal_, http_, *tls_, store->get()});
    ASSERT_TRUE(registry.Restore().ok());
    const auto has_tried_or_waits = [](const Info& info) {
      return info.next_attempt_at.has_value();
    };
    while (true) {
      uint64_t version = 0;
      registry.ChangesSince(&version);
      const std::vector<Info> list = registry.List();
      ASSERT_EQ(list.size(), kSessions);
      if (std::all_of(list.begin(), list.end(), has_tried_or_waits)) break;
      auto changed = std::make_shared<std::promise<void>>();
      registry.NotifyOfChange(version, [changed] { changed->set_value(); });
      changed->get_future().get();
    }
    EXPECT_EQ(metrics_.connects->Value(), 20);
    registry.Stop();
    journal_->Close();  // writes the last progress to the store
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace talkjsd::session
