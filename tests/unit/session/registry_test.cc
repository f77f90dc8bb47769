// The registry with an upstream that is never there: nothing listens on the discard port of this
// host.
#include "daemon/session/registry.h"

#include <gtest/gtest.h>

#include <future>

#include "daemon/base/error.h"
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
        options,
        Registry::Environment{SystemClock(), SecureRandom(), metrics_, *journal_, http_, *tls_});
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

  Metrics metrics_;
  std::unique_ptr<journal::Journal> journal_;
  std::unique_ptr<net::TlsContext> tls_;
  net::HttpClient http_;
  std::unique_ptr<Registry> registry_;
};

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

}  // namespace
}  // namespace talkjsd::session
